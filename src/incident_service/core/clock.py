"""Where time comes from. Only entry points call a clock; everything else is handed `now`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the current instant, aware and in UTC."""


def utc_now() -> datetime:
    """Return this machine's idea of the current instant."""
    return datetime.now(UTC)  # noqa: TID251 - the one place that may ask


class DatabaseClock:
    """This machine's clock, corrected by its measured offset to PostgreSQL's.

    Several processes on several machines write due times and compare them; following the
    database's clock gives them one idea of "now". Each new connection measures it, so that no
    transaction begins before the offset is known.
    """

    def __init__(self, local: Clock = utc_now) -> None:
        self._local = local
        self.offset = timedelta(0)

    def __call__(self) -> datetime:
        """Return the current instant by the database's clock."""
        return self._local() + self.offset

    def measure(self, asked_at: datetime, database_now: datetime, answered_at: datetime) -> None:
        """Take over the offset shown by one question to the database.

        Both instants of this machine are `local` readings, without the offset. The answer is from
        somewhere between them: an offset that fits is kept, so that time does not jump about with
        the length of the round trips; one that does not becomes the middle of what would fit.
        """
        least, most = database_now - answered_at, database_now - asked_at
        if not least <= self.offset <= most:
            self.offset = (least + most) / 2

    def local_now(self) -> datetime:
        """Return this machine's uncorrected instant, for `measure`."""
        return self._local()


def monotonic_s() -> float:
    """Return seconds that never run backwards, for durations and breakers."""
    return time.monotonic()
