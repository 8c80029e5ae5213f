"""How much a sender may send."""

from dataclasses import dataclass

from incident_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a webhook: what is more is refused, and of `labels` left out.

    `bytes_sent` count on the wire, `bytes_unpacked` after that; it may take `wait_s` to arrive.
    `depth` is how deep the JSON may be nested, `alerts` how many there may be, `labels` how many
    labels, and how many annotations, are kept of each.
    """

    bytes_sent: int = 16 * 1024 * 1024
    bytes_unpacked: int = 64 * 1024 * 1024
    wait_s: float = 30.0
    depth: int = 256
    alerts: int = 20_000
    labels: int = 64


DEFAULT = Limits()


def limits_of(settings: Settings) -> Limits:
    """Return what the operator allows."""
    return Limits(
        bytes_sent=settings.ingest_body_bytes,
        bytes_unpacked=settings.ingest_unpacked_bytes,
        depth=settings.ingest_depth,
        alerts=settings.ingest_alerts,
        labels=settings.ingest_labels,
    )
