"""HTTP: the stream of changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials

from incident_service.core.db import Tx
from incident_service.incidents.schemas import IncidentChange
from incident_service.incidents.stream import reading
from incident_service.incidents.stream.cursor import Cursor, Lost, decode, encode, why_lost
from incident_service.incidents.stream.news import Streams
from incident_service.incidents.stream.progress import Progress
from incident_service.incidents.stream.reading import Wanted
from incident_service.incidents.stream.sending import ChangeStream, KeyNoLongerValid
from incident_service.incidents.stream.writing import write_reset
from incident_service.incidents.timeline import EventKind
from incident_service.settings import Settings
from incident_service.teams.auth import Reader, bearer, find_principal
from incident_service.teams.models import Scope
from incident_service.web.fields import open_words
from incident_service.web.openapi.errors import also
from incident_service.web.request import InTx

router = APIRouter()
Id = Annotated[str | None, Header(alias="Last-Event-ID", max_length=200)]
IdInQuery = Annotated[
    str | None,
    Query(
        alias="last_event_id",
        max_length=200,
        description="For clients that cannot set the header `Last-Event-ID`, which comes first.",
    ),
]


def wanted_changes(
    team_id: UUID | None = None,
    service_id: UUID | None = None,
    incident_id: UUID | None = None,
    kind: Annotated[
        list[Annotated[EventKind, open_words(EventKind)]] | None,
        Query(description="Only events of these kinds."),
    ] = None,
) -> tuple[UUID | None, Wanted]:
    """Read the filters of the query string."""
    return team_id, Wanted(None, service_id, incident_id, frozenset(kind or ()))


@router.get(
    "/stream",
    status_code=200,
    response_class=ChangeStream,
    responses={
        200: {
            "model": IncidentChange,
            "description": "Server-sent events; the schema is that of each one's `data`.",
        },
        **also(400),
    },
)
async def stream_incidents(
    tx: InTx,
    request: Request,
    _reader: Reader,
    credentials: Annotated[HTTPAuthorizationCredentials, Security(bearer)],
    filters: Annotated[tuple[UUID | None, Wanted], Depends(wanted_changes)],
    last_event_id: Id = None,
    last_event_id_in_query: IdInQuery = None,
) -> ChangeStream:
    """Tell every change of incidents as it is committed, as server-sent events.

    Each event is named after its kind and has an `IncidentChange` as its data. After
    `Last-Event-ID` the stream goes on where that one was, else it begins now. An event comes at
    least once, in order for each incident; drop what you have by `incident_id` and `sequence`. An
    event `reset` says that it cannot go on there: read the lists again. Comments every 15 s keep
    the connection alive.
    """
    streams: Streams = request.app.state.streams
    team_id, wanted = filters
    text = last_event_id or last_event_id_in_query
    begun = await reading.begin(tx, streams.settled_after)
    start, reached, lost = Cursor(begun.behind, tx.now), begun, None
    if text:
        start, reached, lost = await resume(tx, decode(text), request, begun)

    async def find_wanted(tx: Tx) -> Wanted:
        principal = await find_principal(tx, credentials.credentials)
        if principal is None or not principal.may(Scope.READ):
            raise KeyNoLongerValid
        return replace(wanted, team_ids=principal.narrowed(team_id))

    notice = write_reset(encode(start), lost) if lost else b""
    return ChangeStream(streams, start, reached, find_wanted, notice)


async def resume(
    tx: Tx, cursor: Cursor, request: Request, begun: Progress
) -> tuple[Cursor, Progress, Lost | None]:
    """Return where to begin: at the cursor, or now when that is lost, and why."""
    settings: Settings = request.app.state.settings
    kept = timedelta(days=settings.keep_incidents_days) if settings.keep_incidents_days else None
    last_xact = await reading.find_newest_xact(tx.session)
    lost = why_lost(cursor, now=tx.now, kept=kept, last_xact=last_xact)
    if lost:
        return Cursor(begun.behind, tx.now), begun, lost
    return cursor, Progress(cursor.place), None
