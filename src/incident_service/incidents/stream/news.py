"""What all streams of a process share: one look for news, and how many there may be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from incident_service.core.db import DATABASE_AWAY, Transactions, Tx
from incident_service.core.errors import Unavailable
from incident_service.core.stopping import stops_within
from incident_service.incidents.stream import progress, reading
from incident_service.incidents.stream.progress import Progress
from incident_service.incidents.stream.reading import Page
from incident_service.observability import metrics

log = structlog.get_logger()
Result = TypeVar("Result")
# So many connections of the pool, and so much of the event loop, streams take at most.
READS_AT_ONCE = 2
LONGEST_TRANSACTIONS = 5


class TooManyStreams(Unavailable):
    """This process serves as many streams as it may; try again, or read the lists."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds.

    `patience_s` is how long a reader may take nothing before it is dropped, `farewell_s` how long
    when the process stops.
    """

    look_s: float = 0.5
    heartbeat_s: float = 15.0
    patience_s: float = 30.0
    farewell_s: float = 2.0


class Streams:
    """The open streams of a process, and the one look for news that they share.

    While there is none, nothing is asked.
    """

    def __init__(self, transactions: Transactions, most: int, pace: Pace | None = None) -> None:
        self.pace = pace or Pace()
        self.settled_after = max(
            reading.SETTLED_AFTER, timedelta(seconds=LONGEST_TRANSACTIONS * transactions.longest_s)
        )
        self.stopping = asyncio.Event()
        self.is_blind = False
        self._has_missed = False
        self._transactions = transactions
        self._most = most
        self._open = 0
        self._news = asyncio.Event()
        self._turns = asyncio.Semaphore(READS_AT_ONCE)
        self._pages: dict[Progress, asyncio.Task[Page | None]] = {}
        self._reading: set[asyncio.Task[Page | None]] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def news(self) -> asyncio.Event:
        """What is set when there is more than there was when it was asked for."""
        return self._news

    @property
    def is_looking(self) -> bool:
        """Say whether somebody asks the database for news."""
        return self._looking is not None

    def stop(self) -> None:
        """Have all streams end."""
        self.stopping.set()
        self._tell()

    async def stop_with(self, stopping: asyncio.Event) -> None:
        """End all streams when the process is asked to stop."""
        await stopping.wait()
        self.stop()

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[None]:
        """Be one of the streams.

        Raises:
            TooManyStreams: there are enough.
        """
        if self._open >= self._most:
            raise TooManyStreams
        self._open += 1
        metrics.STREAMS.inc()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._open -= 1
            metrics.STREAMS.dec()
            if not self._open:
                looking, self._looking = self._looking, None
                self._pages.clear()
                tasks = [looking, *self._reading]
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, work: Callable[[Tx], Awaitable[Result]]) -> Result | None:
        """Read in a transaction, when it is one's turn; None: that is not possible now."""
        if self.is_blind:
            return None
        try:
            async with asyncio.timeout(self.pace.heartbeat_s), self._turns:
                return await self._transactions.run(work)
        except DATABASE_AWAY as error:
            log.info("stream.not_read", error=repr(error))
            self._has_missed = True
            return None

    async def read_page(self, reached: Progress) -> Page | None:
        """Read what lies next behind a place, once for all streams that are there."""
        reads = self._pages.get(reached)
        if reads is None:
            reads = asyncio.create_task(
                self.read(lambda tx: reading.read_page(tx, reached, self.settled_after))
            )
            self._pages[reached] = reads
            self._reading.add(reads)
            reads.add_done_callback(self._reading.discard)
        return await asyncio.shield(reads)

    async def _look(self) -> None:
        reached: Progress | None = None
        while not self.stopping.is_set():
            try:
                async with asyncio.timeout(self.pace.heartbeat_s):
                    reached = await self._look_on(reached)
            except DATABASE_AWAY as error:
                if not self.is_blind:
                    log.warning("stream.blind", error=repr(error))
                self.is_blind, reached = True, None
            await stops_within(self.stopping, self.pace.look_s)
            self._pages.clear()  # what was settled meanwhile is so in new ones only

    async def _look_on(self, reached: Progress | None) -> Progress:
        """Look from there on, or begin anew: then nobody knows what came before, so all read."""
        if reached is None:
            begun = await self._transactions.run(
                partial(reading.begin, settled_after=self.settled_after)
            )
            self.is_blind = False
            self._tell()
            return begun
        window = await self._transactions.run(
            lambda tx: reading.find_window(tx, reached, self.settled_after)
        )
        if progress.unseen(reached, window) or self._has_missed:
            self._has_missed = False
            self._tell()
        _, after = progress.go_on(reached, window, ())
        return after

    def _tell(self) -> None:
        self._pages.clear()  # those were read before
        told, self._news = self._news, asyncio.Event()
        told.set()
