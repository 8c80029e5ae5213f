"""What a check finds, and what every check is given. Pure."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from incident_service.core.runtime import Runtime
from incident_service.settings import Settings

MOST_NAMED = 5


class Level(StrEnum):
    """How bad it is: a warning is a risk, a problem keeps pages from people."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it unless all is well."""

    level: Level
    text: str
    what_to_do: str = ""

    def __str__(self) -> str:
        """Return it on one line."""
        todo = f" → {self.what_to_do}" if self.what_to_do else ""
        return f"{self.level:<8} {self.text}{todo}"


@dataclass(frozen=True, slots=True)
class Patient:
    """The installation that is examined."""

    settings: Settings
    runtime: Runtime


Check = Callable[[Patient], Awaitable[Finding]]


def ok(text: str) -> Finding:
    """Say that all is well."""
    return Finding(Level.OK, text)


def warning(text: str, what_to_do: str) -> Finding:
    """Name a risk."""
    return Finding(Level.WARNING, text, what_to_do)


def problem(text: str, what_to_do: str) -> Finding:
    """Name something that keeps pages from people."""
    return Finding(Level.PROBLEM, text, what_to_do)


def named(names: Sequence[str]) -> str:
    """Return the first few names."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
