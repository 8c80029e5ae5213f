"""A small world to tell stories in: a team, its policy, a service, and time that is ours."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from tests import factories
from tests.fakes import FrozenClock

from incident_service.alerts import fingerprint, refire
from incident_service.alerts.incoming import IncomingAlert
from incident_service.alerts.ingest import Outcome, Payload, ingest
from incident_service.alerts.models import Alert
from incident_service.catalog.models import Integration, Service
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.escalation.jobs import overdue_timers
from incident_service.escalation.models import EscalationJob
from incident_service.incidents.models import Incident, IncidentEvent
from incident_service.notifications.models import Notification, NotificationKind, NotificationStatus
from incident_service.policies.models import EscalationPolicy
from incident_service.response import actions
from incident_service.response.actions import Done, Order
from incident_service.response.maintaining import unsettled_windows
from incident_service.teams.auth import Principal
from incident_service.teams.models import Role, Scope, Team, User

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NOWHERE = "https://pager.example/{}"


class Stage:
    """Two people on call, a manager, one service; level timeouts of 5 minutes.

    Each person has a webhook at `address(name)`.
    """

    team: Team
    first: User
    second: User
    manager: User
    policy: EscalationPolicy
    service: Service
    integration: Integration
    key: str

    def __init__(
        self,
        transactions: Transactions,
        clock: FrozenClock,
        *,
        address: Callable[[str], str] = NOWHERE.format,
        bundle: bool = True,
    ) -> None:
        self.transactions = transactions
        self.clock = clock
        self.address = address
        self.bundle = bundle
        self.principal = Principal(new_id(), "test key", frozenset(Scope))
        self.began_at: dict[str, datetime] = {}

    async def set_up(
        self, *, policy: dict[str, Any] | None = None, service: dict[str, Any] | None = None
    ) -> "Stage":
        async with self.transactions.open() as tx:
            self.team = await factories.make_team(tx, name="Payments")
            self.first = await self._make_user(tx, "First")
            self.second = await self._make_user(tx, "Second")
            self.manager = await self._make_user(tx, "Manager", role=Role.MANAGER)
            self.policy = await factories.make_policy(
                tx, self.team, [self.first, self.second], **(policy or {})
            )
            self.service = await factories.make_service(
                tx,
                self.team,
                **{"escalation_policy_id": self.policy.id} | (service or {}),
            )
            self.integration, self.key = await factories.make_integration(tx, self.service)
        return self

    async def cast(self) -> dict[str, Any]:
        """Set the usual cast up and return it."""
        await self.set_up()
        return {name: getattr(self, name) for name in Stage.__annotations__}

    def go_on_with(self, cast: dict[str, Any]) -> "Stage":
        """Take a cast that is there already."""
        vars(self).update(cast)
        return self

    async def _make_user(self, tx: Tx, name: str, **changes: Any) -> User:
        address = self.address(name)
        return await factories.make_user(
            tx, team=self.team, name=name, address=address, bundle=self.bundle, **changes
        )

    # --- what senders do

    def alert(self, name: str, *, firing: bool = True, **changes: Any) -> IncomingAlert:
        """One alert; its start is remembered, so that a re-send repeats it."""
        labels = {"alertname": name, "severity": changes.pop("severity", "critical")}
        labels |= changes.pop("labels", {})
        starts_at = changes.pop("starts_at", None) or self.began_at.setdefault(name, self.clock())
        self.began_at[name] = starts_at
        values: dict[str, Any] = {
            "fingerprint": fingerprint.of_labels({"alertname": name}),
            "firing": firing,
            "starts_at": starts_at,
            "ends_at": None if firing else self.clock(),
            "labels": labels,
            "annotations": {"summary": f"{name} is on fire"},
            "severity": labels["severity"],
            "generator_url": "",
            "group_labels": {},
            "received_index": 0,
        }
        return IncomingAlert(**values | changes)

    async def send(self, *alerts: IncomingAlert) -> list[Outcome]:
        """Deliver one webhook."""
        payload = Payload(self.integration.id, self.service.id, tuple(alerts))
        return (await self.transactions.run(lambda tx: ingest(tx, [payload])))[0]

    async def fire(self, *names: str, **changes: Any) -> list[str]:
        """Fire alerts, again or for the first time; return the outcomes."""
        sent = await self.send(*(self.alert(name, **dict(changes)) for name in names))
        return [outcome.outcome for outcome in sent]

    async def clear(self, *names: str, **changes: Any) -> list[str]:
        """Resolve alerts; return the outcomes."""
        sent = await self.send(*(self.alert(name, firing=False, **changes) for name in names))
        return [outcome.outcome for outcome in sent]

    async def refire(self, *names: str, **changes: Any) -> list[str]:
        """Fire alerts that start now: new episodes."""
        return await self.fire(*names, starts_at=self.clock(), **changes)

    # --- what people do

    async def do(
        self, verb: str, incident: Incident, *, by: User | None = None, **arguments: Any
    ) -> Done:
        order = Order(incident.id, self.principal, by.id if by else None)
        action = getattr(actions, verb)
        done: Done = await self.transactions.run(lambda tx: action(tx, order, **arguments))
        return done

    async def mark_sent(self) -> None:
        """Let every page reach its people."""
        async with self.transactions.open() as tx:
            await tx.session.execute(
                update(Notification)
                .where(Notification.status == NotificationStatus.PENDING)
                .values(status=NotificationStatus.SENT)
            )

    # --- what time does

    async def wait(self, minutes: float) -> None:
        """Let time pass with the reconciler at work: from one due time to the next."""
        end = self.clock.now + timedelta(minutes=minutes)
        while self.clock.now < end:
            next_in = await self.reconcile()
            self.clock.now = end if next_in > end - self.clock.now else self.clock.now + next_in
        await self.reconcile()

    async def reconcile(self) -> timedelta:
        """Do what is due at this instant, as the reconciler does a second later.

        Returns how soon there is more to do.
        """
        timers = await overdue_timers(self.transactions, grace=timedelta(0)).sweep()
        held = await refire.held_alerts(self.transactions).sweep()
        windows = await unsettled_windows(self.transactions).sweep()
        return min(
            timedelta.max if swept.next_in is None else swept.next_in
            for swept in (timers, held, windows)
        )

    # --- what can be seen

    async def rows(self, statement: Any) -> list[Any]:
        async with self.transactions.open() as tx:
            return list((await tx.session.scalars(statement)).all())

    async def incidents(self) -> list[Incident]:
        return await self.rows(select(Incident).order_by(Incident.number))

    async def incident(self) -> Incident:
        """The only incident there is."""
        (incident,) = await self.incidents()
        return incident

    async def alerts(self) -> list[Alert]:
        return await self.rows(select(Alert).order_by(Alert.first_received_at, Alert.starts_at))

    async def events(self, incident: Incident) -> list[IncidentEvent]:
        return await self.rows(
            select(IncidentEvent)
            .where(IncidentEvent.incident_id == incident.id)
            .order_by(IncidentEvent.sequence)
        )

    async def kinds(self, incident: Incident) -> list[str]:
        """The kinds of the incident's events, in order."""
        return [event.kind for event in await self.events(incident)]

    async def jobs(self, incident: Incident) -> list[EscalationJob]:
        return await self.rows(
            select(EscalationJob)
            .where(EscalationJob.incident_id == incident.id)
            .order_by(EscalationJob.id)
        )

    async def pending(self, incident: Incident) -> EscalationJob:
        """The one timer that the incident waits for."""
        (row,) = [row for row in await self.jobs(incident) if is_pending(row)]
        return row

    async def is_waiting(self, incident: Incident) -> bool:
        return any(map(is_pending, await self.jobs(incident)))

    async def notifications(self, incident: Incident) -> list[Notification]:
        return await self.rows(
            select(Notification)
            .where(Notification.incident_id == incident.id)
            .order_by(Notification.id)
        )

    async def told(self, incident: Incident) -> list[str]:
        """The names of who was paged, or told of more alerts, in order; a fallback has none.

        News of answers are left out.
        """
        people = {person.id: person.name for person in (self.first, self.second, self.manager)}
        notifications = await self.notifications(incident)
        rows = [row for row in notifications if not is_news(row)]
        return [people.get(row.user_id, "fallback") if row.user_id else "fallback" for row in rows]

    async def violations(self) -> list[str]:
        """What breaks promise P3 in the database right now; empty when all is well."""
        async with self.transactions.open() as tx:
            return await broken_timers(tx)


