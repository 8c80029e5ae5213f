"""Webhook subscriptions in configuration files."""

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook
from tests.configuration.test_apply import apply, empty, export, lines

from incident_service.configuration.actions import ChangeFailed
from incident_service.core.clock import utc_now
from incident_service.core.db import Transactions
from incident_service.core.ids import new_id
from incident_service.subscriptions import signing
from incident_service.subscriptions.claim import secrets_of
from incident_service.subscriptions.models import WebhookSubscription

BOT = "{name: Chat bot, url: 'https://bot.example/a-secret', kinds: [opened]}"
TEAMS = f"teams: [{{name: T, webhook_subscriptions: [{BOT}]}}]"
EVERY = "webhook_subscriptions: [{name: Archive, url: 'https://archive.example/in'}]"


async def subscriptions(transactions: Transactions) -> list[WebhookSubscription]:
    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(WebhookSubscription).order_by("id"))
        return list(rows)


async def pause(transactions: Transactions) -> None:
    async with transactions.open() as tx:
        await tx.session.execute(
            update(WebhookSubscription).values(
                is_enabled=False, paused_at=tx.now, pause_reason="410", failures=3
            )
        )


async def test_a_teams_own_belongs_to_it_and_one_of_every_team_to_none(transactions, api):
    await apply(transactions, f"{TEAMS}\n{EVERY}")

    (team,) = (await api.get("/v1/teams")).json()["items"]
    listed = (await api.get("/v1/webhook-subscriptions")).json()["items"]
    assert [(item["name"], item["team_id"], item["kinds"]) for item in listed] == [
        ("Chat bot", team["id"], ["opened"]),
        ("Archive", None, []),
    ]


async def test_the_secret_that_is_told_is_the_one_that_signs_and_is_in_no_file(transactions):
    applied = await apply(transactions, TEAMS)
    again = await apply(transactions, TEAMS)

    ((title, secret),) = applied.secrets
    (made,) = await subscriptions(transactions)
    headers = signing.headers(new_id(), "{}", secrets_of(made, made.created_at), utc_now())
    Webhook(secret).verify("{}", headers)
    assert title == "secret of webhook subscription T / Chat bot"
    assert again.secrets == []
    assert secret.removeprefix("whsec_") not in await export(transactions)


async def test_a_change_keeps_the_secret_and_the_place_in_the_events(transactions):
    await apply(transactions, TEAMS)
    (before,) = await subscriptions(transactions)

    applied = await apply(
        transactions, TEAMS.replace("a-secret", "another").replace("[opened]", "[opened, resolved]")
    )

    (after,) = await subscriptions(transactions)
    assert lines(applied) == ["~ webhook subscription T / Chat bot: url changed; kinds 1 → 2"]
    assert (after.id, after.secret, after.read_xact) == (before.id, before.secret, before.read_xact)
    assert after.url == "https://bot.example/another"


async def test_a_file_that_says_nothing_of_subscriptions_prunes_none(transactions):
    await apply(transactions, f"{TEAMS}\n{EVERY}")

    applied = await apply(transactions, "teams: [{name: T}]", prune=True)

    assert lines(applied) == []


async def test_pruning_deletes_those_of_the_lists_that_the_file_has(transactions):
    await apply(transactions, f"{TEAMS}\n{EVERY}")

    of_team = await apply(transactions, "teams: [{name: T, webhook_subscriptions: []}]", prune=True)
    of_every = await apply(transactions, "webhook_subscriptions: []", prune=True)

    assert lines(of_team) == ["- webhook subscription T / Chat bot"]
    assert lines(of_every) == ["- webhook subscription Archive"]
    assert await subscriptions(transactions) == []


async def test_a_team_that_is_pruned_takes_its_subscriptions_along(transactions):
    await apply(transactions, TEAMS)

    applied = await apply(transactions, "teams: []", prune=True)

    assert lines(applied) == ["- webhook subscription T / Chat bot", "- team T"]


async def test_of_two_with_the_same_name_each_keeps_its_url(transactions):
    two = "webhook_subscriptions: [{name: B, url: 'https://%s/'}, {name: B, url: 'https://%s/'}]"
    await apply(transactions, two % ("one.example", "two.example"))
    exported = await export(transactions)

    other_way_round = await apply(transactions, two % ("two.example", "one.example"), prune=True)
    await empty(transactions)
    await apply(transactions, exported)

    assert lines(other_way_round) == []
    assert await export(transactions) == exported


async def test_one_that_is_made_disabled_is_disabled_and_enabled_by_the_file(transactions):
    off = EVERY.replace("}]", ", is_enabled: false}]")
    await apply(transactions, off)
    (made,) = await subscriptions(transactions)
    again = await apply(transactions, off)

    applied = await apply(transactions, EVERY)

    (enabled,) = await subscriptions(transactions)
    assert (made.is_enabled, made.paused_at) == (False, None)
    assert lines(again) == []
    assert lines(applied) == ["~ webhook subscription Archive: is_enabled false → true"]
    assert enabled.is_enabled


async def test_a_pause_is_no_configuration_and_no_file_that_is_applied_again_ends_it(transactions):
    await apply(transactions, EVERY)
    before = await export(transactions)
    await pause(transactions)

    applied = await apply(transactions, EVERY)
    renamed = await apply(
        transactions, EVERY.replace("archive.example/in'", "archive.example/in', kinds: [opened]")
    )

    (still,) = await subscriptions(transactions)
    assert lines(applied) == []
    assert lines(renamed) == ["~ webhook subscription Archive: kinds 0 → 1"]
    assert (still.is_enabled, still.pause_reason) == (False, "410")
    assert "is_enabled" not in before + await export(transactions)


@pytest.mark.parametrize(
    ("change", "is_enabled"), [("/else'", True), ("/in', is_enabled: false", False)]
)
async def test_another_url_or_a_clear_word_ends_a_pause(transactions, change, is_enabled):
    await apply(transactions, EVERY)
    await pause(transactions)

    await apply(transactions, EVERY.replace("/in'", change))

    (after,) = await subscriptions(transactions)
    assert (after.is_enabled, after.paused_at, after.failures) == (is_enabled, None, 0)


async def test_a_url_that_cannot_be_posted_to_is_refused_and_nothing_is_done(transactions):
    with pytest.raises(ChangeFailed, match="webhook subscription Archive"):
        await apply(transactions, f"{TEAMS}\n{EVERY.replace('https', 'ftp')}")

    assert await subscriptions(transactions) == []


async def test_an_unknown_kind_of_event_is_named(transactions):
    with pytest.raises(ValueError, match=r"webhook_subscriptions\[Archive\].kinds"):
        await apply(transactions, EVERY.replace("}]", ", kinds: [exploded]}]"))
