"""Read metrics as Prometheus would."""

from prometheus_client import REGISTRY


def sample(name: str, **labels: str) -> float | None:
    """Return a sample's value, or None when it is not shown."""
    return REGISTRY.get_sample_value(name, labels)
