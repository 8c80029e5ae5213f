"""Decide which window covers an incident. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from incident_service.catalog.matchers import Matcher, first_that_fails


@dataclass(frozen=True, slots=True)
class Window:
    """A window that runs, for the services that it is about."""

    id: UUID
    matchers: tuple[Matcher, ...]
    over_at: datetime
    reason: str


def covering(windows: Iterable[Window], labels: Mapping[str, str]) -> Window | None:
    """Return the window that covers these labels, the one that ends last; None: none does."""
    found = [window for window in windows if first_that_fails(window.matchers, labels) is None]
    return max(found, key=lambda window: (window.over_at, window.id), default=None)
