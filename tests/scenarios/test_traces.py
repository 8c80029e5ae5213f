"""A trace goes from a caller's request to what people and programs are told because of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import select, text, update
from structlog.contextvars import get_contextvars
from tests.receiver import WebhookReceiver, webhook_receiver

from incident_service import jobs
from incident_service.core.outbound import Outbound
from incident_service.core.spans import span
from incident_service.core.trace_context import TraceContext, from_kept, read, start
from incident_service.incidents.models import IncidentEvent
from incident_service.notifications.channels import make_channels
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.notifications.models import Notification, Page
from incident_service.settings import Settings
from incident_service.teams.models import Channel, ContactMethod
from incident_service.worker import as_job

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=x"}
INGEST = "/v1/ingest/alertmanager"


def webhook(name: str, status: str = "firing") -> dict[str, object]:
    return {
        "version": "4",
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": name, "severity": "critical"},
                "startsAt": "2026-11-02T11:59:00Z",
            }
        ],
    }


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
async def deliver(stage, receiver) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    settings = Settings(_env_file=None, outbound_allow="127.0.0.0/8")
    outbound = Outbound(settings.outbound_allow)
    courier = Courier(stage.transactions, make_channels(settings, outbound), "http://test")
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(ContactMethod).values(address=receiver.url("people")))

    async def work() -> None:
        stage.clock.advance(seconds=2)  # what is younger is left to the queue's job
        await courier.sweep()
        await courier.aclose()

    yield work
    await outbound.aclose()


@pytest.fixture
async def post(anonymous, stage):
    async def send(body, headers=CALLER):
        key = {"Authorization": f"Bearer {stage.key}"}
        answer = await anonymous.post(INGEST, json=body, headers=key | headers)
        assert answer.status_code == 202, answer.text

    return send


def trace_of(headers: dict[str, str]) -> TraceContext:
    found = read([headers["traceparent"]], [headers.get("tracestate", "")])
    assert found
    return found


async def test_the_first_page_has_the_trace_of_the_webhook_and_a_span_of_its_own(
    post, deliver, receiver
):
    await post(webhook("Disk"))

    await deliver()

    (heard,) = receiver.received
    told = trace_of(heard.headers)
    assert (told.trace_id, told.flags, told.state) == (TRACE, 1, "vendor=x")
    assert told.span_id != SPAN


async def test_each_attempt_has_the_same_trace_and_another_span(post, deliver, receiver, clock):
    receiver.answers = [503, 200]
    await post(webhook("Disk"))

    await deliver()
    clock.advance(minutes=1)
    await deliver()

    first, second = (trace_of(heard.headers) for heard in receiver.received)
    assert first.trace_id == second.trace_id == TRACE
    assert first.span_id != second.span_id


async def test_webhooks_that_are_stored_together_keep_their_traces_apart(post, stage):
    callers = [start() for _ in range(8)]

    await asyncio.gather(
        *(post(webhook(f"Disk {number}"), caller.headers) for number, caller in enumerate(callers))
    )

    opened = await stage.rows(select(IncidentEvent).where(IncidentEvent.kind == "opened"))
    told = await stage.rows(select(Notification))
    wanted = sorted(caller.trace_id for caller in callers)
    assert sorted(trace_id(event.trace_context) for event in opened) == wanted
    assert sorted(trace_id(row.trace_context) for row in told) == wanted


def trace_id(kept: str | None) -> str:
    found = from_kept(kept)
    assert found
    return found.trace_id


async def test_who_joins_and_who_resolves_is_seen_in_the_events(post, stage):
    caller, other = start(), start()
    await post(webhook("Disk"))
    await post(webhook("Disk", status="resolved"), other.headers)
    await post(webhook("Net"), caller.headers)

    events = await stage.rows(select(IncidentEvent).where(IncidentEvent.kind == "resolved"))
    assert [trace_id(event.trace_context) for event in events] == [other.trace_id]


async def test_without_a_trace_of_the_caller_one_begins(post, deliver, receiver, stage):
    await post(webhook("Disk"), {"traceparent": "00-nonsense"})

    await deliver()

    (event, *_) = await stage.rows(select(IncidentEvent))
    (heard,) = receiver.received
    assert trace_of(heard.headers).trace_id == trace_id(event.trace_context) != TRACE


async def test_a_later_level_is_a_trace_of_its_own(post, deliver, receiver, stage):
    await post(webhook("Disk"))
    await deliver()

    await stage.wait(5)
    await deliver()

    first, second = (trace_of(heard.headers) for heard in receiver.received)
    assert first.trace_id == TRACE != second.trace_id


async def test_an_answer_by_the_api_has_the_trace_of_its_caller(api, post, stage):
    await post(webhook("Disk"), {})
    incident = await stage.incident()

    await api.post(f"/v1/incidents/{incident.id}/acknowledge", json={}, headers=CALLER)

    last = (await stage.events(incident))[-1]
    assert (last.kind, trace_id(last.trace_context)) == ("acknowledged", TRACE)


async def test_what_the_previous_release_has_claimed_goes_out(post, deliver, receiver, stage):
    receiver.answers = [503, 200]
    await post(webhook("Disk"))
    await deliver()
    async with stage.transactions.open() as tx:
        for table in (Notification, Page):
            await tx.session.execute(update(table).values(trace_context=None))

    stage.clock.advance(minutes=1)
    await deliver()

    assert trace_of(receiver.received[-1].headers).trace_id != TRACE


async def test_log_lines_of_a_page_have_its_trace(post, stage):
    seen: list[dict[str, object]] = []

    class Looking:
        async def send(self, page: OutgoingPage, to: object) -> str:
            seen.append(get_contextvars())
            return "200"

    await post(webhook("Disk"))
    courier = Courier(stage.transactions, {Channel.WEBHOOK: Looking()}, "http://test")
    stage.clock.advance(seconds=2)
    await courier.sweep()
    await courier.aclose()

    (bound,) = seen
    assert bound["trace_id"] == TRACE
    assert "request_id" not in bound


async def test_each_job_is_a_trace_and_its_log_lines_say_so(clock):
    seen: list[dict[str, object]] = []

    async def handler(_: str) -> None:
        seen.append(get_contextvars())

    job = as_job(jobs.DELIVER, handler, clock)
    with span("outside", read([CALLER["traceparent"]])):
        await job({"job_try": 1}, "one")
        await job({"job_try": 1}, "another")

    assert len({str(bound["trace_id"]) for bound in seen} - {TRACE}) == 2


async def test_known_alerts_write_no_trace(post, stage):
    await post(webhook("Disk"))
    async with stage.transactions.open() as tx:
        before = (await tx.session.execute(text("SELECT max(position) FROM incident_events"))).one()

    await post(webhook("Disk"), start().headers)

    async with stage.transactions.open() as tx:
        after = (await tx.session.execute(text("SELECT max(position) FROM incident_events"))).one()
    assert before == after
