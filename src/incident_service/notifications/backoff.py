"""Decide when a page that did not get through is tried again. Pure: no clock, no dice."""

from dataclasses import dataclass
from datetime import timedelta

FIRST_DELAY = timedelta(seconds=2)
LONGEST_DELAY = timedelta(seconds=120)
LONGEST_RETRY_AFTER = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(hours=1)

# Doubling beyond this only overflows: the cap was reached long before.
LAST_DOUBLING = 10


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Try the same page again after `delay`."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again would not help, or no longer."""

    reason: str


Decision = TryAgain | GiveUp


def after_failure(
    *,
    attempts: int,
    age: timedelta,
    jitter: float,
    permanent: bool = False,
    retry_after: timedelta | None = None,
) -> Decision:
    """Decide after the failure of attempt number `attempts` of a page made `age` ago.

    The delay doubles from 2 s to 120 s; `jitter`, from 0 to 1, takes up to a quarter off, so that
    pages that failed together do not come back together. A receiver that asks for more time by
    `retry_after` gets it, up to 10 min.
    """
    if permanent:
        return GiveUp("the failure is permanent")
    delay = max(growing(attempts, jitter), min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))
    if age + delay > GIVE_UP_AFTER:
        return GiveUp(f"it did not get through in {attempts} attempts")
    return TryAgain(delay)


def growing(attempts: int, jitter: float, longest: timedelta = LONGEST_DELAY) -> timedelta:
    """Return the delay after that many attempts."""
    doubled: timedelta = FIRST_DELAY * 2 ** min(attempts - 1, LAST_DOUBLING)
    return min(doubled, longest) * (1 - jitter / 4)
