"""Decide whether a caller may ask once more now: a bucket of tokens for each. Pure.

Instants are seconds of a clock that never runs backwards, and an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

# Sums of fractions miss a whole token by less than this.
EPSILON = 1e-6


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a second there may be for long, and how many at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many tokens there were at an instant; a request takes one."""

    tokens: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request: `wait_s` is when to try again, `full_in_s` when nothing is owed."""

    bucket: Bucket
    is_allowed: bool
    remaining: int
    wait_s: int
    full_in_s: int


def take(bucket: Bucket, rate: Rate, now_s: float) -> Taken:
    """Take a token if there is one. Nobody gets more than `burst + per_second * t` in a time t."""
    gained = max(0.0, now_s - bucket.at_s) * rate.per_second
    tokens = min(float(rate.burst), bucket.tokens + gained)
    is_allowed = tokens >= 1 - EPSILON
    left = max(0.0, tokens - 1) if is_allowed else tokens
    return Taken(
        Bucket(left, now_s),
        is_allowed,
        remaining=int(left + EPSILON),
        wait_s=0 if is_allowed else max(1, ceil((1 - left) / rate.per_second)),
        full_in_s=ceil((rate.burst - left) / rate.per_second),
    )


class Buckets:
    """The buckets of those who asked last, `most` at most; whoever is forgotten has a full one."""

    def __init__(self, rate: Rate, *, most: int = 10_000) -> None:
        self.rate = rate
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def __contains__(self, caller: str) -> bool:
        """Say whether a caller is remembered."""
        return caller in self._buckets

    def __len__(self) -> int:
        """Count those who are remembered."""
        return len(self._buckets)

    def take(self, caller: str, now_s: float) -> Taken:
        """Take a token of a caller's."""
        full = Bucket(self.rate.burst, now_s)
        taken = take(self._buckets.pop(caller, full), self.rate, now_s)
        self._buckets[caller] = taken.bucket
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return taken

    def forget(self, caller: str) -> None:
        """Forget a caller."""
        self._buckets.pop(caller, None)
