"""Fold episodes that begin or end into the incidents of their keys."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select

from incident_service.alerts import dedup, episodes
from incident_service.alerts.dedup import (
    Join,
    JoinAndRestart,
    JoinAndTell,
    JoinAndWake,
    Known,
    Open,
    Reopen,
)
from incident_service.alerts.models import Alert
from incident_service.catalog import priority as priorities
from incident_service.catalog.models import Service
from incident_service.catalog.priority import Priority
from incident_service.catalog.queries import load_integration_names, load_services
from incident_service.core.actor import ALERTS, SYSTEM, Actor
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.escalation import actions as climbs
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.incidents.models import Incident
from incident_service.incidents.queries import Key, latest_by_key
from incident_service.notifications.replanning import hasten
from incident_service.response import arrivals, reopening
from incident_service.response.arrivals import Arrival, Opening


@dataclass(frozen=True, slots=True)
class Arriving:
    """An episode that begins to fire, or fires again; `incident_id` is whose it is already."""

    id: UUID
    incident_id: UUID | None
    integration_id: UUID
    service_id: UUID
    incident_fingerprint: str
    fingerprint: str
    priority: Priority
    title: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @classmethod
    def of(cls, row: Alert) -> "Arriving":
        """Describe a stored one."""
        return cls(*(getattr(row, name) for name in cls.__slots__))

    @classmethod
    def new(cls, row: Mapping[str, Any]) -> "Arriving":
        """Describe one that has just been stored by these values: it has met no incident yet."""
        values: dict[str, Any] = {name: row[name] for name in cls.__slots__}
        return cls(**values | {"incident_id": None})


class Answer(Protocol):
    """Where the outcome of an alert is written."""

    outcome: str
    incident_id: UUID | None


@dataclass(slots=True)
class Newcomers:
    """Episodes that begin to fire under one key, with the places of their answers.

    `goes_on` holds as long as all of them are firing episodes whose incident was resolved by
    hand: they open a new incident rather than bringing that one back. `trace` is that of the
    request that brought the first of them.
    """

    rows: list[Arriving] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    goes_on: bool = True
    trace: str | None = None

    def arrival(self, actor: Actor) -> Arrival:
        """Describe them as one arrival: the highest priority counts."""
        return Arrival(
            tuple(row.fingerprint for row in self.rows),
            priorities.highest(*(row.priority for row in self.rows)),
            actor,
            self.trace,
        )

    def answer(self, outcome: str, incident_id: UUID) -> None:
        """Write what became of them."""
        for answer in self.answers:
            answer.outcome = outcome
            answer.incident_id = incident_id


@dataclass(slots=True)
class Effects:
    """Incidents by what has to be done to them, collected before any of it is done."""

    openings: list[tuple[Opening, Newcomers]] = field(default_factory=list)
    reopened: list[Incident] = field(default_factory=list)
    started: list[Incident] = field(default_factory=list)
    restarted: dict[str, list[Incident]] = field(default_factory=lambda: defaultdict(list))
    raised: list[Incident] = field(default_factory=list)
    told: list[Incident] = field(default_factory=list)
    woken: list[Incident] = field(default_factory=list)


class Folding:
    """Collects the episodes of one transaction, then folds them into incidents as a set."""

    def __init__(
        self, tx: Tx, services: dict[UUID, Service], *, why_ended: str | None = None
    ) -> None:
        self._tx = tx
        self._why_ended = why_ended
        self._services = services
        self._newcomers: dict[Key, Newcomers] = defaultdict(Newcomers)
        self._resent: list[tuple[Alert, Answer, str | None]] = []
        self._late: list[tuple[UUID, UUID, Answer]] = []
        self._still_counted: set[UUID] = set()
        self._incidents: dict[UUID, Incident] = {}
        self._ended: dict[UUID, list[Alert]] = defaultdict(list)
        self._flapped: dict[UUID, int] = defaultdict(int)
        self._assigned: dict[UUID, UUID] = {}
        self._foreseen: dict[Key, UUID] = {}
        self._stored_with: dict[UUID, UUID] = {}
        self._senders: dict[UUID, str] = {}
        self._joined_by: dict[UUID, Actor] = {}
        self._ended_by: dict[UUID, Actor] = {}
        self._effects = Effects()

    def foresee(self, row_id: UUID, key: Key) -> UUID:
        """Return the id that an incident of this key gets, should one be opened.

        A new episode is stored with it, before its incident is known, so that most need not be
        changed again: to change a row costs more than to insert it. The database looks for the
        incident when the transaction ends.
        """
        foreseen = self._foreseen.setdefault(key, new_id())
        self._stored_with[row_id] = foreseen
        return foreseen

    def arrived(
        self, row: Arriving, answer: Answer, *, goes_on: bool = False, trace: str | None = None
    ) -> None:
        """Note an episode that begins to fire, or fires again after its hold."""
        newcomers = self._newcomers[row.service_id, row.incident_fingerprint]
        newcomers.rows.append(row)
        newcomers.answers.append(answer)
        newcomers.goes_on &= goes_on
        newcomers.trace = newcomers.trace or trace

    def resent(self, row: Alert, answer: Answer, *, trace: str | None = None) -> None:
        """Note a known firing episode: it matters only when its incident is over."""
        self._resent.append((row, answer, trace))

    def came_late(self, row_id: UUID, newest: Alert | None, answer: Answer) -> None:
        """Note an ended episode that belongs to the incident of a newer one."""
        if newest is not None and newest.incident_id is not None:
            self._late.append((row_id, newest.incident_id, answer))

    def ended(self, row: Alert, *, superseded: bool = False, trace: str | None = None) -> None:
        """Note an episode that stops firing; it follows its incident, not today's routing."""
        if row.incident_id is not None:
            self._ended[row.incident_id].append(row)
            self._flapped[row.incident_id] += superseded
            if trace:
                self._tx.traces[row.incident_id] = trace

    async def fold(self) -> None:
        """Open, join, reopen and resolve; all incidents are locked first, in one order.

        Raises:
            Overtaken: another transaction opened one of the incidents first.
        """
        await self._believe_resent()
        latest = set(await latest_by_key(self._tx.session, self._newcomers.keys()))
        self._incidents = await lock(self._tx.session, {*latest, *self._referred_to()})
        await self._load_services()
        await self._load_senders()
        newest = {
            (incident.service_id, incident.fingerprint): incident
            for incident_id, incident in self._incidents.items()
            if incident_id in latest
        }
        for key, newcomers in self._newcomers.items():
            self._meet(key, newcomers, newest.get(key))
        self._count_late()
        over = self._count_ended()
        await self._tx.flush()
        await self._carry_out()
        await arrivals.resolve_incidents(self._tx, over, self._ended_by, reason=self._why_ended)
        moved = self._assigned.items() - self._stored_with.items()
        await episodes.assign(self._tx, dict(moved))
        await self._tx.flush()

    def _referred_to(self) -> set[UUID]:
        """Return the incidents that the collected episodes belong to already."""
        rows = [row for newcomers in self._newcomers.values() for row in newcomers.rows]
        return {
            *self._ended,
            *(incident_id for _, incident_id, _ in self._late),
            *(row.incident_id for row in rows if row.incident_id),
        }

    async def _believe_resent(self) -> None:
        """Let firing episodes whose incident was resolved by hand arrive again, when it is time."""
        ids = {row.incident_id for row, _, _ in self._resent if row.incident_id}
        over = await load_inactive(self._tx, ids)
        for row, answer, trace in self._resent:
            incident = over.get(row.incident_id) if row.incident_id else None
            if row.incident_id and incident is None:
                continue
            if incident is None:
                self.arrived(Arriving.of(row), answer, trace=trace)
            elif dedup.believes_again(describe(incident), self._tx.now):
                self._still_counted.add(row.id)
                self.arrived(Arriving.of(row), answer, goes_on=True, trace=trace)

    async def _load_services(self) -> None:
        used = {incident.service_id for incident in self._incidents.values()}
        missing = used - self._services.keys()
        if missing:
            self._services |= await load_services(self._tx.session, missing)

    async def _load_senders(self) -> None:
        arrived = [row for newcomers in self._newcomers.values() for row in newcomers.rows]
        ended = [row for rows in self._ended.values() for row in rows]
        ids = {row.integration_id for row in arrived} | {row.integration_id for row in ended}
        self._senders = await load_integration_names(self._tx.session, ids)

    def _sender_of(self, rows: Sequence[Arriving | Alert]) -> Actor:
        """Name whose alerts these are, if they are of one integration."""
        ids = {row.integration_id for row in rows}
        if len(ids) > 1:
            return ALERTS
        (id_,) = ids
        return Actor("integration", id_, self._senders.get(id_, ALERTS.name))

    def _meet(self, key: Key, newcomers: Newcomers, incident: Incident | None) -> None:
        service = self._services[key[0]]
        arrival = newcomers.arrival(self._sender_of(newcomers.rows))
        window = timedelta(minutes=service.reopen_window_minutes)
        known = describe(incident) if incident else None
        meeting = dedup.meet(known, arrival.priority, window, self._tx.now)
        is_over = incident is not None and not incident.status.is_active
        if incident is None or isinstance(meeting, Open) or (is_over and newcomers.goes_on):
            self._open(key, service, newcomers, arrival, incident)
            return
        self._join(incident, newcomers, arrival, service, meeting)

    def _open(
        self,
        key: Key,
        service: Service,
        newcomers: Newcomers,
        arrival: Arrival,
        previous: Incident | None,
    ) -> None:
        for row in newcomers.rows:
            self._leave(row)
        first = newcomers.rows[0]
        opening = Opening(
            id=self._foreseen.get(key) or new_id(),
            service=service,
            fingerprint=key[1],
            title=first.title,
            labels=first.labels,
            annotations=first.annotations,
            arrival=arrival,
            previous_incident_id=previous.id if previous else None,
        )
        self._effects.openings.append((opening, newcomers))

    def _join(
        self,
        incident: Incident,
        newcomers: Newcomers,
        arrival: Arrival,
        service: Service,
        meeting: dedup.Meeting,
    ) -> None:
        self._attach(incident, newcomers)
        if arrival.trace:
            self._tx.traces[incident.id] = arrival.trace
        self._joined_by[incident.id] = arrival.actor
        if incident.status is Status.OPEN and arrival.priority.outranks(incident.priority):
            self._effects.raised.append(incident)
        woken = arrivals.joined(self._tx, incident, arrival, service)
        newcomers.answer("reopened" if isinstance(meeting, Reopen) else "joined", incident.id)
        match meeting:
            case Reopen():
                self._effects.reopened.append(incident)
            case JoinAndRestart(reason):
                self._effects.restarted[reason].append(incident)
            case JoinAndTell():
                self._effects.told.append(incident)
            case JoinAndWake():
                self._effects.woken.append(incident)
            case Join() if woken and incident.status is Status.OPEN:
                incident.snoozed_until = None  # if any, it is over and its timer late
                self._effects.started.append(incident)
            case Join() | Open():
                pass

    def _attach(self, incident: Incident, newcomers: Newcomers) -> None:
        for row in newcomers.rows:
            if row.incident_id == incident.id:
                incident.firing_count += row.id not in self._still_counted
                continue
            self._leave(row)
            incident.alert_count += 1
            incident.firing_count += 1
            self._assigned[row.id] = incident.id

    def _leave(self, row: Arriving) -> None:
        """Take an episode off the incident it belonged to: that one is over, the episode is not."""
        incident = self._incidents.get(row.incident_id) if row.incident_id else None
        if incident is not None:
            incident.alert_count -= 1
            incident.firing_count -= row.id in self._still_counted

    def _count_late(self) -> None:
        for row_id, incident_id, answer in self._late:
            incident = self._incidents.get(incident_id)
            if incident is not None:
                incident.alert_count += 1
                self._assigned[row_id] = incident.id
                answer.incident_id = incident.id

    def _count_ended(self) -> list[Incident]:
        """Take ended episodes off the counts; return the incidents that are over."""
        over = []
        for incident_id, rows in self._ended.items():
            incident = self._incidents.get(incident_id)
            if incident is None:
                continue
            incident.firing_count = max(0, incident.firing_count - len(rows))
            incident.flap_count += self._flapped[incident_id]
            self._ended_by[incident_id] = by = SYSTEM if self._why_ended else self._sender_of(rows)
            if not incident.status.is_active:
                continue
            if incident.firing_count == 0 and self._resolves_itself(incident):
                over.append(incident)
            else:
                fingerprints = [row.fingerprint for row in rows]
                arrivals.note_ended(self._tx, incident, fingerprints, by, reason=self._why_ended)
        return over

    def _resolves_itself(self, incident: Incident) -> bool:
        return self._services[incident.service_id].auto_resolve

    async def _carry_out(self) -> None:
        effects = self._effects
        openings = [opening for opening, _ in effects.openings]
        opened = await arrivals.open_incidents(self._tx, openings)
        for incident, (_, newcomers) in zip(opened, effects.openings, strict=True):
            self._assigned |= {row.id: incident.id for row in newcomers.rows}
            newcomers.answer("opened", incident.id)
        await reopening.reopen_incidents(
            self._tx, effects.reopened, self._joined_by, reason="its alerts fire again"
        )
        for reason, incidents in effects.restarted.items():
            await arrivals.restart(self._tx, incidents, reason, self._joined_by)
        await climbs.start(self._tx, effects.started)
        if effects.raised:
            await hasten(self._tx, effects.raised)
        await arrivals.tell_assignees(self._tx, effects.told)
        await arrivals.end_snooze(self._tx, effects.woken, self._joined_by)


async def load_inactive(tx: Tx, incident_ids: Iterable[UUID]) -> dict[UUID, Incident]:
    """Read, without locking, those of the incidents that are over."""
    wanted: Sequence[UUID] = list(incident_ids)
    if not wanted:
        return {}
    rows = await tx.session.scalars(
        select(Incident).where(
            Incident.id.in_(wanted), Incident.status.in_([Status.RESOLVED, Status.CLOSED])
        )
    )
    return {incident.id: incident for incident in rows}


def describe(incident: Incident) -> Known:
    """Describe an incident for a decision."""
    return Known(
        status=incident.status,
        priority=incident.priority,
        is_exhausted=incident.exhausted_at is not None and incident.maintenance_window_id is None,
        snoozed_until=incident.snoozed_until,
        acknowledged_at=incident.acknowledged_at,
        acknowledged_priority=incident.acknowledged_priority,
        assignee_told_at=incident.assignee_told_at,
        resolved_at=incident.resolved_at,
        resolved_by_hand=incident.resolved_by not in (None, "alerts"),
        resolved_until_clear=incident.resolved_until_clear,
    )
