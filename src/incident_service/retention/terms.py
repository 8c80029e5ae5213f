"""How long things are kept: the settings, in the domain's words. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


class Days(Protocol):
    """The settings that say it, in days; 0: for ever."""

    auto_close_days: int
    keep_incidents_days: int
    keep_alerts_days: int
    keep_notes_days: int
    keep_audit_days: int


@dataclass(frozen=True, slots=True)
class Terms:
    """After how long each kind goes; None: never.

    `close` counts from when an incident was resolved, `incidents` from when it was closed,
    `alerts` from when one without an incident was last heard of.
    """

    close: timedelta | None = None
    incidents: timedelta | None = None
    alerts: timedelta | None = None
    notes: timedelta | None = None
    audit: timedelta | None = None


def terms_of(settings: Days) -> Terms:
    """Read them from the settings."""
    return Terms(
        after(settings.auto_close_days),
        after(settings.keep_incidents_days),
        after(settings.keep_alerts_days),
        after(settings.keep_notes_days),
        after(settings.keep_audit_days),
    )


def after(days: int) -> timedelta | None:
    """Return a time to keep; 0 is for ever."""
    return timedelta(days=days) if days else None
