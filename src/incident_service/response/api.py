"""HTTP: the verbs on an incident."""

from uuid import UUID

from fastapi import APIRouter

from incident_service.core.http import InTx
from incident_service.incidents.schemas import IncidentRead
from incident_service.response import actions, handing_over
from incident_service.response.actions import Done, Order
from incident_service.response.schemas import (
    EscalateRequest,
    ReassignRequest,
    ResolveRequest,
    SnoozeRequest,
    VerbRequest,
    VerbResult,
)
from incident_service.teams.auth import Principal, Responder

router = APIRouter(prefix="/incidents/{incident_id}", tags=["incidents"])
CONFLICTS: dict[str, str] = {}
NOTHING_SAID = VerbRequest()
JUST_RESOLVE = ResolveRequest()


def order(incident_id: UUID, principal: Principal, body: VerbRequest) -> Order:
    """Put together who wants what."""
    return Order(incident_id, principal, body.user_id, body.reason)


def result(done: Done) -> VerbResult:
    """Shape the answer of a verb."""
    return VerbResult(changed=done.changed, incident=IncidentRead.model_validate(done.incident))


@router.post("/acknowledge")
async def acknowledge_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: VerbRequest = NOTHING_SAID
) -> VerbResult:
    """Take an incident: nobody else is paged for it. A second acknowledge keeps the first."""
    return result(await actions.acknowledge(tx, order(incident_id, principal, body)))


@router.post("/unacknowledge")
async def unacknowledge_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: VerbRequest = NOTHING_SAID
) -> VerbResult:
    """Give an incident back: its current level is paged again at once."""
    return result(await actions.unacknowledge(tx, order(incident_id, principal, body)))


@router.post("/resolve")
async def resolve_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: ResolveRequest = JUST_RESOLVE
) -> VerbResult:
    """End an incident. Alerts that still fire open a new one after five minutes."""
    done = await actions.resolve(
        tx, order(incident_id, principal, body), until_clear=body.until_clear
    )
    return result(done)


@router.post("/close")
async def close_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: VerbRequest = NOTHING_SAID
) -> VerbResult:
    """File a resolved incident for good."""
    return result(await actions.close(tx, order(incident_id, principal, body)))


@router.post("/reopen")
async def reopen_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: VerbRequest = NOTHING_SAID
) -> VerbResult:
    """Bring a resolved incident back."""
    return result(await actions.reopen(tx, order(incident_id, principal, body)))


@router.post("/snooze")
async def snooze_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: SnoozeRequest
) -> VerbResult:
    """Hold the climb of an open incident until an instant."""
    return result(await actions.snooze(tx, order(incident_id, principal, body), body.until))


@router.post("/reassign")
async def reassign_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: ReassignRequest
) -> VerbResult:
    """Hand an incident to a person, or to another policy's level 1; paged at once."""
    wanted = order(incident_id, principal, body)
    if body.assigned_user_id:
        done = await handing_over.reassign_to_person(tx, wanted, body.assigned_user_id)
        return result(done)
    assert body.escalation_policy_id
    return result(await handing_over.reassign_to_policy(tx, wanted, body.escalation_policy_id))


@router.post("/escalate")
async def escalate_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: EscalateRequest
) -> VerbResult:
    """Page the next level now, or begin again with `restart`."""
    wanted = order(incident_id, principal, body)
    if body.restart:
        return result(await actions.restart(tx, wanted))
    done = await actions.escalate(
        tx,
        wanted,
        seen_level=body.current_level or 0,
        seen_repeat=body.current_repeat or 1,
    )
    return result(done)
