"""Deliver events: claim, send, record. No transaction is open while a receiver is at work."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from random import SystemRandom
from uuid import UUID

import structlog

from incident_service.core.clock import monotonic_s
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import Resting
from incident_service.core.outbound import Answer, Outbound, OutboundError
from incident_service.core.reconciler import Swept
from incident_service.core.sealing import SealBroken, is_sealed
from incident_service.core.spans import Span, span
from incident_service.core.trace_context import from_kept
from incident_service.notifications.channels.posting import retry_after_s
from incident_service.notifications.discretion import excerpt, hiding
from incident_service.notifications.message import one_line
from incident_service.observability import metrics
from incident_service.observability.tracing import Value
from incident_service.subscriptions import queries, record, signing
from incident_service.subscriptions.claim import Claimed, claim
from incident_service.subscriptions.lanes import LANES, share
from incident_service.subscriptions.persistence import LONGEST_RETRY_AFTER, Failure
from incident_service.subscriptions.record import Outcome
from incident_service.teams.models import Channel

log = structlog.get_logger()
DICE = SystemRandom()

SEND_S = 10.0
# No attempt starts later than this in a lane; the sweep opens another when there is more to do.
STARTING_S = 5.0
SWEEP_S = 1.0
EXCERPT_LENGTH = 120
ERROR_LENGTH = 300


class Dispatcher:
    """Sends what is due, several events at once, and the events of an incident in order."""

    def __init__(
        self,
        transactions: Transactions,
        outbound: Outbound,
        *,
        jitter: Callable[[], float] = DICE.random,
        send_s: float = SEND_S,
        sweep_s: float = SWEEP_S,
    ) -> None:
        self._transactions = transactions
        self._outbound = outbound
        self._jitter = jitter
        self._send_s = send_s
        self._sweep_s = sweep_s
        self._lanes: dict[asyncio.Task[int], UUID] = {}
        self._resting: Resting[UUID] = Resting()

    async def sweep(self) -> Swept:
        """Open lanes for what is due, and say how many.

        Waits for a moment only: a slow receiver goes on in the background.
        """
        async with self._transactions.open() as tx:
            resting = self._resting.at(tx.now)
            demands = await queries.find_demands(tx.session, tx.now, LANES, without=resting)
        opened = [
            self._open(subscription_id)
            for subscription_id, lanes in share(demands, Counter(self._lanes.values())).items()
            for _ in range(lanes)
        ]
        if opened:
            await asyncio.wait(opened, timeout=self._sweep_s)
        return Swept(len(opened))

    async def aclose(self) -> None:
        """Wait until the lanes have come to their end."""
        await asyncio.gather(*self._lanes, return_exceptions=True)

    def _open(self, subscription_id: UUID) -> asyncio.Task[int]:
        lane = asyncio.create_task(self._work(subscription_id))
        self._lanes[lane] = subscription_id
        lane.add_done_callback(partial(self._ended, subscription_id))
        return lane

    def _ended(self, subscription_id: UUID, lane: asyncio.Task[int]) -> None:
        del self._lanes[lane]
        if lane.cancelled():
            return
        error = lane.exception()
        if error is None:
            self._resting.worked(subscription_id)
        else:
            self._resting.failed(subscription_id, self._transactions.clock())
            log.warning("webhooks.broke_off", subscription_id=subscription_id, exc_info=error)

    async def _work(self, subscription_id: UUID) -> int:
        """Deliver one event after the other, until one fails or nothing is due."""
        stop_at_s = monotonic_s() + STARTING_S
        tried = 0
        while monotonic_s() < stop_at_s:
            claimed = await self._transactions.run(lambda tx: claim(tx, subscription_id))
            if claimed is None:
                return tried
            tried += 1
            if await self._deliver(claimed) is not Outcome.DELIVERED:
                return tried
        return tried

    async def _deliver(self, claimed: Claimed) -> Outcome:
        """Send and record, in the trace of the event.

        When this process dies in between, the lease runs out.
        """
        with span("webhook", from_kept(claimed.trace), attributes=attributes_of(claimed)) as here:
            return await self._send_and_record(claimed, here)

    async def _send_and_record(self, claimed: Claimed, here: Span) -> Outcome:
        sent = await self._send(claimed)
        if isinstance(sent, Failure):
            here.fail(str(sent.status or "no answer"))
        here.end()
        match sent:
            case int() as status:
                outcome = await self._record_success(claimed, status)
            case Failure() as failure:
                outcome = await self._record_failure(claimed, failure)
        metrics.WEBHOOKS.labels(outcome.value).inc()
        return outcome

    async def _send(self, claimed: Claimed) -> int | Failure:
        """Post the event; return the status of an answer of success."""
        if any(map(is_sealed, (claimed.url, *claimed.secrets))):  # it would be signed wrongly
            return Failure(str(SealBroken.__doc__))
        headers = signing.headers(
            claimed.delivery_id, claimed.body, claimed.secrets, claimed.sent_at
        )
        try:
            answer = await self._outbound.post(
                claimed.url,
                content=claimed.body.encode(),
                headers=headers,
                timeout_s=self._send_s,
            )
        except OutboundError as error:
            return Failure(excerpt(str(error), ERROR_LENGTH))
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.status
        return refused(answer, claimed)

    async def _record_success(self, claimed: Claimed, status: int) -> Outcome:
        async def work(tx: Tx) -> Outcome:
            return await record.succeeded(tx, claimed, status)

        return await self._transactions.run(work)

    async def _record_failure(self, claimed: Claimed, failure: Failure) -> Outcome:
        jitter = self._jitter()

        async def work(tx: Tx) -> Outcome:
            return await record.failed(tx, claimed, failure, jitter=jitter)

        outcome = await self._transactions.run(work)
        say = log.error if outcome is Outcome.PAUSED else log.warning
        say(
            "webhooks.paused" if outcome is Outcome.PAUSED else "webhooks.failed",
            subscription_id=claimed.subscription_id,
            delivery_id=claimed.delivery_id,
            attempt=claimed.attempt,
            outcome=outcome.value,
            error=failure.error,
        )
        return outcome


def attributes_of(claimed: Claimed) -> dict[str, Value | None]:
    """Return what a span says of a delivery: ids, and nothing of where it goes."""
    return {
        "incident_service.subscription_id": str(claimed.subscription_id),
        "incident_service.delivery_id": str(claimed.delivery_id),
        "incident_service.attempt": claimed.attempt,
        "incident_service.incident_id": str(claimed.incident_id) if claimed.incident_id else None,
    }


def refused(answer: Answer, claimed: Claimed) -> Failure:
    """Describe an answer that is no success."""
    hide = hiding(Channel.WEBHOOK, claimed.url, claimed.secrets)
    said = excerpt(hide(one_line(answer.body_excerpt)), EXCERPT_LENGTH)
    error = f"The receiver answered {answer.status}" + (f": {said}" if said else ".")
    wish_s = retry_after_s(answer.headers.get("retry-after", ""), claimed.sent_at)
    longest_s = LONGEST_RETRY_AFTER.total_seconds()
    retry_after = None if wish_s is None else timedelta(seconds=min(wish_s, longest_s))
    return Failure(error, answer.status, retry_after)
