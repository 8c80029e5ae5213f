"""Switch OpenTelemetry on: it is an extra, and imported only then."""

from importlib import import_module

from incident_service.observability.tracing import Recorder

EXTRA_MISSING = (
    "INCIDENT_SERVICE_OTEL is on, and OpenTelemetry is not installed: install "
    "`incident-service[otel]`, or switch it off."
)


class TracingNotInstalled(Exception):
    """OpenTelemetry is to be used, and is not installed."""


def make_recorder() -> Recorder:
    """Make the recorder that sends spans by OTLP, as the `OTEL_…` variables say.

    Raises:
        TracingNotInstalled: the extra is missing.
    """
    try:
        module = import_module("incident_service.observability.otel")
    except ModuleNotFoundError as error:
        raise TracingNotInstalled(EXTRA_MISSING) from error
    recorder: Recorder = module.make_exporting()
    return recorder
