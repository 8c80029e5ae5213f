"""What `doctor` says about the providers that people are to be reached through."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests import factories

from incident_service.cli.doctor import people
from incident_service.cli.doctor.finding import Level, Patient
from incident_service.cli.openapi import NOWHERE
from incident_service.core.db import Transactions
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.settings import Settings
from incident_service.teams.models import Channel

TWILIO = {
    "twilio_account_sid": "AC0",
    "twilio_auth_token": "secret",
    "twilio_from_number": "+15550006",
}


@pytest.fixture
async def runtime(transactions: Transactions, database_url: str) -> AsyncIterator[Runtime]:
    servers: dict[str, Any] = NOWHERE | {"database_url": database_url}
    async with open_runtime(Settings(_env_file=None, **servers)) as opened:
        yield opened


async def reachable_by(transactions: Transactions, kind: Channel, address: str) -> None:
    async with transactions.open() as tx:
        await factories.make_user(tx, channel=kind, address=address)


def patient(runtime: Runtime, **settings: Any) -> Patient:
    return Patient(Settings(_env_file=None, **settings), runtime)


async def test_numbers_without_a_provider_are_a_problem(transactions, runtime):
    await reachable_by(transactions, Channel.SMS, "+15558675310")
    await reachable_by(transactions, Channel.VOICE, "+15558675310")

    finding = await people.check_provider_contacts(patient(runtime, twilio_account_sid="AC0"))

    assert finding.level is Level.PROBLEM
    assert finding.text == "contact methods that nothing can be sent to: sms, voice"
    assert finding.what_to_do == (
        "set INCIDENT_SERVICE_TWILIO_AUTH_TOKEN, INCIDENT_SERVICE_TWILIO_FROM_NUMBER"
    )


async def test_numbers_with_a_provider_are_well(transactions, runtime):
    await reachable_by(transactions, Channel.SMS, "+15558675310")

    finding = await people.check_provider_contacts(patient(runtime, **TWILIO))

    assert finding.level is Level.OK


async def test_nobody_needs_a_provider_that_nobody_uses(transactions, runtime):
    await reachable_by(transactions, Channel.NTFY, "topic")

    finding = await people.check_provider_contacts(patient(runtime))

    assert finding.level is Level.OK


@pytest.mark.parametrize("urls", [None, "other=json://host", "ops=unheard-of://secret"])
async def test_an_apprise_name_without_a_usable_url_is_a_problem(transactions, runtime, urls):
    await reachable_by(transactions, Channel.APPRISE, "ops")

    finding = await people.check_apprise_contacts(patient(runtime, apprise_urls=urls))

    assert finding.level is Level.PROBLEM
    assert "ops" in finding.text
    assert "secret" not in str(finding)


async def test_an_apprise_name_with_a_usable_url_is_well(transactions, runtime):
    await reachable_by(transactions, Channel.APPRISE, "ops")

    finding = await people.check_apprise_contacts(patient(runtime, apprise_urls="ops=json://host"))

    assert finding.level is Level.OK


async def test_an_incoming_webhook_that_is_never_called_is_a_problem(transactions, runtime):
    await reachable_by(transactions, Channel.SLACK, "http://127.0.0.1/services/T0/B0/secret")

    finding = await people.check_webhook_contacts(patient(runtime))

    assert finding.level is Level.PROBLEM
    assert "127.0.0.1 (a loopback address)" in finding.text
    assert "secret" not in str(finding)
