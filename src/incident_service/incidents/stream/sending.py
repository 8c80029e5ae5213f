"""Send a stream: what is new, as fast as its reader takes it, until one of both has enough."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

import structlog
from fastapi import Response
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from incident_service.core.clock import monotonic_s
from incident_service.core.db import Tx
from incident_service.core.stopping import stops_within
from incident_service.incidents.stream import framing, reading
from incident_service.incidents.stream.cursor import Cursor, Place, encode
from incident_service.incidents.stream.news import Streams, TooManyStreams
from incident_service.incidents.stream.progress import Progress
from incident_service.incidents.stream.reading import Wanted
from incident_service.observability import metrics
from incident_service.web.hanging_up import hang_up
from incident_service.web.middleware.methods import ONLY_HEAD
from incident_service.web.problems import render_error

log = structlog.get_logger()
RETRY_MS = 2_000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
# What the loop of events needs to hear of a connection that was aborted.
ABORTED_WITHIN_S = 1.0


class Ending(StrEnum):
    """Why a stream ended."""

    GONE = "reader_gone"
    SLOW = "reader_slow"
    KEY = "key_not_valid"
    STOPPING = "stopping"


class KeyNoLongerValid(Exception):
    """The key was revoked or has expired, or may no longer read."""


FindWanted = Callable[[Tx], Awaitable[Wanted]]
"""Says what the key may hear of what is asked for. Raises `KeyNoLongerValid`."""


class ChangeStream(Response):
    """An answer that goes on as long as its reader, the key and the process do.

    `notice` is sent before all else. No connection to the database is held between two steps, and
    no more than one step is kept in memory.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        streams: Streams,
        start: Cursor,
        reached: Progress,
        find_wanted: FindWanted,
        notice: bytes,
    ) -> None:
        super().__init__(headers=HEADERS | {"Content-Type": self.media_type})
        del self.headers["content-length"]
        self._streams = streams
        self._reached = reached
        self._find_wanted = find_wanted
        self._wanted: Wanted | None = None
        self._ask_again_at_s = 0.0
        self._at = start.at
        self._notice = notice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        if scope.get(ONLY_HEAD):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        try:
            async with self._streams.joined():
                ending = await self._run(scope, receive, send)
        except TooManyStreams as error:
            request = Request(scope)
            answer = await render_error(request.app, request, error)
            await answer(scope, receive, send)
            return
        metrics.STREAMS_ENDED.labels(ending.value).inc()
        log.info("stream.ended", reason=ending.value)

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> Ending:
        telling = asyncio.create_task(self._tell(send))
        gone = asyncio.create_task(until_gone(receive))
        late = asyncio.create_task(self._until_late())
        try:
            await asyncio.wait({telling, gone, late}, return_when=asyncio.FIRST_COMPLETED)
            ending = telling.result() if telling.done() else Ending.GONE
            if late.done() and not telling.done():
                ending = Ending.STOPPING
            if not gone.done() and (ending is Ending.SLOW or not telling.done()):
                hang_up(scope)
                await asyncio.wait({gone}, timeout=ABORTED_WITHIN_S)
            return ending
        finally:
            for task in (telling, gone, late):
                task.cancel()
            await asyncio.gather(telling, gone, late, return_exceptions=True)

    async def _tell(self, send: Send) -> Ending:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            opening = framing.opening(self._id(self._reached.behind), RETRY_MS)
            await self._put(send, opening + self._notice)
            ending = await self._follow(send)
            words = "the key is not valid" if ending is Ending.KEY else "come back"
            await self._put(send, framing.comment(words))
        except TimeoutError:
            return Ending.SLOW
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return ending

    async def _follow(self, send: Send) -> Ending:
        pace, beat_at_s = self._streams.pace, monotonic_s() + self._streams.pace.heartbeat_s
        while not self._streams.stopping.is_set():
            news = self._streams.news
            try:
                is_more, is_told = await self._take_step(send)
            except KeyNoLongerValid:
                return Ending.KEY
            if is_told:
                beat_at_s = monotonic_s() + pace.heartbeat_s
            if not is_more:
                await stops_within(news, max(0.0, beat_at_s - monotonic_s()))
            if monotonic_s() >= beat_at_s:
                await self._put(send, framing.heartbeat(self._id(self._reached.behind)))
                beat_at_s = monotonic_s() + pace.heartbeat_s
        return Ending.STOPPING

    async def _take_step(self, send: Send) -> tuple[bool, bool]:
        """Read and send the next events; say whether there may be more, and whether any went."""
        await self._look_at_key()
        page = await self._streams.read_page(self._reached) if self._wanted else None
        if page is None or self._wanted is None:
            return False, False
        self._at, step = page.at, reading.step(self._reached, page, self._wanted)
        for change, resume in step.changes:
            chunk = framing.event(self._id(resume), change.event.kind, change.text)
            await self._put(send, chunk)
        self._reached = step.progress
        return step.is_more, bool(step.changes)

    async def _look_at_key(self) -> None:
        """Ask again, as often as a heartbeat is due, what the key may hear.

        While that cannot be found out nothing is told.
        """
        if monotonic_s() >= self._ask_again_at_s:
            self._wanted = await self._streams.read(self._find_wanted)
            if self._wanted is not None:
                self._ask_again_at_s = monotonic_s() + self._streams.pace.heartbeat_s

    async def _put(self, send: Send, chunk: bytes) -> None:
        """Send a part.

        Raises:
            TimeoutError: the reader takes nothing.
        """
        async with asyncio.timeout(self._streams.pace.patience_s):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _until_late(self) -> None:
        """Wait for the end of what a stream is given when the process stops."""
        await self._streams.stopping.wait()
        await stops_within(asyncio.Event(), self._streams.pace.farewell_s)

    def _id(self, place: Place) -> str:
        return encode(Cursor(place, self._at))


async def until_gone(receive: Receive) -> None:
    """Wait until the reader has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
