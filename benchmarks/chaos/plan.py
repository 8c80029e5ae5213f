"""Decide when which fault happens. Pure: the same seed is the same plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

PLACES = ("api-1", "api-2", "worker-1", "worker-2")


class Kind(StrEnum):
    """What can go wrong."""

    API_KILLED = "API killed (SIGKILL)"
    WORKER_KILLED = "worker killed (SIGKILL)"
    PROCESS_STOPPED = "API or worker stopped for 20 s (SIGSTOP)"
    REDIS_KILLED = "Valkey killed (SIGKILL)"
    REDIS_FLUSHED = "Valkey flushed"
    REDIS_OLD = "Valkey restarted from an old dump"
    REDIS_CUT = "connections to Valkey cut"
    POSTGRES_RESTARTED = "PostgreSQL restarted (immediate)"
    POSTGRES_CUT = "connections to PostgreSQL cut"
    RECEIVER_REFUSES = "receiver answers 503 ten times"


@dataclass(frozen=True, slots=True)
class Fault:
    """One of them: `at_s` seconds after the start, at a place where there are several."""

    at_s: float
    kind: Kind
    place: str


def plan(seed: int, seconds: float, every_s: float) -> list[Fault]:
    """Spread faults over a time, about one in `every_s` seconds, each kind as often as others."""
    dice = Random(f"{seed}/faults")
    faults: list[Fault] = []
    at_s = every_s
    for kind in kinds(dice):
        if at_s >= seconds:
            return faults
        faults.append(Fault(at_s, kind, dice.choice(places_of(kind))))
        at_s += every_s * dice.uniform(0.5, 1.5)
    raise AssertionError


def kinds(dice: Random) -> Iterator[Kind]:
    """Deal all kinds in a random order, again and again."""
    while True:
        deck = list(Kind)
        dice.shuffle(deck)
        yield from deck


def places_of(kind: Kind) -> tuple[str, ...]:
    """Return where a fault can happen."""
    match kind:
        case Kind.API_KILLED:
            return tuple(place for place in PLACES if place.startswith("api"))
        case Kind.WORKER_KILLED:
            return tuple(place for place in PLACES if place.startswith("worker"))
        case Kind.PROCESS_STOPPED:
            return PLACES
        case _:
            return (kind.value.split()[0],)
