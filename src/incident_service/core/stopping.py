"""Wait for a while, unless the process is asked to stop first."""

import asyncio


async def stops_within(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait up to `seconds`; say whether `stopping` was set meanwhile."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return False
    return True
