"""What is lost or doubled on the way from a real Alertmanager: nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.alertmanager.alertmanager import Alert, Alertmanager
from tests.alertmanager.configuration import bearer, configuration
from tests.alertmanager.serving import base_url, ingest_url, kept_port, serving
from tests.alertmanager.steps import (
    alerts,
    event_kinds,
    has_status,
    labelled,
    make_customer,
    notifications,
    pending_timers,
    the_incident,
    was_received,
)
from tests.api_steps import Customer
from tests.running import Service, running
from tests.waiting import eventually

from incident_service.alerts.dedup import HOLD
from incident_service.main import create_serving_app
from incident_service.settings import Settings

pytestmark = pytest.mark.e2e


async def test_an_alert_that_comes_back_is_held_and_then_reopens_its_incident(
    sender, customer, receiver, service_clock
):
    alert = Alert("Disk")  # its start stays the same, as when Prometheus was out of touch
    await sender.fire(alert)
    await receiver.expect(1, to="one")
    await sender.resolve(alert)
    await eventually(lambda: has_status(customer, "RESOLVED"), "the end of the incident")

    await sender.fire(alert)
    await eventually(lambda: is_held(customer), "the alert to be held")
    held = await the_incident(customer)
    service_clock.advance(seconds=HOLD.total_seconds())
    await eventually(lambda: has_status(customer, "OPEN"), "the incident to be open again")

    assert held["status"] == "RESOLVED"
    assert "reopened" in await event_kinds(customer)
    assert len(await alerts(customer)) == 1
    assert len(await pending_timers(customer)) == 1


async def is_held(customer: Customer) -> bool:
    (alert,) = await alerts(customer)
    return alert["refire_at"] is not None


@asynccontextmanager
async def service_at(port: int, settings: Settings) -> AsyncIterator[Service]:
    """Start everything of the service anew, at the port where Alertmanager looks for it."""
    async with running(settings) as service, serving(create_serving_app(service.runtime), port):
        yield service


async def has_failed(sender: Alertmanager) -> bool:
    return await sender.failed_tries() > 0


async def test_an_alert_that_fires_while_the_service_is_away_pages_once_it_is_back(
    settings, receiver, start_alertmanager
):
    with kept_port() as port:
        async with service_at(port, settings) as service:
            customer = await make_customer(service, receiver)
            text = configuration(ingest_url(base_url(port)), bearer(customer.ingest_key))
            sender = await start_alertmanager(text)
            await sender.fire(Alert("Disk", "db-1"))
            await receiver.expect(1, to="one")

        await sender.fire(Alert("Disk", "db-2"))
        await eventually(lambda: has_failed(sender), "a try while the service is away")
        async with service_at(port, settings) as service:
            await receiver.expect(2, to="one")
            customer = replace(customer, api=service.api)
            incidents, told = await customer.incidents(), await notifications(customer)

    assert labelled(incidents, "instance") == ["db-1", "db-2"]
    assert len(told) == len(receiver.to("one")) == 2


async def test_an_alert_that_ends_while_the_service_is_away_is_resolved_once_it_is_back(
    settings, receiver, start_alertmanager
):
    alert = Alert("Disk")
    with kept_port() as port:
        async with service_at(port, settings) as service:
            customer = await make_customer(service, receiver)
            text = configuration(ingest_url(base_url(port)), bearer(customer.ingest_key))
            sender = await start_alertmanager(text)
            await sender.fire(alert)
            await receiver.expect(1, to="one")

        await sender.resolve(alert)
        await eventually(lambda: has_failed(sender), "a try while the service is away")
        async with service_at(port, settings) as service:
            customer = replace(customer, api=service.api)
            await eventually(lambda: has_status(customer, "RESOLVED"), "the end of the incident")
            told = await notifications(customer)

    assert [each["kind"] for each in told].count("page") == 1


class GatewayThatGaveUp:
    """Stands before the service; the answer to the first webhook comes too late for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._has_given_up = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._has_given_up:
            await self._app(scope, receive, send)
            return
        self._has_given_up = True
        await self._app(scope, receive, nowhere)
        await Response(status_code=504)(scope, receive, send)


async def nowhere(message: Message) -> None:
    pass


async def test_an_alert_whose_answer_got_lost_is_sent_again_and_pages_once(
    service, customer, receiver, start_alertmanager
):
    async with serving(GatewayThatGaveUp(create_serving_app(service.runtime))) as base:
        text = configuration(ingest_url(base), bearer(customer.ingest_key))
        sender = await start_alertmanager(text)

        await sender.fire(Alert("Disk"))
        await eventually(lambda: was_received(customer, times=2), "the second try")

    assert len(await customer.incidents()) == 1
    assert len(await notifications(customer)) == 1
    assert len(await receiver.expect(1, to="one")) == 1


async def test_two_alertmanagers_open_one_incident_an_alert_and_page_once(
    start_alertmanager, url, customer, receiver
):
    text = configuration(url, bearer(customer.ingest_key))
    first, second = await start_alertmanager(text), await start_alertmanager(text)
    names = [f"Disk{number}" for number in range(10)]
    both_send = [Alert(name) for name in names]

    await asyncio.gather(first.fire(*both_send), second.fire(*both_send))
    await eventually(lambda: was_received(customer, times=2, alerts_in_all=10), "both to be heard")

    assert labelled(await customer.incidents(), "alertname") == names
    assert len(await notifications(customer)) == 10
    assert len(await receiver.expect(10, to="one")) == 10
