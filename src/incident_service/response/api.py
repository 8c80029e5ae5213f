"""HTTP: the verbs on an incident."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from incident_service.core.db import Tx
from incident_service.incidents.related import shown_related, tag_of
from incident_service.incidents.schemas import IncidentRead
from incident_service.response import (
    actions,
    bulk,
    creating,
    handing_over,
    maintenance_api,
    noting,
    prioritizing,
    relating,
)
from incident_service.response.actions import Done, Order
from incident_service.response.bulk import Answer
from incident_service.response.schemas import (
    BulkAnswer,
    BulkError,
    BulkRequest,
    BulkResolveRequest,
    BulkResult,
    EscalateRequest,
    IncidentCreate,
    NoteRequest,
    PriorityRequest,
    ReassignRequest,
    ResolveRequest,
    SnoozeRequest,
    VerbRequest,
    VerbResult,
)
from incident_service.teams.auth import Principal, Responder, ResponderAlone
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, Seeing, Tagged, Tagging
from incident_service.web.fields import Prose
from incident_service.web.openapi.errors import only
from incident_service.web.request import InTx

collection = APIRouter(prefix="/incidents", tags=["incidents"], route_class=RepeatableRoute)
one = APIRouter(prefix="/incidents/{incident_id}", tags=["incidents"], route_class=RepeatableRoute)
CONFLICTS: dict[str, str] = {}
NOTHING_SAID = VerbRequest()
JUST_RESOLVE = ResolveRequest()
# What does not exist, or is in another state, is said of each incident by itself.
EACH_ANSWERS = only(400, 401, 403, 413, 415, 422, 429, 500, 503)


def order(incident_id: UUID, principal: Principal, body: VerbRequest, seen: Seeing) -> Order:
    """Put together who wants what."""
    return Order(incident_id, principal, body.user_id, body.reason, seen.condition)


async def result(tx: Tx, principal: Principal, done: Done, tagging: Tagging) -> VerbResult:
    """Shape the answer of a verb; its tag is the one that the incident has from now on."""
    related = await shown_related(tx.session, done.incident.id, principal)
    shown = VerbResult(changed=done.changed, incident=IncidentRead.model_validate(done.incident))
    return tagging.show_as(shown, tag_of(done.incident, related))


def bulk_result(answers: Sequence[Answer]) -> BulkResult:
    """Shape the answer of a verb on many incidents."""
    return BulkResult(
        results=[
            BulkAnswer(
                incident_id=answer.incident_id,
                changed=answer.changed,
                status=answer.status,
                error=BulkError(code=answer.error.code, detail=answer.error.detail)
                if answer.error
                else None,
            )
            for answer in answers
        ]
    )


@collection.post("", status_code=201, responses={200: {"model": VerbResult}})
async def create_incident(
    tx: InTx, principal: Responder, body: IncidentCreate, response: Response, tagged: Tagged
) -> VerbResult:
    """Open an incident by hand: it pages at once, and only people resolve it.

    201 when it is new, 200 when one of the same `key` is active already.
    """
    report = creating.Report(
        service_id=body.service_id,
        title=body.title,
        priority=body.priority,
        description=body.description,
        labels=body.labels,
        key=body.key,
        policy_id=body.escalation_policy_id,
        assigned_user_id=body.assigned_user_id,
    )
    done = await creating.create(tx, report, principal, user_id=body.user_id, reason=body.reason)
    if not done.changed:
        response.status_code = 200
    return await result(tx, principal, done, tagged)


@collection.post("/bulk/acknowledge", openapi_extra=EACH_ANSWERS)
async def acknowledge_incidents(
    request: Request, principal: ResponderAlone, body: BulkRequest
) -> BulkResult:
    """Take up to 500 incidents; those that are refused do not keep the others from being taken."""
    wanted = bulk.BulkOrder(body.incident_ids, principal, body.user_id, body.reason)
    return bulk_result(await bulk.acknowledge(request.app.state.transactions, wanted))


@collection.post("/bulk/resolve", openapi_extra=EACH_ANSWERS)
async def resolve_incidents(
    request: Request, principal: ResponderAlone, body: BulkResolveRequest
) -> BulkResult:
    """End up to 500 incidents; those that are refused do not keep the others from being ended."""
    wanted = bulk.BulkOrder(body.incident_ids, principal, body.user_id, body.reason)
    answers = await bulk.resolve(
        request.app.state.transactions, wanted, until_clear=body.until_clear
    )
    return bulk_result(answers)


@one.post("/acknowledge")
async def acknowledge_incident(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    seen: IfMatch,
    body: VerbRequest = NOTHING_SAID,
) -> VerbResult:
    """Take an incident: nobody else is paged for it. A second acknowledge keeps the first."""
    done = await actions.acknowledge(tx, order(incident_id, principal, body, seen))
    return await result(tx, principal, done, seen)


@one.post("/unacknowledge")
async def unacknowledge_incident(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    seen: IfMatch,
    body: VerbRequest = NOTHING_SAID,
) -> VerbResult:
    """Give an incident back: its current level is paged again at once."""
    done = await actions.unacknowledge(tx, order(incident_id, principal, body, seen))
    return await result(tx, principal, done, seen)


@one.post("/resolve")
async def resolve_incident(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    seen: IfMatch,
    body: ResolveRequest = JUST_RESOLVE,
) -> VerbResult:
    """End an incident. Alerts that still fire open a new one after five minutes."""
    done = await actions.resolve(
        tx, order(incident_id, principal, body, seen), until_clear=body.until_clear
    )
    return await result(tx, principal, done, seen)


@one.post("/close")
async def close_incident(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    seen: IfMatch,
    body: VerbRequest = NOTHING_SAID,
) -> VerbResult:
    """File a resolved incident for good."""
    done = await actions.close(tx, order(incident_id, principal, body, seen))
    return await result(tx, principal, done, seen)


@one.post("/reopen")
async def reopen_incident(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    seen: IfMatch,
    body: VerbRequest = NOTHING_SAID,
) -> VerbResult:
    """Bring a resolved incident back."""
    done = await actions.reopen(tx, order(incident_id, principal, body, seen))
    return await result(tx, principal, done, seen)


@one.post("/snooze")
async def snooze_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: SnoozeRequest, seen: IfMatch
) -> VerbResult:
    """Hold the climb of an open incident until an instant."""
    done = await actions.snooze(tx, order(incident_id, principal, body, seen), body.until)
    return await result(tx, principal, done, seen)


@one.post("/reassign")
async def reassign_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: ReassignRequest, seen: IfMatch
) -> VerbResult:
    """Hand an incident to a person, or to another policy's level 1; paged at once."""
    wanted = order(incident_id, principal, body, seen)
    if body.assigned_user_id:
        done = await handing_over.reassign_to_person(tx, wanted, body.assigned_user_id)
        return await result(tx, principal, done, seen)
    assert body.escalation_policy_id
    done = await handing_over.reassign_to_policy(tx, wanted, body.escalation_policy_id)
    return await result(tx, principal, done, seen)


