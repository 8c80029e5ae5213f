"""Who wires Alertmanager to the service, and what can be seen of it afterwards."""

from typing import Any

from tests.api_steps import Customer, set_up
from tests.receiver import WebhookReceiver
from tests.running import Service


async def make_customer(service: Service, receiver: WebhookReceiver) -> Customer:
    """Set up two levels, with the pagers `one` and `two`; each incident is a page of its own."""
    return await set_up(service.api, [receiver.url("one"), receiver.url("two")], bundle=False)


async def the_incident(customer: Customer) -> dict[str, Any]:
    """Return the only incident there is."""
    (incident,) = await customer.incidents()
    return incident


async def has_status(customer: Customer, status: str) -> bool:
    return [incident["status"] for incident in await customer.incidents()] == [status]


async def alerts(customer: Customer) -> list[dict[str, Any]]:
    """Return the alerts of all incidents."""
    return [
        alert
        for incident in await customer.incidents()
        for alert in await customer.of(incident["id"], "alerts")
    ]


async def was_received(customer: Customer, *, times: int, alerts_in_all: int = 1) -> bool:
    """Say whether each alert came that often, or more often."""
    counts = [alert["received_count"] for alert in await alerts(customer)]
    return len(counts) == alerts_in_all and min(counts) >= times


async def notifications(customer: Customer) -> list[dict[str, Any]]:
    """Return everything that anybody was told, or is to be told, of any incident."""
    return [
        notification
        for incident in await customer.incidents()
        for notification in await customer.of(incident["id"], "notifications")
    ]


async def pending_timers(customer: Customer) -> list[dict[str, Any]]:
    """Return what the only incident waits for."""
    jobs = await customer.of((await the_incident(customer))["id"], "escalation-jobs")
    return [job for job in jobs if not job["completed"] and job["cancelled_at"] is None]


async def event_kinds(customer: Customer) -> list[str]:
    """Return the kinds of the only incident's events, in order."""
    incident = await the_incident(customer)
    return [event["kind"] for event in await customer.of(incident["id"], "timeline")]


def labelled(incidents: list[dict[str, Any]], label: str) -> list[str]:
    """Return the values of a label, sorted."""
    return sorted(incident["labels"][label] for incident in incidents)
