"""Read and lock the notifications that make up a page, and what there is to say about them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select

from incident_service.catalog.models import Service
from incident_service.core.db import Tx
from incident_service.incidents.models import Incident
from incident_service.notifications.actions import mark_cancelled
from incident_service.notifications.message import PagedIncident
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
)
from incident_service.notifications.relevance import Standing, is_relevant
from incident_service.teams.models import Team, User

TOLD = (NotificationStatus.PENDING, NotificationStatus.SENDING, NotificationStatus.SENT)


@dataclass(frozen=True, slots=True)
class Named:
    """An incident with the names of its service and its team."""

    incident: Incident
    service: str
    team: str


@dataclass(frozen=True, slots=True)
class Members:
    """The notifications to send, and their incidents, the most urgent first.

    `traces` are those of what asked for them, in the same order, each once.
    """

    notification_ids: tuple[UUID, ...]
    incidents: tuple[PagedIncident, ...]
    traces: tuple[str, ...] = ()


async def lock_notifications(tx: Tx, *conditions: ColumnElement[bool]) -> Sequence[Notification]:
    """Lock and read notifications in the order of their ids, waiting for whoever has them."""
    rows = await tx.session.scalars(
        select(Notification)
        .where(*conditions)
        .order_by(Notification.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def keep_relevant(tx: Tx, locked: Sequence[Notification], base_url: str) -> Members:
    """Keep of the locked notifications those that still have a reason, and cancel the others.

    The incidents are read by a statement of their own: one that had waited for the locks would
    show them as they were before the wait.
    """
    incident_ids = {row.incident_id for row in locked}
    named = await read_incidents(tx, incident_ids)
    told = await read_told(tx, incident_ids)
    kept: list[Notification] = []
    overtaken: list[UUID] = []
    for row in locked:
        incident = named[row.incident_id].incident
        standing = Standing(
            incident.status,
            incident.escalation_epoch,
            incident.snoozed_until,
            incident.is_quiet,
            incident.maintenance_window_id is not None,
        )
        if is_relevant(row.kind, row.epoch, standing, tx.now):
            kept.append(row)
        else:
            overtaken.append(row.id)
    await mark_cancelled(tx, overtaken)
    incidents = describe(kept, named, told, base_url)
    return Members(
        tuple(row.id for row in kept), tuple(incidents), tuple(traces_of(kept, incidents))
    )


async def read_incidents(tx: Tx, incident_ids: Collection[UUID]) -> dict[UUID, Named]:
    """Read incidents as they are committed at this moment, without locking them."""
    rows = await tx.session.execute(
        select(Incident, Service.name, Team.name)
        .join(Service, Service.id == Incident.service_id)
        .join(Team, Team.id == Incident.team_id)
        .where(Incident.id.in_(incident_ids))
        .execution_options(populate_existing=True)
    )
    return {incident.id: Named(incident, service, team) for incident, service, team in rows}


async def read_told(tx: Tx, incident_ids: Collection[UUID]) -> dict[UUID, dict[UUID, str]]:
    """Return whom the present climb of each incident tells: names by user, in their order."""
    rows = await tx.session.execute(
        select(Notification.incident_id, User.id, User.name)
        .join(User, User.id == Notification.user_id)
        .join(Incident, Incident.id == Notification.incident_id)
        .where(
            Notification.incident_id.in_(incident_ids),
            Notification.epoch == Incident.escalation_epoch,
            Notification.kind == NotificationKind.PAGE,
            Notification.status.in_(TOLD),
            Notification.due_at <= tx.now,
        )
        .distinct()
        .order_by(User.name, User.id)
    )
    told: dict[UUID, dict[UUID, str]] = defaultdict(dict)
    for row in rows:
        told[row.incident_id][row.id] = row.name
    return told


def describe(
    kept: Iterable[Notification],
    named: dict[UUID, Named],
    told: Mapping[UUID, Mapping[UUID, str]],
    base_url: str,
) -> list[PagedIncident]:
    """Describe each incident once, by the last notification about it."""
    last = {row.incident_id: row for row in kept}
    described = [
        paged(row, named[incident_id], others(told.get(incident_id, {}), row.user_id), base_url)
        for incident_id, row in last.items()
    ]
    return sorted(described, key=reading_order)


def traces_of(kept: Iterable[Notification], incidents: Iterable[PagedIncident]) -> dict[str, None]:
    """Return the traces of the incidents in their order: each one's last, as it is described."""
    last = {row.incident_id: row.trace_context for row in kept}
    found = (last[incident.id] for incident in incidents)
    return dict.fromkeys(trace for trace in found if trace)


def reading_order(incident: PagedIncident) -> tuple[bool, int, int]:
    """Put what asks for an answer first, the most urgent of it before the rest."""
    is_update = incident.kind is NotificationKind.UPDATE
    return is_update, incident.priority.rank, incident.number


def others(told: Mapping[UUID, str], reader: UUID | None) -> tuple[str, ...]:
    """Return the names of those who are told beside the reader."""
    return tuple(name for user_id, name in told.items() if user_id != reader)


def paged(
    row: Notification, named: Named, also_told: tuple[str, ...], base_url: str
) -> PagedIncident:
    """Describe an incident to the person whom the notification tells."""
    incident = named.incident
    return PagedIncident(
        id=incident.id,
        number=incident.number,
        title=incident.title,
        status=incident.status,
        priority=incident.priority,
        kind=row.kind,
        level=row.level,
        repeat=row.repeat,
        reason=row.reason,
        labels=incident.labels,
        annotations=incident.annotations,
        url=f"{base_url}/v1/incidents/{incident.id}",
        service=named.service,
        team=named.team,
        created_at=incident.created_at,
        also_told=also_told,
    )
