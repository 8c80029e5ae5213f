"""With OpenTelemetry on, requests, jobs and pages are spans; off, nothing of it is imported."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from arq import Retry
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from tests.scenarios.test_traces import CALLER, INGEST, SPAN, TRACE, webhook

from incident_service import jobs
from incident_service.cli.environment import recording_spans
from incident_service.core.ids import new_id
from incident_service.core.queue import Later
from incident_service.core.trace_context import SAMPLED, from_kept, read
from incident_service.notifications.channels.contract import Address, DeliveryFailed
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.observability import tracing
from incident_service.observability.otel import SpanRecorder
from incident_service.settings import Settings
from incident_service.teams.models import Channel
from incident_service.worker import as_job


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    recorder = SpanRecorder(SimpleSpanProcessor(exporter))
    tracing.record_with(recorder)
    yield exporter
    tracing.record_with(None)
    recorder.close()


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [each for each in exporter.get_finished_spans() if each.name == name]


def ids(span: ReadableSpan) -> tuple[str, str]:
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def said(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


class Taking:
    """A channel that takes every page, unless it is told otherwise."""

    def __init__(self, failure: DeliveryFailed | None = None) -> None:
        self.failure = failure

    async def send(self, page: OutgoingPage, to: Address) -> str:
        if self.failure:
            raise self.failure
        return "200"


async def deliver(stage, channel: Taking) -> None:
    courier = Courier(stage.transactions, {Channel.WEBHOOK: channel}, "http://test")
    stage.clock.advance(seconds=2)
    await courier.sweep()
    await courier.aclose()


async def test_a_webhook_and_its_page_are_spans_of_the_callers_trace(anonymous, stage, exporter):
    key = {"Authorization": f"Bearer {stage.key}"}
    await anonymous.post(INGEST, json=webhook("Disk"), headers=key | CALLER)

    await deliver(stage, Taking())

    (server,) = named(exporter, f"POST {INGEST}")
    (page,) = named(exporter, "page webhook")
    incident = await stage.incident()
    assert (server.kind, page.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert ids(server)[0] == ids(page)[0] == TRACE
    assert parent_of(server) == SPAN
    assert parent_of(page) == ids(server)[1]
    assert said(server)["http.response.status_code"] == 202
    assert said(server)["incident_service.integration_id"] == str(stage.integration.id)
    assert said(page)["incident_service.incident_ids"] == (str(incident.id),)
    assert page.resource.attributes["service.name"] == "incident-service"


async def test_rows_carry_the_span_that_is_recorded(anonymous, stage, exporter):
    key = {"Authorization": f"Bearer {stage.key}"}
    await anonymous.post(INGEST, json=webhook("Disk"), headers=key)

    (server,) = named(exporter, f"POST {INGEST}")
    events = await stage.events(await stage.incident())
    kept = {event.trace_context for event in events}
    assert {(each.trace_id, each.span_id) for each in map(from_kept, kept) if each} == {ids(server)}
    assert all(each.flags & SAMPLED for each in map(from_kept, kept) if each)


async def test_a_page_of_several_callers_is_linked_to_the_others(anonymous, stage, exporter):
    key = {"Authorization": f"Bearer {stage.key}"}
    other = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    await anonymous.post(INGEST, json=webhook("Disk"), headers=key | CALLER)
    await anonymous.post(INGEST, json=webhook("Net"), headers=key | other)

    await deliver(stage, Taking())

    (page,) = named(exporter, "page webhook")
    traces = {ids(page)[0], *(f"{link.context.trace_id:032x}" for link in page.links)}
    assert traces == {TRACE, "1" * 32}
    assert len(page.links) == 1


async def test_a_page_that_fails_says_so_and_nothing_of_why(stage, exporter):
    await stage.fire("Disk")

    await deliver(stage, Taking(DeliveryFailed("no such topic: s3cr3t", permanent=True)))

    (root,) = named(exporter, "found due")
    (page,) = named(exporter, "page webhook")
    assert parent_of(page) == ids(root)[1]
    assert not page.status.is_ok
    assert said(page)["error.type"] == "permanent"
    assert "s3cr3t" not in page.to_json()


async def test_a_request_of_a_person_names_the_route_and_not_the_path(api, exporter):
    await api.get(f"/v1/teams/{new_id()}/members?limit=199")

    (server,) = named(exporter, "GET /v1/teams/{team_id}/members")
    assert said(server)["http.response.status_code"] == 404
    assert "incident_service.key_id" in said(server)
    assert "199" not in server.to_json()
    assert server.status.is_ok or server.status.status_code.name == "UNSET"


async def test_a_key_in_the_path_is_in_no_span(anonymous, stage, exporter):
    await anonymous.post(f"{INGEST}/{stage.key}", json=webhook("Disk"))

    assert not [each for each in exporter.get_finished_spans() if stage.key in each.to_json()]
    assert named(exporter, INGEST.join(["POST ", "/{integration_key}"]))


async def test_an_error_that_nobody_expected_is_an_error_of_its_span(app, anonymous, exporter):
    async def break_down() -> None:
        raise RuntimeError("s3cr3t")

    app.state.measure = break_down
    await anonymous.get("/metrics")

    (server,) = named(exporter, "GET /metrics")
    assert not server.status.is_ok
    assert "s3cr3t" not in server.to_json()


async def test_a_job_is_a_trace_and_to_come_early_is_no_failure(clock, exporter):
    async def early(_: str) -> None:
        raise Later(clock())

    async def broken(_: str) -> None:
        raise LookupError("s3cr3t")

    for handler in (early, broken):
        with pytest.raises(Retry):
            await as_job(jobs.DELIVER, handler, clock)({"job_try": 1}, "some id")

    first, second = named(exporter, "job deliver")
    assert first.kind is SpanKind.CONSUMER
    assert (parent_of(first), parent_of(second)) == (None, None)
    assert ids(first)[0] != ids(second)[0]
    assert first.status.status_code.name == "UNSET"
    assert said(second)["error.type"] == "LookupError"
    assert "s3cr3t" not in second.to_json()


def test_a_trace_that_nobody_sampled_is_not_recorded_and_goes_on(exporter):
    parent = read([f"00-{TRACE}-{SPAN}-00"])
    assert parent

    recording = tracing.begin("some", tracing.Kind.CLIENT, parent.headers, [], {})
    assert recording
    recording.end()

    found = read([recording.headers["traceparent"]])
    assert found
    assert (found.trace_id, found.flags) == (TRACE, 0)
    assert exporter.get_finished_spans() == ()


IMPORTS = """
import sys
import incident_service.cli, incident_service.main, incident_service.worker
parts = ("opentelemetry.sdk", "opentelemetry.exporter")
print([name for name in sys.modules if name.startswith(parts)])
"""


# Its API comes with FastAPI.
def test_nothing_of_it_is_imported_until_it_is_switched_on():
    printed = subprocess.check_output([sys.executable, "-c", IMPORTS], text=True, env=os.environ)

    assert printed.strip() == "[]"


WITHOUT = """
import sys
sys.modules["opentelemetry.sdk"] = None
from incident_service.cli.environment import recording_spans
from incident_service.cli.failing import CannotRun
from incident_service.settings import Settings
try:
    with recording_spans(Settings(_env_file=None, otel=True)):
        print("began")
except CannotRun as error:
    print(error)
"""


def test_to_switch_it_on_without_the_extra_ends_in_words():
    printed = subprocess.check_output([sys.executable, "-c", WITHOUT], text=True, env=os.environ)

    assert "INCIDENT_SERVICE_OTEL is on" in printed
    assert "incident-service[otel]" in printed


def test_switched_off_it_records_nothing_and_on_it_does_until_the_end():
    with recording_spans(Settings(_env_file=None)):
        off = tracing.is_recording()
    with recording_spans(Settings(_env_file=None, otel=True)):
        on = tracing.is_recording()

    assert (off, on, tracing.is_recording()) == (False, True, False)
