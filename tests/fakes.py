"""Stand-ins that are passed in: a clock that stands still, a queue that remembers."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from incident_service.core.clock import DatabaseClock
from incident_service.core.queue import Job, QueueDown

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


class FrozenClock:
    """Says the same instant until it is told to go on."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> datetime:
        """Go on by `timedelta(**duration)` and return the new instant."""
        self.now += timedelta(**duration)
        return self.now


class MovableClock(DatabaseClock):
    """The clock of a running service, which goes on by itself and can be sent ahead."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return super().__call__() + self.ahead

    def advance(self, **duration: float) -> None:
        """Go on by `timedelta(**duration)` at once."""
        self.ahead += timedelta(**duration)


class RememberingQueue:
    """Keeps what would have been sent. With `down` set it behaves like a Redis that is away."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.removed: list[str] = []
        self.down = False

    async def exchange(self, *, add: Sequence[Job], remove: Sequence[str]) -> None:
        if self.down:
            raise QueueDown("told to be down")
        self.jobs.extend(add)
        self.removed.extend(remove)

    def named(self, name: str) -> list[Job]:
        """Return the jobs of one kind."""
        return [job for job in self.jobs if job.name == name]
