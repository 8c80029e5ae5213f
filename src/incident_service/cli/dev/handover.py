"""Let another process's worker take the place of the one inside `dev`, and give it back.

`demo` needs this, to kill a real worker. Two file locks in the data directory do it: `wanted`
says that another process wants the place, `seat` is held by whoever has it. The kernel lets go of
the locks of a process that dies, however it dies, so `dev` never stays without a worker.
"""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from incident_service.core.clock import monotonic_s
from incident_service.core.stopping import stops_within

LOOK_EVERY_S = 0.25
SEAT = "worker.seat"
WANTED = "worker.wanted"

Work = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set."""


class Taken(Exception):
    """Somebody else holds the lock."""


@contextmanager
def held(path: Path, mode: int) -> Iterator[None]:
    """Hold a lock: `LOCK_SH` beside others who share it, `LOCK_EX` alone.

    Raises:
        Taken: it cannot be had now.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Taken from error
        yield
    finally:
        os.close(file)


def is_wanted(directory: Path) -> bool:
    """Say whether another process wants the place."""
    try:
        with held(directory / WANTED, fcntl.LOCK_SH):
            return False
    except Taken:
        return True


async def work_unless_wanted(work: Work, directory: Path, stopping: asyncio.Event) -> None:
    """Work until `stopping` is set, except while another process has the place."""
    while not stopping.is_set():
        try:
            if not is_wanted(directory):
                with held(directory / SEAT, fcntl.LOCK_SH):
                    await work_until_wanted(work, directory, stopping)
        except Taken:
            pass  # the other process is still on its way out
        await stops_within(stopping, LOOK_EVERY_S)


async def work_until_wanted(work: Work, directory: Path, stopping: asyncio.Event) -> None:
    """Work until `stopping` is set or another process wants the place."""
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(as_coroutine(work, enough))
        while not is_wanted(directory) and not await stops_within(stopping, LOOK_EVERY_S):
            pass
        enough.set()


async def as_coroutine(work: Work, enough: asyncio.Event) -> None:
    """Await the work, for a task."""
    await work(enough)


@contextmanager
def wanting(directory: Path) -> Iterator[None]:
    """Want the place.

    Raises:
        Taken: another process wants it too.
    """
    with held(directory / WANTED, fcntl.LOCK_EX):
        yield


async def wait_for_seat(directory: Path, patience_s: float) -> None:
    """Wait until every `dev` has left the place to the process that wants it.

    Raises:
        TimeoutError: one did not.
    """
    deadline_s = monotonic_s() + patience_s
    never = asyncio.Event()
    while True:
        try:
            with held(directory / SEAT, fcntl.LOCK_EX):
                return
        except Taken:
            if monotonic_s() > deadline_s:
                raise TimeoutError from None
            await stops_within(never, LOOK_EVERY_S / 2)
