"""Decide what a link still offers. Pure: no clock, no database.

Acknowledge stays on offer for as long as the incident is open: whoever was paged may take it.
Resolve and escalate belong to the climb, by its epoch, that the page was about: what its reader
knows is about that one.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from incident_service.incidents.lifecycle import TRANSITIONS, Status, Verb

LIFETIME = timedelta(days=30)
OF_ONE_CLIMB = (Verb.RESOLVE, Verb.ESCALATE)


def offered(status: Status, *, is_same_climb: bool) -> frozenset[Verb]:
    """Return which verbs the link offers for an incident."""
    verbs = (Verb.ACKNOWLEDGE, *(OF_ONE_CLIMB if is_same_climb else ()))
    return frozenset(verb for verb in verbs if status in TRANSITIONS[verb])


def is_expired(paged_at: datetime, statuses: Collection[Status], now: datetime) -> bool:
    """Say whether the link has come to its end: after 30 days, when all its incidents are over."""
    is_needed = any(status.is_active for status in statuses)
    return now - paged_at > LIFETIME and not is_needed
