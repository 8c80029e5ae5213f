"""Decide how urgent an alert is, from the severity text of its sender. Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Priority(StrEnum):
    """How urgent an incident is, most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return RANKS[self]

    def outranks(self, other: "Priority") -> bool:
        """Say whether this one is more urgent."""
        return self.rank < other.rank


RANKS: Mapping[Priority, int] = {priority: rank for rank, priority in enumerate(Priority)}
WORDS: Mapping[Priority, str] = {
    Priority.CRITICAL: "critical page emergency fatal p1",
    Priority.HIGH: "high error p2",
    Priority.MEDIUM: "medium warning warn p3",
    Priority.LOW: "low p4",
    Priority.INFO: "info none debug p5",
}
BY_WORD = {word: priority for priority, words in WORDS.items() for word in words.split()}


def of_severity(severity: str | None, overrides: Mapping[str, str]) -> Priority:
    """Read a severity label, whatever its case; unknown or absent text is medium.

    `overrides` is a service's own map from lower-case text to priority, and wins.
    """
    word = (severity or "").strip().lower()
    if word in overrides:
        return Priority(overrides[word])
    return BY_WORD.get(word, Priority.MEDIUM)


def highest(*priorities: Priority) -> Priority:
    """Return the most urgent."""
    return min(priorities, key=lambda priority: priority.rank)
