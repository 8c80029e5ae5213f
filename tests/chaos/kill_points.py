"""Points at which a process dies by SIGKILL, put in from outside: nothing of it is in the product.

before_commit   the statements ran, the transaction is open
after_commit    it is committed, and nobody was told so
before_enqueue  its jobs are not in Redis yet
after_enqueue   they are
before_send     a page is claimed, its channel was not called
after_send      the receiver has it, nobody wrote that down
before_answer   all is done but the HTTP answer
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident_service.core.queue import Job, Queue
from incident_service.notifications.channels.contract import Address, ChannelSender
from incident_service.notifications.message import OutgoingPage

# Each work begins with a statement that no other work has: from then on its point is armed.
BEGINNINGS = {
    "ingest": "INSERT INTO alerts",
    "answer under a key": "INSERT INTO idempotency_keys",
    "acknowledge": "UPDATE incidents",
    "resolve": "UPDATE incidents",
    "step": "UPDATE escalation_jobs",
    "claim": "INSERT INTO page_attempts",
    "record": "UPDATE page_attempts",
}


@dataclass
class Doom:
    """What kills the process: at `point` of `work`, once that has begun, at the `times`-th pass."""

    work: str
    point: str
    times: int = 1
    is_armed: bool = False

    def passes(self, point: str) -> None:
        """Say that the process comes by a point."""
        if not self.is_armed or point != self.point:
            return
        self.times -= 1
        if self.times == 0:
            os.write(1, f"dies {point}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, engine: AsyncEngine) -> None:
        """Look for the beginning of the work, and for its commit."""

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def see(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            self.is_armed |= statement.startswith(BEGINNINGS[self.work])

        @event.listens_for(engine.sync_engine, "commit")
        def committing(_connection: Any) -> None:
            self.passes("before_commit")

        @event.listens_for(Session, "after_commit")
        def committed(_session: Any) -> None:
            self.passes("after_commit")


@dataclass(frozen=True)
class MortalQueue:
    """A queue whose caller may die before or after it hands its jobs over."""

    queue: Queue
    doom: Doom

    async def exchange(self, *, add: Sequence[Job], remove: Sequence[str]) -> None:
        if add or remove:
            self.doom.passes("before_enqueue")
        await self.queue.exchange(add=add, remove=remove)
        if add or remove:
            self.doom.passes("after_enqueue")


@dataclass(frozen=True)
class MortalChannel:
    """A channel whose caller may die before or after the receiver has the page."""

    channel: ChannelSender
    doom: Doom

    async def send(self, page: OutgoingPage, to: Address) -> str:
        self.doom.passes("before_send")
        answer = await self.channel.send(page, to)
        self.doom.passes("after_send")
        return answer


@dataclass(frozen=True)
class MortalApp:
    """An API that may die instead of answering."""

    app: ASGIApp
    doom: Doom

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            self.doom.passes("before_answer")
            await send(message)

        await self.app(scope, receive, answer)