@one.post("/priority")
async def change_incident_priority(
    tx: InTx, principal: Responder, incident_id: UUID, body: PriorityRequest, seen: IfMatch
) -> VerbResult:
    """Raise or lower the priority: a raise wakes what is quiet or snoozed."""
    wanted = order(incident_id, principal, body, seen)
    done = await prioritizing.change_priority(tx, wanted, body.priority)
    return await result(tx, principal, done, seen)


@one.post("/notes")
async def add_incident_note(
    tx: InTx, principal: Responder, incident_id: UUID, body: NoteRequest, seen: IfMatch
) -> VerbResult:
    """Write down what you found out. It is in the timeline, and pages tell nothing of it."""
    wanted = Order(incident_id, principal, body.user_id, seen=seen.condition)
    done = await noting.note(tx, wanted, body.text)
    return await result(tx, principal, done, seen)


@one.post("/escalate")
async def escalate_incident(
    tx: InTx, principal: Responder, incident_id: UUID, body: EscalateRequest, seen: IfMatch
) -> VerbResult:
    """Page the next level now, or begin again with `restart`."""
    wanted = order(incident_id, principal, body, seen)
    if body.restart:
        done = await actions.restart(tx, wanted, seen_epoch=body.escalation_epoch)
        return await result(tx, principal, done, seen)
    done = await actions.escalate(
        tx,
        wanted,
        seen_level=body.current_level or 0,
        seen_repeat=body.current_repeat or 1,
        seen_epoch=body.escalation_epoch,
    )
    return await result(tx, principal, done, seen)


@one.put("/related/{related_id}")
async def relate_incidents(
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    related_id: UUID,
    seen: IfMatch,
    body: VerbRequest = NOTHING_SAID,
) -> VerbResult:
    """Link two incidents. Both show it, and both climb on as before."""
    done = await relating.relate(tx, order(incident_id, principal, body, seen), related_id)
    return await result(tx, principal, done, seen)


@one.delete("/related/{related_id}")
async def unrelate_incidents(
    *,
    tx: InTx,
    principal: Responder,
    incident_id: UUID,
    related_id: UUID,
    seen: IfMatch,
    user_id: Annotated[UUID | None, Query(description="The person who acts.")] = None,
    reason: Annotated[Prose | None, Query()] = None,
) -> VerbResult:
    """Take the link between two incidents away, from both."""
    said = VerbRequest(user_id=user_id, reason=reason)
    done = await relating.unrelate(tx, order(incident_id, principal, said, seen), related_id)
    return await result(tx, principal, done, seen)


router = APIRouter()
router.include_router(collection)  # first: its paths have words where the others have an id
router.include_router(one)
router.include_router(maintenance_api.router)
