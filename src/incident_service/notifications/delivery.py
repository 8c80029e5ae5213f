"""Deliver pages: claim, send, record. No transaction is open while a channel is at work."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import SystemRandom
from uuid import UUID

import structlog

from incident_service import jobs
from incident_service.core.clock import monotonic_s
from incident_service.core.db import Transactions, Tx
from incident_service.core.due import Resting
from incident_service.core.reconciler import Swept
from incident_service.core.spans import Span, span
from incident_service.core.trace_context import from_kept
from incident_service.notifications import queries, record
from incident_service.notifications.answer_links import AnswerLinks
from incident_service.notifications.channels.contract import Address, ChannelSender, DeliveryFailed
from incident_service.notifications.claim import (
    Claim,
    Claimed,
    Dropped,
    Held,
    NothingDue,
    claim,
)
from incident_service.notifications.discretion import Hide, excerpt, hiding
from incident_service.notifications.message import OutgoingPage, one_line
from incident_service.notifications.notes import code_in
from incident_service.notifications.record import GivenUp, Outcome, nothing_follows
from incident_service.observability import metrics
from incident_service.observability.tracing import Value
from incident_service.teams.models import Channel

log = structlog.get_logger()
DICE = SystemRandom()

LACKING = "The contact method needs a channel that this process lacks."
SEND_S = 10.0
SHOWN_LENGTH = 100
PAGES_A_CALL = 20
# No send starts later than this, so a call takes 15 s and a little at most.
STARTING_S = 5.0

# A provider that hangs takes each of its addresses 10 s: that must leave room for all others.
ADDRESSES_AT_ONCE = 200
JOB_S = 1.0
ADDRESSES_A_SWEEP = 100
SWEEP_S = 2.0
# Work this young is left to the job that the queue is about to run.
GRACE = timedelta(seconds=1)


class Courier:
    """Hands pages to their channels, for the queue's jobs and for the reconciler.

    Without `links` pages go out without the link by which they are answered. `secrets` are what no
    provider's answer may show, beside the page's own.
    """

    def __init__(
        self,
        transactions: Transactions,
        channels: Mapping[Channel, ChannelSender],
        base_url: str,
        *,
        links: AnswerLinks | None = None,
        secrets: Collection[str] = (),
        jitter: Callable[[], float] = DICE.random,
        given_up: GivenUp = nothing_follows,
        sweep_s: float = SWEEP_S,
        job_s: float = JOB_S,
    ) -> None:
        self._transactions = transactions
        self._channels = channels
        self._base_url = base_url
        self._links = links
        self._secrets = secrets
        self._jitter = jitter
        self._given_up = given_up
        self._sweep_s = sweep_s
        self._job_s = job_s
        self._running: dict[UUID, asyncio.Task[int]] = {}
        self._resting: Resting[UUID] = Resting()
        # The addresses that are being served, and whether more was asked for since the last look.
        self._serving: dict[UUID, bool] = {}
        for channel in channels:  # from 0, so that the first failure is an increase
            metrics.PAGES_FAILED.labels(channel.value)

    async def deliver(self, contact_method_id: UUID) -> int:
        """Send what is due for one address; return how many pages were tried.

        Of several calls for one address, one does the work and looks once more before it ends:
        else all of them would wait for the address's lock, each with a connection in its hands.
        """
        if contact_method_id in self._serving:
            self._serving[contact_method_id] = True
            return 0
        self._serving[contact_method_id] = False
        try:
            return await self._serve(contact_method_id)
        finally:
            del self._serving[contact_method_id]

    async def begin(self, contact_method_id: UUID) -> None:
        """Serve an address, for a job; a slow one goes on in the background.

        Jobs have few places: those that wait for a provider that hangs would hold up all others.
        What finds no room stays due, and the next sweep begins it.
        """
        running = self._running.get(contact_method_id)
        if running is not None and contact_method_id in self._serving:
            self._serving[contact_method_id] = True
            return
        if running is not None or len(self._running) < ADDRESSES_AT_ONCE:
            task = running or self._start(contact_method_id)
            await asyncio.wait([task], timeout=self._job_s)

    async def _serve(self, contact_method_id: UUID) -> int:
        """Send what is due, bounded in pages and in time; what is left over gets a job."""
        stop_at_s = monotonic_s() + STARTING_S
        tried = 0
        while tried < PAGES_A_CALL and monotonic_s() < stop_at_s:
            self._serving[contact_method_id] = False
            match await self._claim(contact_method_id):
                case Claimed() as claimed:
                    await self._hand_over(claimed)
                    tried += 1
                case Dropped():
                    continue
                case Held() | NothingDue():
                    if not self._serving[contact_method_id]:
                        return tried
        async with self._transactions.open() as tx:
            tx.enqueue(jobs.deliver(contact_method_id, tx.now))
        return tried

    async def sweep(self) -> Swept:
        """Start what is overdue, for the reconciler; say for how many addresses.

        Waits for a moment only: a slow address goes on in the background, where neither the other
        addresses nor the reconciler's next round wait for it.
        """
        async with self._transactions.open() as tx:
            overdue = await queries.find_overdue_addresses(
                tx.session,
                tx.now,
                grace=GRACE,
                limit=ADDRESSES_A_SWEEP,
                without=self._resting.at(tx.now),
            )
            due_at = await queries.next_delivery(tx.session, tx.now - GRACE)
        free = ADDRESSES_AT_ONCE - len(self._running)
        waiting = [address for address in overdue if address not in self._running]
        started = [self._start(contact_method_id) for contact_method_id in waiting[:free]]
        if started:
            await asyncio.wait(started, timeout=self._sweep_s)
        if started and len(waiting) > free:
            return Swept(len(started), next_in=timedelta(0))
        return Swept(len(started), next_in=due_at + GRACE - tx.now if due_at else None)

    async def aclose(self) -> None:
        """Wait until what `begin` and `sweep` started has come to its end."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(self, contact_method_id: UUID) -> asyncio.Task[int]:
        task = asyncio.create_task(self.deliver(contact_method_id))
        self._running[contact_method_id] = task
        task.add_done_callback(partial(self._ended, contact_method_id))
        return task

    def _ended(self, contact_method_id: UUID, task: asyncio.Task[int]) -> None:
        if self._running.get(contact_method_id) is task:
            del self._running[contact_method_id]
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._resting.worked(contact_method_id)
        else:
            self._resting.failed(contact_method_id, self._transactions.clock())
            log.warning("delivery.broke_off", contact_method_id=contact_method_id, exc_info=error)

    async def _claim(self, contact_method_id: UUID) -> Claim:
        async def work(tx: Tx) -> Claim:
            return await claim(tx, contact_method_id, self._base_url)

        return await self._transactions.run(work)

    async def _hand_over(self, claimed: Claimed) -> None:
        """Send and record, in the page's trace.

        When this process dies in between, the lease runs out.
        """
        with span(
            f"page {claimed.address.kind.value}",
            from_kept(claimed.trace),
            others=filter(None, map(from_kept, claimed.other_traces)),
            attributes=attributes_of(claimed),
        ) as here:
            await self._send_and_record(claimed, here)

    async def _send_and_record(self, claimed: Claimed, here: Span) -> None:
        try:
            try:
                detail = await self._send(claimed)
            except DeliveryFailed as failure:
                here.fail("permanent" if failure.permanent else "temporary")
                raise
            finally:
                here.end()
        except DeliveryFailed as failure:
            outcome = await self._record_failure(claimed, failure)
        else:
            outcome = await self._record_success(claimed, detail)
        channel = claimed.address.kind.value
        metrics.PAGES.labels(channel, outcome.value).inc()
        if outcome is Outcome.FAILED:
            metrics.PAGES_FAILED.labels(channel).inc()

    async def _send(self, claimed: Claimed) -> str:
        """Give the page to its channel; whatever goes wrong is a failed delivery.

        Here, and nowhere else, what a provider says loses the page's secrets.
        """
        page = self._with_link(claimed)
        try:
            detail = await self._give(page, claimed.address)
        except DeliveryFailed as failure:
            raise failure.hiding(self._hide(page, claimed.address)) from failure
        return excerpt(self._hide(page, claimed.address)(one_line(detail)), SHOWN_LENGTH)

    def _hide(self, page: OutgoingPage, to: Address) -> Hide:
        own = (page.answer_url or "", code_in(page.note), to.signing_secret or "")
        return hiding(to.kind, to.address, (*self._secrets, *own))

    async def _give(self, page: OutgoingPage, to: Address) -> str:
        if to.not_usable:
            raise DeliveryFailed(to.not_usable.value, permanent=to.not_usable.is_permanent)
        channel = self._channels.get(to.kind)
        if channel is None:
            raise DeliveryFailed(LACKING, permanent=True)
        try:
            async with asyncio.timeout(SEND_S):
                return await channel.send(page, to)
        except DeliveryFailed:
            raise
        except TimeoutError as error:
            raise DeliveryFailed(f"No answer within {SEND_S:g} s.") from error
        except Exception as error:
            log.exception("delivery.channel_broke", page_id=page.id)
            raise DeliveryFailed(f"The channel broke ({type(error).__name__}).") from error

    def _with_link(self, claimed: Claimed) -> OutgoingPage:
        """Add the link; whoever is nobody in particular cannot answer by one, nor can a note be."""
        if self._links is None or claimed.user_id is None or claimed.page.note:
            return claimed.page
        return replace(claimed.page, answer_url=self._links.url(claimed.page.id))

    async def _record_success(self, claimed: Claimed, detail: str) -> Outcome:
        async def work(tx: Tx) -> Outcome:
            return await record.succeeded(tx, claimed, detail, given_up=self._given_up)

        outcome = await self._transactions.run(work)
        if outcome is Outcome.FAILED:
            log_failure(claimed, outcome, "The provider took it, and reported that it failed.")
        return outcome

    async def _record_failure(self, claimed: Claimed, failure: DeliveryFailed) -> Outcome:
        jitter = self._jitter()

        async def work(tx: Tx) -> Outcome:
            return await record.failed(tx, claimed, failure, jitter=jitter, given_up=self._given_up)

        outcome = await self._transactions.run(work)
        log_failure(claimed, outcome, str(failure))
        return outcome


def attributes_of(claimed: Claimed) -> dict[str, Value]:
    """Return what a span says of a page: ids, and nothing of where it goes."""
    ids = [str(incident.id) for incident in claimed.page.incidents]
    return {
        "incident_service.page_id": str(claimed.page.id),
        "incident_service.channel": claimed.address.kind.value,
        "incident_service.attempt": claimed.attempt,
        "incident_service.incident_ids": ids,
    }


def log_failure(claimed: Claimed, outcome: Outcome, error: str) -> None:
    """Say for operators that an attempt did not get through, and what follows."""
    log.warning(
        "delivery.failed",
        page_id=claimed.page.id,
        channel=claimed.address.kind.value,
        attempt=claimed.attempt,
        outcome=outcome.value,
        error=error,
    )
