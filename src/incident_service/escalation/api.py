"""HTTP: the timers of an incident, and what a policy would do."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from incident_service.escalation import queries
from incident_service.escalation.forecast import Forecast, foresee
from incident_service.escalation.schemas import (
    ChannelForeseen,
    EndForeseen,
    EscalationJobPage,
    EscalationJobRead,
    LevelForeseen,
    PersonForeseen,
    PolicyPreview,
)
from incident_service.incidents.queries import get_incident
from incident_service.policies.plan import NO_PLAN
from incident_service.policies.queries import get_policy, load_plans
from incident_service.policies.targets import Person, load_outlook
from incident_service.teams.auth import Reader
from incident_service.web.fields import Instant
from incident_service.web.lists.pagination import PageQuery, page_query
from incident_service.web.request import InTx

router = APIRouter()
CONFLICTS: dict[str, str] = {}


@router.get("/incidents/{incident_id}/escalation-jobs", tags=["incidents"])
async def list_escalation_jobs(
    tx: InTx,
    principal: Reader,
    incident_id: UUID,
    page: Annotated[PageQuery, Depends(page_query)],
) -> EscalationJobPage:
    """List what the incident waited and waits for, oldest first."""
    await get_incident(tx.session, incident_id, principal)
    rows, next_cursor = await queries.list_jobs(tx.session, incident_id, page)
    items = [EscalationJobRead.model_validate(row) for row in rows]
    return EscalationJobPage(items=items, next_cursor=next_cursor)


@router.get("/escalation-policies/{policy_id}/preview", tags=["escalation policies"])
async def preview_escalation_policy(
    tx: InTx,
    principal: Reader,
    policy_id: UUID,
    at: Annotated[Instant | None, Query(description="Left out: now.")] = None,
) -> PolicyPreview:
    """Say whom the policy would page and when, if an incident opened and nobody answered."""
    policy = await get_policy(tx.session, policy_id, principal)
    plan = (await load_plans(tx.session, [policy_id])).get(policy_id, NO_PLAN)
    targets = {target for level in plan.levels for target in level.targets}
    begins = at or tx.now
    outlook = await load_outlook(tx.session, [policy.team_id], targets, begins)
    forecast = foresee(plan, policy.team_id, outlook.at, begins, tx.minute)
    return PolicyPreview(
        at=begins,
        total_passes=plan.repeat_count,
        levels=shown_levels(forecast),
        end=EndForeseen(
            at=forecast.end.at,
            kind=forecast.end.kind,
            managers=shown_people(forecast.end.managers),
            tells_fallback_contact=forecast.end.tells_fallback,
        ),
    )


def shown_levels(forecast: Forecast) -> list[LevelForeseen]:
    """Show each level at its time."""
    return [
        LevelForeseen(
            at=level.at,
            repeat=level.position.repeat,
            level_number=level.position.level,
            people=shown_people(level.people),
            channels=[ChannelForeseen.model_validate(channel) for channel in level.channels],
            pages_nobody=not level.people,
        )
        for level in forecast.levels
    ]


def shown_people(people: Sequence[Person]) -> list[PersonForeseen]:
    """Show people."""
    return [PersonForeseen.model_validate(person) for person in people]
