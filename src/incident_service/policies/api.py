"""HTTP: escalation policies."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request

from incident_service.core.db import Tx
from incident_service.core.errors import Conflict
from incident_service.policies import actions, queries
from incident_service.policies.hooks import PolicyHooks
from incident_service.policies.models import EscalationPolicy
from incident_service.policies.schemas import (
    EscalationPolicyCreate,
    EscalationPolicyPage,
    EscalationPolicyRead,
    EscalationPolicyUpdate,
    EscalationPolicyUpdated,
    LevelInsert,
    LevelRead,
    LevelWrite,
    PolicyColumns,
    PolicyWarning,
)
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch, Tagged
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/escalation-policies", tags=["escalation policies"], route_class=RepeatableRoute
)
LAST_NUMBER = 2**31 - 1
CONFLICTS: dict[str, str] = {
    "uq_escalation_policies_name": "The team has another escalation policy of this name.",
    "uq_escalation_policies_default": "The team's default policy was just changed; try again.",
    "fk_services_escalation_policy_id": "Services still use this policy; give them another first.",
}


def policy_hooks(request: Request) -> PolicyHooks:
    """Return what the domains above offer to policies."""
    hooks: PolicyHooks = request.app.state.policy_hooks
    return hooks


Hooks = Annotated[PolicyHooks, Depends(policy_hooks)]
ApplyToOpen = Annotated[
    bool,
    Query(
        description="Start incidents that climb by the policy anew, from level 1. "
        "Acknowledged and snoozed ones keep the plan they have."
    ),
]


LevelNumber = Annotated[int, Path(le=LAST_NUMBER, description="Counts from 1.")]


class PolicyInUse(Conflict):
    """Active incidents or services use this policy."""


async def with_levels(tx: Tx, policies: Sequence[EscalationPolicy]) -> list[EscalationPolicyRead]:
    """Show policies together with their levels."""
    levels = await queries.load_levels(tx.session, [policy.id for policy in policies])
    warnings = await queries.load_warnings(tx.session, policies, levels, tx.now)
    return [
        EscalationPolicyRead(
            **PolicyColumns.model_validate(policy).model_dump(),
            levels=[LevelRead.model_validate(level) for level in levels.get(policy.id, [])],
            warnings=[PolicyWarning.model_validate(each) for each in warnings[policy.id]],
        )
        for policy in policies
    ]


async def changed(
    tx: Tx,
    policy: EscalationPolicy,
    hooks: PolicyHooks,
    principal: Principal,
    *,
    apply_to_open: bool,
) -> EscalationPolicyUpdated:
    """Show a changed policy, after open incidents were started anew if that was asked for."""
    shown = (await with_levels(tx, [policy]))[0]
    active = await hooks.count_open(tx.session, policy.id)
    restarted = await hooks.restart_open(tx, policy.id, principal) if apply_to_open else 0
    return EscalationPolicyUpdated(
        **shown.model_dump(), open_incidents_on_old_plan=active - restarted
    )


async def locked(tx: Tx, policy_id: UUID, principal: Principal) -> EscalationPolicyRead:
    """Lock the policy, and before it its team, and show it."""
    policy = await actions.lock_policy(tx, policy_id, principal)
    return (await with_levels(tx, [policy]))[0]


@router.get("")
async def list_escalation_policies(
    tx: InTx,
    principal: Reader,
    page: Annotated[PageQuery, Depends(page_query)],
    team_id: UUID | None = None,
) -> EscalationPolicyPage:
    """List escalation policies, oldest first."""
    rows, next_cursor = await queries.list_policies(tx.session, principal, page, team_id=team_id)
    return EscalationPolicyPage(items=await with_levels(tx, rows), next_cursor=next_cursor)


@router.post("", status_code=201)
async def create_escalation_policy(
    tx: InTx, principal: Manager, body: EscalationPolicyCreate, tagged: Tagged
) -> EscalationPolicyRead:
    """Make an escalation policy."""
    policy = await actions.create_policy(tx, body, by=principal)
    return tagged.show((await with_levels(tx, [policy]))[0])


@router.get("/{policy_id}")
async def get_escalation_policy(
    tx: InTx, principal: Reader, policy_id: UUID, known: IfNoneMatch
) -> EscalationPolicyRead:
    """Show one escalation policy."""
    policy = await queries.get_policy(tx.session, policy_id, principal)
    return known.show((await with_levels(tx, [policy]))[0])


@router.patch("/{policy_id}")
async def update_escalation_policy(
    tx: InTx,
    principal: Manager,
    policy_id: UUID,
    body: EscalationPolicyUpdate,
    hooks: Hooks,
    seen: IfMatch,
    apply_to_open: ApplyToOpen = False,
) -> EscalationPolicyUpdated:
    """Change an escalation policy. Open incidents go on as they began, unless `apply_to_open`."""
    await seen.require(locked, tx, policy_id, principal)
    policy = await actions.update_policy(tx, policy_id, body, by=principal)
    return seen.show(await changed(tx, policy, hooks, principal, apply_to_open=apply_to_open))


@router.post("/{policy_id}/levels", status_code=201)
async def add_level(
    tx: InTx,
    principal: Manager,
    policy_id: UUID,
    body: LevelInsert,
    hooks: Hooks,
    seen: IfMatch,
    apply_to_open: ApplyToOpen = False,
) -> EscalationPolicyUpdated:
    """Add a level, at the end or at a number; the levels from there on move up."""
    await seen.require(locked, tx, policy_id, principal)
    policy = await actions.add_level(tx, policy_id, body, body.level_number, by=principal)
    return seen.show(await changed(tx, policy, hooks, principal, apply_to_open=apply_to_open))


@router.put("/{policy_id}/levels/{level_number}")
async def replace_level(
    tx: InTx,
    principal: Manager,
    policy_id: UUID,
    level_number: LevelNumber,
    body: LevelWrite,
    hooks: Hooks,
    seen: IfMatch,
    apply_to_open: ApplyToOpen = False,
) -> EscalationPolicyUpdated:
    """Replace one level. `If-Match` is about the policy."""
    await seen.require(locked, tx, policy_id, principal)
    policy = await actions.replace_level(tx, policy_id, level_number, body, by=principal)
    return seen.show(await changed(tx, policy, hooks, principal, apply_to_open=apply_to_open))


@router.delete("/{policy_id}/levels/{level_number}")
async def remove_level(
    tx: InTx,
    principal: Manager,
    policy_id: UUID,
    level_number: LevelNumber,
    hooks: Hooks,
    seen: IfMatch,
    apply_to_open: ApplyToOpen = False,
) -> EscalationPolicyUpdated:
    """Remove one level; the levels after it move down. `If-Match` is about the policy."""
    await seen.require(locked, tx, policy_id, principal)
    policy = await actions.remove_level(tx, policy_id, level_number, by=principal)
    return seen.show(await changed(tx, policy, hooks, principal, apply_to_open=apply_to_open))


@router.delete("/{policy_id}", status_code=204)
async def delete_escalation_policy(
    tx: InTx, principal: Manager, policy_id: UUID, hooks: Hooks, seen: IfMatch
) -> None:
    """Delete an escalation policy that neither a service nor an active incident uses."""
    await seen.require(locked, tx, policy_id, principal)
    policy = await actions.lock_policy(tx, policy_id, principal)
    if active := await hooks.count_open(tx.session, policy_id):
        raise PolicyInUse(
            f"{active} active incidents use this policy; resolve them or reassign them first, "
            "or deactivate it."
        )
    if services := await hooks.say_which_services_use(tx, policy):
        raise PolicyInUse(services)
    await actions.delete_policy(tx, policy)
