"""Read what Alertmanager itself sends: typed, small, without anything to repair. Pure.

Whatever is not so is not read here at all: `alertmanager.parse` is the rule, and this is its
shortcut. Both read the same from what both read.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from incident_service.alerts.adapters import instants
from incident_service.alerts.adapters.bounds import (
    LONGEST_ANNOTATION,
    LONGEST_URL,
    MOST_TRUNCATED,
)
from incident_service.alerts.incoming import (
    LONGEST_FINGERPRINT,
    IncomingAlert,
    Parsed,
)
from incident_service.alerts.limits import Limits
from incident_service.catalog.labels import LONGEST_LABEL, LONGEST_NAME

ESCAPED_NUL = b"\\u0000"
# Everything that a body may hold and a decoder refuses, nested too deeply included.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def texts_of(longest: int, limits: Limits) -> Any:  # noqa: ANN401 - a type
    """Return the type of texts of which nothing has to be left out or shortened."""
    name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
    text = Annotated[str, Meta(max_length=longest)]
    return Annotated[dict[name, text], Meta(max_length=limits.labels)]


@cache
def decoder(limits: Limits) -> Callable[[bytes], Any]:
    """Make what reads webhooks as Alertmanager writes them; other fields are passed over."""
    labels = texts_of(LONGEST_LABEL, limits)
    sent_alert = msgspec.defstruct(
        "SentAlert",
        [
            ("status", Literal["firing", "resolved"]),
            ("labels", labels),
            ("annotations", texts_of(LONGEST_ANNOTATION, limits)),
            ("startsAt", str),
            ("endsAt", str),
            ("fingerprint", Annotated[str, Meta(max_length=LONGEST_FINGERPRINT)]),
            ("generatorURL", Annotated[str, Meta(max_length=LONGEST_URL)], ""),
        ],
        gc=False,
    )
    sent_webhook = msgspec.defstruct(
        "SentWebhook",
        [
            ("alerts", list[sent_alert]),  # type: ignore[valid-type]
            ("groupLabels", labels),
            ("truncatedAlerts", Annotated[int, Meta(ge=0, le=MOST_TRUNCATED)], 0),
        ],
        gc=False,
    )
    return msgspec.json.Decoder(sent_webhook).decode


def read(data: bytes, limits: Limits) -> Parsed | None:
    """Read a webhook; None when it has to be read the long way."""
    if ESCAPED_NUL in data:
        return None
    try:
        webhook = decoder(limits)(data)
    except UNREADABLE:
        return None
    if not all(sent.fingerprint.strip() for sent in webhook.alerts):
        return None
    alerts = tuple(
        [read_alert(sent, index, webhook.groupLabels) for index, sent in enumerate(webhook.alerts)]
    )
    return Parsed(alerts, (), webhook.truncatedAlerts)


def read_alert(sent: Any, index: int, group_labels: dict[str, str]) -> IncomingAlert:  # noqa: ANN401
    """Read an alert."""
    firing = sent.status == "firing"
    labels, annotations, fingerprint = sent.labels, sent.annotations, sent.fingerprint
    return IncomingAlert(
        fingerprint=fingerprint,
        firing=firing,
        starts_at=instants.read_text(sent.startsAt),
        ends_at=None if firing else instants.read_text(sent.endsAt),
        labels=labels,
        annotations=annotations,
        severity=labels.get("severity"),
        generator_url=sent.generatorURL,
        group_labels=group_labels,
        received_index=index,
    )
