"""Wait for something to come true, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within

Seen = TypeVar("Seen")
LOOK_EVERY_S = 0.3


async def pause(seconds: float) -> None:
    """Let time pass; a story needs some."""
    await stops_within(asyncio.Event(), seconds)


async def eventually(look: Callable[[], Awaitable[Seen | None]], *, within_s: float) -> Seen | None:
    """Look again and again; return what is seen at last, or None when time is over."""
    deadline_s = monotonic_s() + within_s
    while (seen := await look()) is None and monotonic_s() < deadline_s:
        await pause(LOOK_EVERY_S)
    return seen
