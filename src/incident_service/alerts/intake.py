"""Take webhooks: what arrives while a transaction is at work is stored together by the next one.

Each webhook goes through a queue that looks whether its sender may still send and notes alerts that
fire on; for most webhooks that is all. What is new goes on to a second queue, which folds it into
incidents, and what cannot be stored to a third, which keeps it for a look. So known alerts never
wait for new ones, and each caller is answered after the commits that hold its alerts.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import structlog
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from incident_service.alerts import body, quarantine, repeats
from incident_service.alerts.adapters import PARSERS
from incident_service.alerts.incoming import IncomingAlert, Parsed
from incident_service.alerts.ingest import Outcome, Payload, ingest
from incident_service.alerts.limits import DEFAULT, Limits
from incident_service.alerts.repeats import Noted, Sent
from incident_service.alerts.senders import Sender, Senders, note_heard
from incident_service.catalog.models import IntegrationKind
from incident_service.core.batching import Batches
from incident_service.core.calls import note_integration
from incident_service.core.db import Transactions, Tx
from incident_service.core.errors import Malformed, TooLarge, Unavailable
from incident_service.core.spans import kept_trace
from incident_service.observability import metrics

log = structlog.get_logger()

# One transaction may not hold its locks, nor a statement run, for as long as a sender waits.
ALERTS_AT_ONCE = 1_000
# Of each queue: while PostgreSQL works for one batch, the others are read, decided and answered.
AT_ONCE = 3
PARTS_AT_ONCE = 2
KEPT_AT_ONCE = 50
MOST_WAITING = 20_000
# Reading more than this takes long enough for other requests to notice; a thread does it.
HEAVY_BYTES = 256 * 1024
# These would meet every webhook of the batch again.
DATABASE_GONE = (PoolTimeout, OperationalError, InterfaceError, OSError)


class NothingUsable(Malformed):
    """None of the alerts can be stored."""


class TooManyAlerts(TooLarge):
    """A webhook holds more alerts than are taken at once; set max_alerts in Alertmanager."""


class NotStored(Unavailable):
    """The alerts contradict what is stored; send them again."""


class SenderChanged(Unavailable):
    """The integration is being changed; send it again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook, or a part of a long one, as it was read."""

    sender: Sender
    parsed: Parsed

    @property
    def weight(self) -> int:
        """How much work it is; one without an alert is some, too."""
        return len(self.parsed.alerts) or 1


class Intake:
    """Takes webhooks, for one process."""

    def __init__(
        self,
        transactions: Transactions,
        limits: Limits = DEFAULT,
        *,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._transactions = transactions
        self._limits = limits
        self._senders = Senders(transactions)
        self._noting: Batches[Delivery, list[Outcome | None] | None] = Batches(
            self._note_together,
            most=ALERTS_AT_ONCE,
            at_once=AT_ONCE,
            weigh=lambda delivery: delivery.weight,
            most_waiting=most_waiting,
            hopeless=DATABASE_GONE,
        )
        self._folding: Batches[Payload, list[Outcome]] = Batches(
            self._fold_together,
            most=ALERTS_AT_ONCE,
            at_once=AT_ONCE,
            weigh=lambda payload: len(payload.alerts),
            most_waiting=most_waiting,
            hopeless=DATABASE_GONE,
        )
        self._keeping: Batches[Delivery, None] = Batches(
            self._keep_together, most=KEPT_AT_ONCE, hopeless=DATABASE_GONE
        )

    async def take(
        self,
        key: str | None,
        kind: IntegrationKind,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
    ) -> tuple[Parsed, list[Outcome]]:
        """Find the sender, read the body, store its alerts, and say what became of each.

        A webhook of many alerts is stored part by part. When a part fails, the sender hears so and
        sends all of it again, which repeats what was stored and changes nothing there.

        Raises:
            Unauthenticated, Forbidden: see `Senders.authenticate`.
            Malformed, TooLarge, UnsupportedMedia, TooSlow: see `body.read` and the parsers.
            NothingUsable: there are alerts, and not one can be stored.
            NotStored: a rule of the database was broken. Not the 409 that others get: Alertmanager
                never comes back after one, and a page that is late is better than one that is lost.
            TooManyWaiting: more is coming in than can be stored.
        """
        sender = await self._senders.authenticate(key, kind)
        note_integration(sender.integration_id)
        data = await body.read(chunks, headers, self._limits)
        parsed = await self._understand(data, kind)
        note_incomplete(sender, parsed)
        with metrics.INGEST_SECONDS.time():
            outcomes = await self._store_all(key, sender, parts(parsed))
        if parsed.rejected and not parsed.alerts:
            first = parsed.rejected[0]
            raise NothingUsable(
                f"None of the {len(parsed.rejected)} alerts can be stored. {first.message}"
            )
        return parsed, outcomes

    async def _understand(self, data: bytes, kind: IntegrationKind) -> Parsed:
        if len(data) <= HEAVY_BYTES:
            return understand(data, kind, self._limits)
        return await asyncio.to_thread(understand, data, kind, self._limits)

    async def _store_all(
        self, key: str | None, sender: Sender, pieces: Sequence[Parsed]
    ) -> list[Outcome]:
        """Store the parts of a webhook, some of them at once: others want to get in between."""
        free = asyncio.Semaphore(PARTS_AT_ONCE)

        async def store(part: Parsed) -> list[Outcome]:
            async with free:
                return await self._store(key, sender, part)

        return list(chain.from_iterable(await asyncio.gather(*map(store, pieces))))

    async def _store(self, key: str | None, sender: Sender, part: Parsed) -> list[Outcome]:
        """Store one part."""
        noted = await self._noting.submit(Delivery(sender, part))
        if noted is None:
            self._senders.forget(sender)
            sender = await self._senders.authenticate(key, sender.kind)
            noted = await self._noting.submit(Delivery(sender, part))
            if noted is None:
                raise SenderChanged
        if part.rejected:
            await self._keeping.submit(Delivery(sender, part))
        rest = [alert for alert, done in zip(part.alerts, noted, strict=True) if done is None]
        folded = iter(await self.fold(sender, rest) if rest else ())
        return [done or next(folded) for done in noted]

    async def fold(self, sender: Sender, alerts: Sequence[IncomingAlert]) -> list[Outcome]:
        """Fold alerts into incidents.

        Raises:
            NotStored: a rule of the database was broken.
        """
        payload = Payload(
            sender.integration_id, sender.service_id, tuple(alerts), sender.rules, kept_trace()
        )
        try:
            return await self._folding.submit(payload)
        except IntegrityError as error:
            log.exception("ingest.broke_constraint")
            raise NotStored from error

    async def _note_together(
        self, deliveries: Sequence[Delivery]
    ) -> list[list[Outcome | None] | None]:
        return await note(self._transactions, deliveries)

    async def _keep_together(self, deliveries: Sequence[Delivery]) -> list[None]:
        async def keep(tx: Tx) -> None:
            for each in deliveries:
                await quarantine.keep(tx, each.sender.integration_id, each.parsed.rejected)

        await self._transactions.run(keep)
        return [None] * len(deliveries)

    async def _fold_together(self, payloads: Sequence[Payload]) -> list[list[Outcome]]:
        return await self._transactions.run(lambda tx: ingest(tx, payloads))


def understand(data: bytes, kind: IntegrationKind, limits: Limits) -> Parsed:
    """Turn a body into alerts.

    Raises:
        TooManyAlerts: storing them would take longer than the sender waits.
        Malformed: see the parsers.
    """
    parsed = PARSERS[kind](data, limits)
    if len(parsed.alerts) > limits.alerts:
        raise TooManyAlerts(
            f"A webhook may hold at most {limits.alerts} alerts; set max_alerts in Alertmanager."
        )
    return parsed


def parts(parsed: Parsed) -> list[Parsed]:
    """Part many alerts; what was rejected goes with the first, which is there in any case."""
    alerts = parsed.alerts
    first = Parsed(alerts[:ALERTS_AT_ONCE], parsed.rejected, parsed.truncated)
    starts = range(ALERTS_AT_ONCE, len(alerts), ALERTS_AT_ONCE)
    return [first, *(Parsed(alerts[start : start + ALERTS_AT_ONCE]) for start in starts)]


async def note(
    transactions: Transactions, deliveries: Sequence[Delivery]
) -> list[list[Outcome | None] | None]:
    """Note what is only repeated, and return the outcomes of each delivery: one of each such alert.

    None in the place of a delivery: its sender is outdated, and nothing was done.
    """
    # By the object: what was found by a key is one, until it is looked up again.
    by_sender: dict[int, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        by_sender[id(delivery.sender)].append(delivery)
    senders = [together[0].sender for together in by_sender.values()]
    sent = [
        repeats.gather(chain.from_iterable(each.parsed.alerts for each in together))
        for together in by_sender.values()
    ]
    noted = await repeats.note_repeats(transactions, senders, sent)
    count_repeats(sent, noted)
    heard = {
        sender.integration_id
        for sender, found in zip(senders, noted, strict=True)
        if found.is_current and found.is_heard_anew
    }
    if heard:
        await transactions.run(lambda tx: note_heard(tx, heard))
    found_by_sender = dict(zip(by_sender, noted, strict=True))
    return [answers(delivery, found_by_sender[id(delivery.sender)]) for delivery in deliveries]


def count_repeats(sent: Sequence[Mapping[str, Sent]], noted: Sequence[Noted]) -> None:
    """Count what was repeated, as often as it came."""
    times = sum(
        of_sender[fingerprint].times
        for of_sender, found in zip(sent, noted, strict=True)
        for fingerprint in found.incidents
    )
    if times:
        metrics.ALERTS.labels("repeated").inc(times)


def answers(delivery: Delivery, noted: Noted) -> list[Outcome | None] | None:
    """Return the outcome of each alert that was only repeated; see `note`."""
    if not noted.is_current:
        return None
    found = [
        (each.fingerprint, noted.incidents.get(each.fingerprint)) for each in delivery.parsed.alerts
    ]
    return [
        Outcome(fingerprint, "repeated", incident_id) if incident_id else None
        for fingerprint, incident_id in found
    ]


def note_incomplete(sender: Sender, parsed: Parsed) -> None:
    """Count and log what cannot be stored, and what the sender left out."""
    reasons = Counter(refusal.code for refusal in parsed.rejected)
    for reason, times in reasons.items():
        metrics.ALERTS_REJECTED.labels(reason).inc(times)
    if parsed.rejected or parsed.truncated:
        log.warning(
            "ingest.incomplete",
            integration_id=str(sender.integration_id),
            rejected=dict(reasons),
            truncated=parsed.truncated,
        )
