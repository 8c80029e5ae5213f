"""From a contact method to a provider and back: the settings, the courier, the record."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.fakes import FrozenClock
from tests.notifications.arrangements import BASE_URL, page_about, pages, set_scene
from tests.notifications.channels import test_ntfy, test_telegram, test_twilio
from tests.notifications.channels.provider import Answer, Provider, provider

from incident_service.core.db import Transactions
from incident_service.notifications.channels import make_channels
from incident_service.notifications.channels.secrets import secrets_of
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import PageAttempt, PageStatus
from incident_service.settings import Settings
from incident_service.teams.models import Channel

PHONE = "+15558675310"


def settings_for(serving: Provider) -> dict[str, Any]:
    """Name the provider's server wherever a provider's server is named."""
    return {
        "ntfy_url": serving.url,
        "telegram_url": serving.url,
        "telegram_bot_token": test_telegram.TOKEN,
        "twilio_url": serving.url,
        "twilio_account_sid": test_twilio.ACCOUNT,
        "twilio_auth_token": test_twilio.AUTH_TOKEN,
        "twilio_from_number": "+15557122661",
        "apprise_urls": f"ops={serving.url.replace('http', 'json', 1)}/in",
    }


def courier(transactions: Transactions, serving: Provider, *, public_url: str = "") -> Courier:
    settings = Settings(_env_file=None, **settings_for(serving), public_url=public_url)
    channels = make_channels(settings, serving.outbound())
    return Courier(
        transactions, channels, BASE_URL, secrets=secrets_of(settings), jitter=lambda: 0.0
    )


async def details(transactions: Transactions) -> list[str | None]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(PageAttempt.detail)))


@pytest.mark.parametrize(
    ("method", "answer", "detail"),
    [
        (
            {"kind": Channel.SMS, "address": PHONE},
            test_twilio.MESSAGE_TAKEN,
            f"{test_twilio.MESSAGE_SID} queued",
        ),
        (
            {"kind": Channel.VOICE, "address": PHONE},
            test_twilio.CALL_TAKEN,
            f"{test_twilio.CALL_SID} queued",
        ),
        (
            {"kind": Channel.TELEGRAM, "address": "-100123"},
            test_telegram.taken(),
            "message_id 42",
        ),
        ({"kind": Channel.NTFY, "address": "on-call"}, test_ntfy.taken(), f"id {test_ntfy.ID}"),
        ({"kind": Channel.APPRISE, "address": "ops"}, Answer(200, ""), "sent"),
    ],
    ids=lambda value: str(value["kind"]) if isinstance(value, dict) else "",
)
async def test_the_record_names_the_providers_own_id_of_the_page(
    transactions: Transactions, method: dict[str, Any], answer: Answer, detail: str
):
    scene = await set_scene(transactions, **method)
    await page_about(transactions, scene)

    async with provider(answer) as serving:
        await courier(transactions, serving).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert page.status is PageStatus.SENT
    assert page.channel is method["kind"]
    assert await details(transactions) == [detail]


@pytest.mark.parametrize("kind", [Channel.SMS, Channel.VOICE])
async def test_each_attempt_is_reported_on_its_own(
    transactions: Transactions, clock: FrozenClock, kind: Channel
):
    scene = await set_scene(transactions, kind=kind, address=PHONE)
    await page_about(transactions, scene)

    async with provider(test_twilio.MESSAGE_TAKEN) as serving:
        serving.answers.append(test_twilio.refused(503, 20503, "Service Unavailable"))
        working = courier(transactions, serving, public_url="https://pages.example/")
        await working.deliver(scene.method.id)
        clock.advance(seconds=2)
        await working.deliver(scene.method.id)

    [page] = await pages(transactions)
    url = f"https://pages.example/v1/callbacks/twilio/{page.id}"
    assert [asked.form["StatusCallback"] for asked in serving.asked] == [f"{url}/1", f"{url}/2"]


async def test_without_a_public_address_no_reports_are_asked_for(transactions: Transactions):
    scene = await set_scene(transactions, kind=Channel.SMS, address=PHONE)
    await page_about(transactions, scene)

    async with provider(test_twilio.MESSAGE_TAKEN) as serving:
        await courier(transactions, serving).deliver(scene.method.id)

    assert serving.asked[0].form.keys() == {"From", "To", "Body"}


async def test_the_record_says_why_a_provider_refused_and_shows_no_secret(
    transactions: Transactions,
):
    scene = await set_scene(transactions, kind=Channel.TELEGRAM, address="123456789")
    await page_about(transactions, scene)
    answer = test_telegram.refused(403, "Forbidden: bot was blocked by the user")

    async with provider(answer) as serving:
        await courier(transactions, serving).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert page.status is PageStatus.FAILED
    assert page.last_error == "Telegram answered 403: Forbidden: bot was blocked by the user"


@pytest.mark.parametrize(
    ("method", "answer", "error"),
    [
        (
            {"kind": Channel.SMS, "address": PHONE},
            test_twilio.refused(401, 20003, f"{test_twilio.AUTH_TOKEN} is wrong for {PHONE}"),
            "Twilio answered 401: *** is wrong for +1…5310 (error 20003)",
        ),
        (
            {"kind": Channel.TELEGRAM, "address": "-1001234567890"},
            test_telegram.refused(400, f"{test_telegram.TOKEN}: no chat -1001234567890"),
            "Telegram answered 400: ***: no chat -100…",
        ),
        (
            {"kind": Channel.NTFY, "address": "a-topic-that-nobody-guesses"},
            test_ntfy.refused(403, 40301, "forbidden: a-topic-that-nobody-guesses"),
            "ntfy answered 403: forbidden: a-to…sses",
        ),
    ],
    ids=lambda value: str(value["kind"]) if isinstance(value, dict) else "",
)
async def test_what_a_provider_repeats_of_an_address_or_a_token_is_masked_in_the_record(
    transactions: Transactions, method: dict[str, Any], answer: Answer, error: str
):
    scene = await set_scene(transactions, **method)
    await page_about(transactions, scene)

    async with provider(answer) as serving:
        await courier(transactions, serving).deliver(scene.method.id)

    [page] = await pages(transactions)
    assert page.last_error == error
    assert await details(transactions) == [error]
