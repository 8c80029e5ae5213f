"""Wait for what takes a question over HTTP to see."""

import asyncio
from collections.abc import Awaitable, Callable

from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within


async def eventually(
    is_so: Callable[[], Awaitable[bool]], what: str, *, within_s: float = 25
) -> None:
    """Wait for a condition, looking often; fail with words when it does not come."""
    give_up_at_s = monotonic_s() + within_s
    never = asyncio.Event()
    while not await is_so():
        assert monotonic_s() < give_up_at_s, f"waited {within_s} s for {what}"
        await stops_within(never, 0.05)
