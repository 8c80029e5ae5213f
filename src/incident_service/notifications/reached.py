"""Decide whether a level has reached nobody: no channel took its page. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident_service.notifications.models import NotificationStatus

PATIENCE = timedelta(minutes=2)
"""How long the channels may try before the next level runs; they go on trying meanwhile."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """How one notification of a level stands, and since when it is tried; None: not yet."""

    status: NotificationStatus
    tried_since: datetime | None


def reached_nobody(level: Collection[Attempted], now: datetime) -> bool:
    """Say whether the level counts as empty.

    All its addresses have failed for good, or one has been tried for two minutes, and not one has
    taken the page. What was not tried yet is still to come: it may be put off by a person's own
    rules, wait behind other pages in a storm, or for a worker that has just come back.
    """
    if any(each.status is NotificationStatus.SENT for each in level):
        return False
    counted = [each for each in level if each.status is not NotificationStatus.CANCELLED]
    if not counted:
        return False
    for_good = all(each.status is NotificationStatus.FAILED for each in counted)
    return for_good or any(
        each.tried_since is not None and each.tried_since <= now - PATIENCE for each in counted
    )
