"""Fold what senders say into episodes and incidents, many alerts in one transaction.

The order of work is the order of locks: episodes, then incidents, then new incidents, then
timers and notifications. A plain re-send stops after the first.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any
from uuid import UUID

from incident_service.alerts import dedup, episodes
from incident_service.alerts.dedup import (
    Begin,
    End,
    EndAgain,
    EpisodeDecision,
    Hold,
    Late,
    Repeat,
    Stale,
    StoreEnd,
)
from incident_service.alerts.episodes import Stored
from incident_service.alerts.fingerprint import key_for
from incident_service.alerts.fold import Arriving, Folding
from incident_service.alerts.incoming import IncomingAlert
from incident_service.alerts.models import Alert, AlertStatus
from incident_service.catalog import priority as priorities
from incident_service.catalog.models import Service
from incident_service.catalog.queries import load_services
from incident_service.catalog.routing import Rule, route
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.observability import metrics


@dataclass(frozen=True, slots=True)
class Payload:
    """The usable alerts of one webhook, and where they go: to `service_id` unless a rule is met.

    `trace` is that of the request, as rows keep it.
    """

    integration_id: UUID
    service_id: UUID
    alerts: tuple[IncomingAlert, ...]
    rules: tuple[Rule, ...] = ()
    trace: str | None = None

    def routed(self) -> list[UUID]:
        """Return the id of the service of each alert."""
        return [route(self.rules, alert.labels, self.service_id) for alert in self.alerts]


@dataclass(slots=True)
class Outcome:
    """What became of one alert. `outcome` is an open set of words."""

    fingerprint: str
    outcome: str = "ignored"
    incident_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One incoming alert with the place of its answer."""

    integration_id: UUID
    service: Service
    alert: IncomingAlert
    answer: Outcome
    trace: str | None = None

    @property
    def identity(self) -> episodes.Identity:
        """Who the alert is: the same fingerprint from two senders is two alerts."""
        return self.integration_id, self.alert.fingerprint


async def ingest(tx: Tx, payloads: Sequence[Payload]) -> list[list[Outcome]]:
    """Store every alert and do what follows from it; one answer an alert, in order.

    Raises:
        Overtaken: another transaction was faster with the same alerts; run it all again.
    """
    answers = [[Outcome(alert.fingerprint) for alert in item.alerts] for item in payloads]
    routed = [payload.routed() for payload in payloads]
    services = await load_services(tx.session, set(chain(*routed)))
    items = [
        Item(payload.integration_id, services[service_id], alert, answer, payload.trace)
        for payload, service_ids, outcomes in zip(payloads, routed, answers, strict=True)
        for alert, service_id, answer in zip(payload.alerts, service_ids, outcomes, strict=True)
    ]
    for round_of_items in in_rounds(items):
        await ingest_round(tx, round_of_items)
    tx.after_commit(partial(count, [item.answer.outcome for item in items]))
    return answers


def count(outcomes: Sequence[str]) -> None:
    """Count alerts by what became of them."""
    for outcome, times in Counter(outcomes).items():
        metrics.ALERTS.labels(outcome).inc(times)


