"""Decide what follows an attempt that failed: another one, the next event, or a pause. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from incident_service.notifications.backoff import growing

LONGEST_DELAY = timedelta(minutes=10)
LONGEST_RETRY_AFTER = timedelta(hours=1)
ATTEMPTS_WHEN_REFUSED = 5
FAILING_AT_MOST = timedelta(hours=24)
FAILURES_AT_LEAST = 10
# They speak of this very body. Any other answer may change with the receiver's configuration.
REFUSALS = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed; `status` is None when no answer came."""

    error: str
    status: int | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Streak:
    """The receiver's failures since its last success, this one counted, and since when."""

    failures: int
    lasted: timedelta


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Try the same event again after `delay`; the incident's later events wait for it."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class PassOver:
    """Leave this event out, so that the incident's later ones get on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing more until somebody enables the subscription again."""

    reason: str


Decision = TryAgain | PassOver | Pause


def after_failure(failure: Failure, streak: Streak, *, attempts: int, jitter: float) -> Decision:
    """Decide after attempt number `attempts` of a delivery.

    410 says that the receiver is gone. One that failed for 24 h, and more than a few times, is as
    good as gone. A body that is refused five times is passed over. All else is tried again, after
    2 s doubled up to 10 min; `jitter`, from 0 to 1, takes up to a quarter off.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    if failure.status == HTTPStatus.GONE:
        return Pause("The receiver answered 410: it does not want any more events.")
    if streak.lasted >= FAILING_AT_MOST and streak.failures >= FAILURES_AT_LEAST:
        return Pause(f"{streak.failures} attempts in a row failed. The last one: {failure.error}")
    if failure.status in REFUSALS and attempts >= ATTEMPTS_WHEN_REFUSED:
        return PassOver()
    asked_for = min(failure.retry_after or timedelta(0), LONGEST_RETRY_AFTER)
    return TryAgain(max(growing(attempts, jitter, LONGEST_DELAY), asked_for))
