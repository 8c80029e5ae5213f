"""Record spans with OpenTelemetry's SDK. Imported only when it is switched on.

The SDK reads its own variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`, and so on.
Parents are always told, never taken from its context: who is whose is decided in one place.
"""

import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from incident_service.observability.tracing import Headers, Kind, Value

NAME = "incident-service"
FAREWELL_S = 3.0
W3C = TraceContextTextMapPropagator()
KINDS = {
    Kind.INTERNAL: SpanKind.INTERNAL,
    Kind.SERVER: SpanKind.SERVER,
    Kind.CONSUMER: SpanKind.CONSUMER,
    Kind.CLIENT: SpanKind.CLIENT,
}


class OpenSpan:
    """A span of the SDK; see `tracing.Recording`."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.headers: dict[str, str] = {}
        W3C.inject(self.headers, set_span_in_context(span, Context()))

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""
        self._span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        """Give it another name."""
        self._span.update_name(name)

    def fail(self, error: str) -> None:
        """Say that it failed."""
        if self._span.is_recording():  # else the SDK would complain: it may have ended
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        """End it."""
        if self._span.is_recording():
            self._span.end()


class SpanRecorder:
    """Records spans with one processor; see `tracing.Recorder`."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._provider = TracerProvider(resource=make_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(NAME, version(NAME))

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: Headers,
        others: Sequence[Headers],
        attributes: Mapping[str, Value],
    ) -> OpenSpan:
        """Begin a span."""
        links = [Link(get_current_span(extracted(each)).get_span_context()) for each in others]
        return OpenSpan(
            self._tracer.start_span(
                name,
                extracted(parent),
                KINDS[kind],
                dict(attributes),
                links,
                record_exception=False,  # its message could hold anything
            )
        )

    def close(self) -> None:
        """Hand over what is left; a collector that does not answer is not waited for."""
        # The SDK would try for as long as `OTEL_EXPORTER_OTLP_TIMEOUT`, and the process has to end.
        handing_over = threading.Thread(target=self._provider.shutdown, daemon=True)
        handing_over.start()
        handing_over.join(FAREWELL_S)


def extracted(headers: Headers) -> Context:
    """Read headers into a context of its own; without any, a trace begins in it."""
    return W3C.extract(headers, Context())


def make_resource() -> Resource:
    """Name the process; what `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say wins."""
    own = Resource({"service.name": NAME, "service.version": version(NAME)})
    return own.merge(OTELResourceDetector().detect())


def make_exporting() -> SpanRecorder:
    """Send spans by OTLP over HTTP, in a thread, and drop them when nobody takes them."""
    return SpanRecorder(BatchSpanProcessor(OTLPSpanExporter()))
