"""Decide when an address may get its next page. Pure.

A storm is told in few messages: the first at once, then one in 30 s with all that came due
meanwhile. Something more urgent than all of the last minutes' pages does not wait.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident_service.catalog.priority import Priority

SPACING = timedelta(seconds=30)
MEMORY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class EarlierPage:
    """A page that the address got, or is about to get."""

    created_at: datetime
    priority: Priority


def next_page_at(priority: Priority, earlier: Collection[EarlierPage], now: datetime) -> datetime:
    """Return when a page of this priority may be made: `now`, or a later instant."""
    recent = [page for page in earlier if page.created_at > now - MEMORY]
    if all(priority.outranks(page.priority) for page in recent):
        return now
    return max(now, max(page.created_at for page in recent) + SPACING)
