"""The value that every adapter makes of an alert, whatever protocol it came in. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

LONGEST_FINGERPRINT = 255
LONGEST_TITLE = 300
TITLE_ANNOTATIONS = ("summary", "title", "description")


class IncomingAlert(msgspec.Struct, frozen=True):
    """One alert as its sender tells it, with everything in it fit to be stored.

    `fingerprint` is the sender's, or computed from the labels when it gave none. `starts_at` is
    None when the sender gave no usable one; `ends_at` is set for resolved alerts only. A start in
    the future stays as it is: whoever knows the time deals with it. `severity` is the sender's
    word. `received_index` is the alert's place in its payload.
    """

    fingerprint: str
    firing: bool
    starts_at: datetime | None
    ends_at: datetime | None
    labels: dict[str, str]
    annotations: dict[str, str]
    severity: str | None
    generator_url: str
    group_labels: dict[str, str]
    received_index: int

    @property
    def title(self) -> str:
        """What people call it. Worked out when it is asked for: most alerts only repeat."""
        return choose_title(self.labels, self.annotations, self.fingerprint)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An alert that cannot be stored: its place in the payload, and why. `code` is stable.

    `entry` is what the payload has there, as JSON reads it.
    """

    index: int
    code: str
    message: str
    entry: object = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a payload holds. `truncated` alerts were left out by the sender: no more is known."""

    alerts: tuple[IncomingAlert, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    truncated: int = 0


def short_fingerprint(text: str) -> str:
    """Return a sender's fingerprint, or its SHA-256 when it is too long to be indexed."""
    if len(text) <= LONGEST_FINGERPRINT:
        return text
    return hashlib.sha256(text.encode()).hexdigest()


def cut(text: str, longest: int) -> str:
    """Shorten a text to `longest` code points, with … in place of what is left out."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def choose_title(labels: Mapping[str, str], annotations: Mapping[str, str], otherwise: str) -> str:
    """Name an alert for people: its first annotation that says something, or its name."""
    title = ""
    for name in TITLE_ANNOTATIONS:
        title = title or first_line(annotations.get(name, ""))
    title = title or first_line(labels.get("alertname", ""))
    return cut(title or f"Alert {otherwise}", LONGEST_TITLE)


def first_line(text: str) -> str:
    """Return the first line that is not blank, without the space around it."""
    return text.strip().partition("\n")[0].strip()
