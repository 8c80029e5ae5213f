"""Read the webhook of Prometheus Alertmanager, of any version. Pure.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident_service.alerts import fingerprint, lenient_json
from incident_service.alerts.adapters import instants, strict, texts
from incident_service.alerts.adapters.bounds import (
    LONGEST_ANNOTATION,
    LONGEST_URL,
    MOST_TRUNCATED,
)
from incident_service.alerts.incoming import (
    IncomingAlert,
    Parsed,
    Rejected,
    cut,
    short_fingerprint,
)
from incident_service.alerts.limits import DEFAULT, Limits
from incident_service.catalog.labels import LONGEST_LABEL
from incident_service.core.errors import Malformed

ALWAYS_KEPT = ("alertname", "severity")
FIRING_BY_WORD = {"firing": True, "resolved": False}


class NoAlerts(Malformed):
    """Expected Alertmanager's webhook: a JSON object with a list `alerts` of objects with `labels`."""  # noqa: E501 - one sentence


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a payload says of all its alerts. `firing` is None when it says nothing usable."""

    firing: bool | None
    group_labels: dict[str, str]


def read(data: bytes, limits: Limits = DEFAULT) -> Parsed:
    """Read the body of a webhook.

    What Alertmanager itself sends is read by `strict`, many times faster; the rest by `parse`.

    Raises:
        NotJson: see `lenient_json.loads`.
        NoAlerts: there is no list `alerts`.
    """
    lenient_json.require_depth(data, limits.depth)
    found = strict.read(data, limits)
    return parse(lenient_json.loads(data, limits.depth), limits) if found is None else found


def parse(document: Any, limits: Limits = DEFAULT) -> Parsed:  # noqa: ANN401 - raw JSON
    """Read the alerts of a webhook, in order. A bad one is rejected and costs no other.

    Everything but `alerts`, `status`, `groupLabels` and `truncatedAlerts` is ignored: the version,
    the receiver and the common labels add nothing, and `groupKey` changes with the routes.
    A list of alerts without anything around it, as Prometheus sends, is read too.

    Raises:
        NoAlerts: there is no list `alerts`.
    """
    root = find_root(document)
    envelope = Envelope(
        read_status(root.get("status")),
        bounded_labels(texts.read_texts(root.get("groupLabels")), limits),
    )
    alerts: list[IncomingAlert] = []
    rejected: list[Rejected] = []
    for index, entry in enumerate(root["alerts"] or ()):
        match read_alert(entry, index, envelope, limits):
            case IncomingAlert() as alert:
                alerts.append(alert)
            case Rejected() as refusal:
                rejected.append(refusal)
    return Parsed(tuple(alerts), tuple(rejected), read_count(root.get("truncatedAlerts")))


def find_root(document: Any) -> dict[str, Any]:  # noqa: ANN401 - raw JSON
    """Return the object that holds `alerts`: a list, or null.

    Raises:
        NoAlerts: there is none.
    """
    if isinstance(document, list) and (not document or any(map(has_labels, document))):
        return {"alerts": document}
    if isinstance(document, dict) and isinstance(document.get("alerts", ""), list | None):
        return document
    raise NoAlerts


def has_labels(entry: object) -> bool:
    """Say whether this looks like an alert."""
    return isinstance(entry, dict) and "labels" in entry


def read_alert(
    entry: object, index: int, envelope: Envelope, limits: Limits
) -> IncomingAlert | Rejected:
    """Read one alert, or say why it cannot be stored."""
    if not isinstance(entry, dict):
        return Rejected(index, "not_an_object", "An alert must be a JSON object.", entry)
    given = texts.read_texts(entry.get("labels"))
    identity = read_fingerprint(entry.get("fingerprint"), given)
    if identity is None:
        return Rejected(index, "no_identity", "An alert needs labels or a fingerprint.", entry)
    firing = is_firing(entry, envelope)
    labels = bounded_labels(given, limits)
    annotations = texts.bounded(
        texts.read_texts(entry.get("annotations")),
        count=limits.labels,
        longest=LONGEST_ANNOTATION,
    )
    return IncomingAlert(
        fingerprint=identity,
        firing=firing,
        starts_at=instants.read(entry.get("startsAt")),
        ends_at=read_end(entry, firing=firing),
        labels=labels,
        annotations=annotations,
        severity=labels.get("severity"),
        generator_url=read_url(entry.get("generatorURL")),
        group_labels=envelope.group_labels,
        received_index=index,
    )


def read_fingerprint(value: object, labels: dict[str, str]) -> str | None:
    """Return the sender's fingerprint, or compute it from labels not yet shortened.

    The sender's wins even over labels that hash differently: some senders hash labels which they
    do not send.
    """
    if isinstance(value, str) and value.strip():
        return short_fingerprint(texts.clean(value))
    return fingerprint.of_labels(labels) if labels else None


def is_firing(entry: dict[str, Any], envelope: Envelope) -> bool:
    """Follow the alert's own status, then an end in year 1, then the payload's status.

    When nothing says anything it fires: one page too many is better than one too few.
    """
    own = read_status(entry.get("status"))
    if own is not None:
        return own
    return instants.is_go_zero(entry.get("endsAt")) or envelope.firing is not False


def read_status(value: object) -> bool | None:
    """Say whether a status means firing; None when it is not one."""
    return FIRING_BY_WORD.get(value.strip().lower()) if isinstance(value, str) else None


def read_end(entry: dict[str, Any], *, firing: bool) -> datetime | None:
    """Return when a resolved alert ended; the end of a firing one means nothing."""
    return None if firing else instants.read(entry.get("endsAt"))


def read_url(value: object) -> str:
    """Return a link as text, for people; it may be relative, or no link at all."""
    return texts.clean(cut(value, LONGEST_URL)) if isinstance(value, str) else ""


def read_count(value: object) -> int:
    """Return a count; anything that is not one counts nothing."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return value if 0 < value <= MOST_TRUNCATED else 0


def bounded_labels(labels: dict[str, str], limits: Limits) -> dict[str, str]:
    """Make labels fit to be stored."""
    return texts.bounded(labels, count=limits.labels, longest=LONGEST_LABEL, keep=ALWAYS_KEPT)