def in_rounds(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Part the items so that no identity appears twice in a round; their order is kept."""
    rest = list(items)
    while rest:
        seen: set[episodes.Identity] = set()
        now: list[Item] = []
        later: list[Item] = []
        for item in rest:
            (later if item.identity in seen else now).append(item)
            seen.add(item.identity)
        yield now
        rest = later


async def ingest_round(tx: Tx, items: Sequence[Item]) -> None:
    """Decide and apply alerts of different identities."""
    stored = await episodes.lock_related(
        tx.session, [(*item.identity, item.alert.starts_at) for item in items]
    )
    folding = Folding(tx, {item.service.id: item.service for item in items})
    batch = Batch(tx, folding)
    for item in items:
        related = stored.get(item.identity) or Stored()
        batch.apply(item, related, decide(item.alert, related, tx.now))
    await batch.write()
    await folding.fold()


def decide(alert: IncomingAlert, stored: Stored, now: datetime) -> EpisodeDecision:
    """Ask what the alert says about its own history."""
    history = stored.history(alert.starts_at)
    if alert.firing:
        return dedup.decide_firing(alert.starts_at, history, now)
    return dedup.decide_resolved(alert.starts_at, alert.ends_at, history, now)


class Batch:
    """Applies decisions to rows: known ones are changed, new ones collected for one insert."""

    def __init__(self, tx: Tx, folding: Folding) -> None:
        self._tx = tx
        self._folding = folding
        self._new: list[dict[str, Any]] = []
        self._superseded: list[tuple[Alert, datetime]] = []
        self._arrivals: list[tuple[dict[str, Any], Item]] = []
        self._late: list[tuple[UUID, Item, Alert | None]] = []

    def apply(self, item: Item, stored: Stored, decision: EpisodeDecision) -> None:
        """Apply one decision."""
        match decision:
            case Begin():
                self._begin(item, stored, decision)
            case Repeat(episode):
                row = self._touch(item, stored.row(episode))
                item.answer.outcome = "repeated"
                self._folding.resent(row, item.answer, trace=item.trace)
            case Hold(episode, until):
                self._touch(item, stored.row(episode)).refire_at = until
                item.answer.outcome = "held"
            case Stale(episode):
                self._touch(item, stored.row(episode))
                item.answer.outcome = "stale"
            case Late(ended_at):
                self._store_late(item, stored, ended_at)
            case End():
                self._end(item, stored, decision)
            case EndAgain():
                self._end_again(item, stored, decision)
            case StoreEnd(starts_at, ends_at, estimated):
                self._store_end(item, starts_at, ends_at, estimated=estimated)
                item.answer.outcome = "ignored"

    def _begin(self, item: Item, stored: Stored, decision: Begin) -> None:
        if decision.supersedes is not None:
            old = stored.row(decision.supersedes)
            self._superseded.append((old, max(decision.starts_at, old.starts_at)))
            self._folding.ended(old, superseded=True, trace=item.trace)
        row = self._row(item, decision.starts_at, estimated=decision.estimated)
        row["incident_id"] = self._folding.foresee(
            row["id"], (row["service_id"], row["incident_fingerprint"])
        )
        self._arrivals.append((row, item))

    def _end(self, item: Item, stored: Stored, decision: End) -> None:
        row = self._touch(item, stored.row(decision.episode))
        end(row, decision.ends_at, self._tx.now)
        item.answer.outcome = "resolved"
        item.answer.incident_id = row.incident_id
        self._folding.ended(row, trace=item.trace)
        self._store_another_end(item, decision)

    def _end_again(self, item: Item, stored: Stored, decision: EndAgain) -> None:
        row = self._touch(item, stored.row(decision.episode))
        row.refire_at = None
        ends_at = dedup.plausible_end(row.starts_at, decision.ends_at, self._tx.now)
        row.ends_at = min(row.ends_at or ends_at, ends_at)
        item.answer.outcome = "repeated"
        self._store_another_end(item, decision)

    def _store_another_end(self, item: Item, decision: End | EndAgain) -> None:
        if decision.also_store and item.alert.starts_at is not None:
            self._store_end(item, item.alert.starts_at, decision.ends_at)

    def _store_late(self, item: Item, stored: Stored, ended_at: datetime) -> None:
        row = self._row(item, item.alert.starts_at or ended_at, ended_at=ended_at)
        row["fired_at"] = self._tx.now
        newest = max(stored.rows, key=lambda other: other.starts_at, default=None)
        item.answer.outcome = "superseded"
        self._late.append((row["id"], item, newest))

    def _store_end(
        self, item: Item, starts_at: datetime, ends_at: datetime, *, estimated: bool = False
    ) -> None:
        ended_at = dedup.plausible_end(starts_at, ends_at, self._tx.now)
        self._row(item, starts_at, ended_at=ended_at, estimated=estimated)

    def _touch(self, item: Item, row: Alert) -> Alert:
        row.received_count += 1
        row.last_received_at = self._tx.now
        if row.stale_at is not None:
            row.stale_at = None
        if item.alert.annotations != row.annotations:
            row.annotations = item.alert.annotations
        item.answer.incident_id = row.incident_id
        return row

    def _row(
        self,
        item: Item,
        starts_at: datetime,
        *,
        ended_at: datetime | None = None,
        estimated: bool = False,
    ) -> dict[str, Any]:
        alert, now = item.alert, self._tx.now
        row = {
            "id": new_id(),
            "incident_id": None,
            "integration_id": item.integration_id,
            "service_id": item.service.id,
            "fingerprint": alert.fingerprint,
            "incident_fingerprint": key_for(
                item.service.grouping,
                item.service.grouping_labels,
                integration_id=item.integration_id,
                alert=alert,
            ),
            "status": AlertStatus.RESOLVED if ended_at else AlertStatus.FIRING,
            "starts_at": starts_at,
            "starts_at_estimated": estimated,
            "ends_at": ended_at,
            "labels": alert.labels,
            "annotations": alert.annotations,
            "title": alert.title,
            "severity": alert.severity,
            "priority": priorities.of_severity(alert.severity, item.service.severity_map),
            "generator_url": alert.generator_url,
            "received_count": 1,
            "first_received_at": now,
            "last_received_at": now,
            "fired_at": None if ended_at else now,
            "resolved_at": now if ended_at else None,
        }
        self._new.append(row)
        return row

    async def write(self) -> None:
        """Write changed and new rows, and hand the new firing ones to the folding."""
        await episodes.supersede(self._tx, self._superseded)
        await episodes.add_episodes(self._tx, self._new)
        for row, ends_at in self._superseded:
            end(row, ends_at, self._tx.now)
        for new, item in self._arrivals:
            self._folding.arrived(Arriving.new(new), item.answer, trace=item.trace)
        for row_id, item, newest in self._late:
            self._folding.came_late(row_id, newest, item.answer)
        await self._tx.flush()


def end(row: Alert, ends_at: datetime, now: datetime) -> None:
    """Mark a firing episode as resolved."""
    row.status = AlertStatus.RESOLVED
    row.ends_at = dedup.plausible_end(row.starts_at, ends_at, now)
    row.resolved_at = now
    row.refire_at = None
    row.stale_at = None