def is_news(row: Notification) -> bool:
    """Somebody was told that somebody else has answered."""
    is_update = row.kind is NotificationKind.UPDATE
    return is_update and row.reason.startswith(("acknowledged by", "resolved by", "handed to"))


def is_pending(row: EscalationJob) -> bool:
    return not row.completed and row.cancelled_at is None


async def broken_timers(tx: Tx) -> list[str]:
    """Every OPEN incident that is not quiet has exactly one pending timer; nobody else has one.

    An acknowledged one may have its acknowledge timeout.
    """
    rows = await tx.session.execute(
        text("""
            SELECT i.number, i.status, i.is_quiet, count(j.id) AS pending,
                   min(j.kind) AS kind, max(j.epoch) AS epoch, i.escalation_epoch
            FROM incidents i
            LEFT JOIN escalation_jobs j
              ON j.incident_id = i.id AND NOT j.completed AND j.cancelled_at IS NULL
            GROUP BY i.id
        """)
    )
    broken = []
    for row in rows:
        climbs = row.status == "OPEN" and not row.is_quiet
        may_wait = row.status == "ACKNOWLEDGED" and row.kind == "ack_timeout"
        right = row.pending == 1 if climbs else row.pending == 0 or may_wait
        if not right or (row.pending and row.epoch != row.escalation_epoch):
            broken.append(str(row))
    return broken


def statuses(incidents: Sequence[Incident] | Collection[Incident]) -> list[str]:
    return [incident.status.value for incident in incidents]


def ids(incidents: Sequence[Incident]) -> set[UUID]:
    return {incident.id for incident in incidents}
