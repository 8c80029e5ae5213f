"""Files that are applied to a real database."""

import asyncio

import pytest
from sqlalchemy import select
from tests import factories
from tests.configuration.test_files import EVERYTHING
from tests.stage import Stage

from incident_service.catalog.queries import find_integration
from incident_service.configuration.actions import (
    Applied,
    ChangeFailed,
    NameUnknown,
    carry_out,
    plan_changes,
)
from incident_service.configuration.files import read, write
from incident_service.configuration.queries import as_document, load_present
from incident_service.core import tokens
from incident_service.core.audit import AuditEntry
from incident_service.core.db import Transactions
from incident_service.teams.models import Channel

ROTATION = """
users:
  - {name: A, email: a@example.org}
  - {name: B, email: b@example.org}
  - {name: C, email: c@example.org}
teams:
  - name: T
    schedules:
      - name: S
        time_zone: UTC
        layers: [{name: L, unit: day, participants: [a@example.org, b@example.org, c@example.org]}]
"""


EMPTY = "version: 1\nusers: []\nteams: []\nwebhook_subscriptions: []\n"
ROUTES_TO_Y = (
    "{name: I, kind: alertmanager, routing_rules: [{matchers: [a=1], service: X, team: Y}]}"
)


async def apply(transactions: Transactions, text: str, *, prune: bool = False) -> Applied:
    document = read(text)

    async def work(tx):
        return await carry_out(tx, await plan_changes(tx, document, prune=prune))

    return await transactions.run(work)


async def export(transactions: Transactions) -> str:
    async with transactions.open() as tx:
        return write(as_document(await load_present(tx.session, with_history=False)))


def lines(applied: Applied) -> list[str]:
    return list(map(str, applied.plan.changes))


async def empty(transactions: Transactions) -> None:
    await apply(transactions, "{users: [], teams: [], webhook_subscriptions: []}", prune=True)


async def test_a_file_makes_everything_it_names(transactions):
    applied = await apply(transactions, EVERYTHING)

    assert lines(applied) == [
        "+ user first@example.org",
        "+ user second@example.org",
        "+ contact method first@example.org / ntfy",
        "+ contact method first@example.org / webhook",
        "+ team Payments",
        "+ team Databases",
        "+ member Payments / first@example.org",
        "+ channel Payments / #payments",
        "+ schedule Payments / Primary",
        "+ escalation policy Payments / On call",
        "+ service Payments / Checkout",
        "+ service Databases / Postgres",
        "+ integration Payments / Checkout / Alertmanager",
        "~ routing rules Payments / Checkout / Alertmanager: rules 0 → 1",
        "+ webhook subscription Payments / Chat bot",
        "+ webhook subscription Payments / Old bot",
        "+ webhook subscription Archive",
    ]
    assert applied.plan.summary() == "16 to create, 1 to change, 0 to delete."


async def test_applying_twice_changes_nothing(transactions):
    await apply(transactions, EVERYTHING)

    again = await apply(transactions, EVERYTHING, prune=True)

    assert again.plan.is_empty
    assert lines(again) == []
    assert again.plan.summary() == "Nothing to change."


async def test_what_is_exported_makes_the_same_installation(transactions):
    applied = await apply(transactions, EVERYTHING)
    exported = await export(transactions)
    await empty(transactions)

    again = await apply(transactions, exported)

    assert await export(transactions) == exported
    assert again.plan.summary() == applied.plan.summary()
    assert [title for title, _ in again.secrets] == [
        "signing secret of contact method first@example.org / webhook",
        "signing secret of channel Payments / #payments",
        "secret of webhook subscription Payments / Chat bot",
        "secret of webhook subscription Payments / Old bot",
        "secret of webhook subscription Archive",
    ]


async def test_senders_need_no_new_key_after_that(transactions):
    applied = await apply(transactions, EVERYTHING)
    key = dict(applied.secrets)["key of integration Payments / Checkout / Alertmanager"]
    exported = await export(transactions)
    await empty(transactions)

    await apply(transactions, exported)

    async with transactions.open() as tx:
        assert await find_integration(tx.session, key, tx.now) is not None


async def test_an_empty_installation_has_an_empty_file(transactions):
    assert await export(transactions) == EMPTY


async def test_what_a_file_does_not_name_stays(transactions):
    await apply(transactions, EVERYTHING)
    before = await export(transactions)

    await apply(transactions, "teams: [{name: Another}]")
    after = await export(transactions)

    assert after == before.replace(
        "\nwebhook_subscriptions:",
        """
  - name: Another
    members: []
    channels: []
    schedules: []
    escalation_policies: []
    services: []
    webhook_subscriptions: []
webhook_subscriptions:""",
    )


async def test_pruning_deletes_only_from_the_lists_that_the_file_has(transactions):
    await apply(transactions, EVERYTHING)

    applied = await apply(
        transactions,
        "teams: [{name: Payments, external_id: t-1, services: []}, {name: Databases}]",
        prune=True,
    )

    assert lines(applied) == [
        "- integration Payments / Checkout / Alertmanager",
        "- service Payments / Checkout",
    ]


async def test_pruning_everything_leaves_nothing(transactions):
    await apply(transactions, EVERYTHING)

    await empty(transactions)

    assert await export(transactions) == EMPTY


async def test_an_external_id_makes_a_new_name_a_change(transactions):
    await apply(transactions, EVERYTHING)

    applied = await apply(transactions, EVERYTHING.replace("name: Payments", "name: Zahlungen"))

    assert lines(applied) == ["~ team Zahlungen: name Payments → Zahlungen"]


async def test_a_change_is_told_field_by_field(transactions):
    active = EVERYTHING.replace(", is_active: false", "")
    await apply(transactions, active)
    changed = (
        active.replace("repeat_count: 3", "repeat_count: 4")
        .replace("ack_timeout_minutes: 60", "")
        .replace("          - targets: [{entire_team: true}]\n", "")
    )

    applied = await apply(transactions, changed)

    (line,) = lines(applied)
    assert line == (
        "~ escalation policy Payments / On call: repeat_count 3 → 4; "
        "ack_timeout_minutes 60 → none; levels 2 → 1"
    )


async def test_a_policy_that_pages_somebody_inactive_can_be_renamed_and_so_on(transactions):
    await apply(transactions, EVERYTHING)

    changed = EVERYTHING.replace("repeat_count: 3", "repeat_count: 4")

    assert len(lines(await apply(transactions, changed))) == 1


async def test_nobody_inactive_is_put_into_a_policy(transactions):
    await apply(transactions, EVERYTHING)

    with pytest.raises(ChangeFailed, match="On call"):
        await apply(transactions, EVERYTHING.replace("timeout_minutes: 5", "timeout_minutes: 6"))


async def test_a_new_participant_leaves_the_present_turn_alone(transactions, clock, api):
    await apply(transactions, ROTATION)
    clock.advance(minutes=24 * 60)
    on_call = (await api.get("/v1/on-call")).json()["items"][0]["now"]["user_id"]

    more = ROTATION.replace("[a@", "[d@example.org, a@").replace(
        "users:\n", "users:\n  - {name: D, email: d@example.org}\n"
    )
    applied = await apply(transactions, more)
    again = await apply(transactions, more)

    assert (await api.get("/v1/on-call")).json()["items"][0]["now"]["user_id"] == on_call
    assert lines(applied)[-1] == "~ schedule T / S: layers changed"
    assert lines(again) == []


async def test_whoever_has_the_turn_has_it_after_an_export_too(transactions, clock, api):
    await apply(transactions, ROTATION)
    clock.advance(minutes=24 * 60)
    fewer = ROTATION.replace("[a@example.org, b", "[b")
    await apply(transactions, fewer)
    exported = await export(transactions)
    emails = {item["id"]: item["email"] for item in (await api.get("/v1/users")).json()["items"]}
    before = emails[(await api.get("/v1/on-call")).json()["items"][0]["now"]["user_id"]]
    await empty(transactions)

    await apply(transactions, exported)

    emails = {item["id"]: item["email"] for item in (await api.get("/v1/users")).json()["items"]}
    assert emails[(await api.get("/v1/on-call")).json()["items"][0]["now"]["user_id"]] == before


@pytest.mark.parametrize(
    ("text", "title", "says"),
    [
        (
            "teams: [{name: T, members: [{user: x@example.org, role: manager}]}]",
            "member T / x@example.org",
            "There is no user x@example.org",
        ),
        (
            "teams: [{name: T, services: [{name: S, escalation_policy: P}]}]",
            "service T / S",
            "There is no escalation policy P of this team",
        ),
        (
            f"teams: [{{name: T, services: [{{name: S, integrations: [{ROUTES_TO_Y}]}}]}}]",
            "routing rules T / S / I",
            "There is no team Y",
        ),
    ],
)
async def test_a_name_that_is_unknown_is_refused_and_nothing_is_done(
    transactions, text, title, says
):
    with pytest.raises(ChangeFailed) as failed:
        await apply(transactions, text)

    assert str(failed.value) == title
    assert isinstance(failed.value.__cause__, NameUnknown)
    assert says in str(failed.value.__cause__)
    assert await export(transactions) == EMPTY


async def test_what_the_api_refuses_is_refused(transactions):
    with pytest.raises(ChangeFailed) as failed:
        await apply(
            transactions,
            "users: [{name: A, email: a@example.org, contact_methods: "
            "[{kind: console, address: a}]}]",
        )

    assert "console" in getattr(failed.value.__cause__, "detail", "")


async def test_a_service_with_a_history_is_not_pruned(transactions, stage: Stage):
    await stage.fire("Disk")
    url = "teams: [{name: Payments, services: []}]"

    applied = await apply(transactions, url, prune=True)

    assert lines(applied) == [
        f"= service Payments / {stage.service.name} stays: it has incidents, which are kept"
    ]
    assert applied.plan.is_empty


async def test_a_team_with_a_history_is_kept_whole(transactions, stage: Stage):
    await stage.fire("Disk")

    applied = await apply(transactions, "teams: []", prune=True)

    assert lines(applied) == ["= team Payments stays: it has incidents, which are kept"]


async def test_whoever_was_paged_is_made_inactive_instead(transactions, stage: Stage):
    await stage.fire("Disk")

    others = [{"name": user.name, "email": user.email} for user in (stage.second, stage.manager)]

    applied = await apply(transactions, f"users: {others}", prune=True)
    again = await apply(transactions, f"users: {others}", prune=True)

    (line,) = lines(applied)
    assert line == (
        f"~ user {stage.first.email}: is_active true → false; "
        "it was paged, and the record of that is kept"
    )
    assert lines(again) == []


async def test_a_policy_that_incidents_climb_is_not_pruned(transactions, stage: Stage):
    await stage.fire("Disk")

    applied = await apply(
        transactions, "teams: [{name: Payments, escalation_policies: []}]", prune=True
    )

    assert lines(applied) == [
        f"= escalation policy Payments / {stage.policy.name} stays: 1 active incidents use it"
    ]


async def test_a_key_that_the_file_brings_replaces_the_present_one_after_a_day(transactions, clock):
    applied = await apply(transactions, EVERYTHING)
    old = dict(applied.secrets)["key of integration Payments / Checkout / Alertmanager"]
    digest = tokens.digest("a key of our own")
    brought = EVERYTHING.replace(
        "kind: alertmanager\n", f"kind: alertmanager\n            key_digest: {digest}\n"
    )

    changed = await apply(transactions, brought)

    assert changed.secrets == []
    async with transactions.open() as tx:
        found = [
            await find_integration(tx.session, key, tx.now) for key in (old, "a key of our own")
        ]
    assert None not in found
    clock.advance(minutes=24 * 60)
    async with transactions.open() as tx:
        assert await find_integration(tx.session, old, tx.now) is None


async def test_the_console_of_dev_is_no_configuration(transactions, stage: Stage):
    async with transactions.open() as tx:
        await factories.make_contact_method(tx, stage.first, kind=Channel.CONSOLE, address="First")

    assert "console" not in await export(transactions)


async def test_two_files_at_once_make_each_thing_once(transactions):
    await asyncio.gather(*(apply(transactions, EVERYTHING) for _ in range(3)))

    assert (await apply(transactions, EVERYTHING)).plan.is_empty


async def test_an_address_that_differs_in_case_is_another_one(transactions):
    user = (
        "users: [{{name: A, email: a@example.org, contact_methods: [{{kind: ntfy, address: {}}}]}}]"
    )
    await apply(transactions, user.format("Topic"))

    applied = await apply(transactions, user.format("topic"), prune=True)
    again = await apply(transactions, user.format("topic"), prune=True)

    assert lines(applied) == [
        "+ contact method a@example.org / ntfy",
        "- contact method a@example.org / ntfy",
    ]
    assert lines(again) == []


async def test_a_name_that_differs_in_case_is_a_change(transactions):
    await apply(transactions, "teams: [{name: Payments}]")

    assert lines(await apply(transactions, "teams: [{name: PAYMENTS}]")) == [
        "~ team PAYMENTS: name Payments → PAYMENTS"
    ]


async def test_an_integration_is_found_again_by_its_key(transactions):
    await apply(transactions, EVERYTHING)
    exported = await export(transactions)

    applied = await apply(transactions, exported.replace("name: Alertmanager", "name: Renamed"))

    assert lines(applied) == [
        "~ integration Payments / Checkout / Renamed: name Alertmanager → Renamed"
    ]


async def test_what_a_service_with_a_history_pages_by_is_not_pruned(transactions, stage: Stage):
    await stage.fire("Disk")
    await stage.do("resolve", await stage.incident())

    applied = await apply(
        transactions, "teams: [{name: Payments, services: [], escalation_policies: []}]", prune=True
    )

    assert [line.split()[0] for line in lines(applied)] == ["=", "="]


async def test_whoever_is_made_inactive_and_still_named_is_told(transactions):
    applied = await apply(transactions, EVERYTHING)

    (warning,) = applied.warnings
    assert warning.startswith("user second@example.org is inactive.")
    assert "On call" in warning


async def test_each_thing_that_a_file_makes_is_one_entry_of_the_audit_log(transactions):
    applied = await apply(transactions, EVERYTHING)
    await apply(transactions, EVERYTHING)

    async with transactions.open() as tx:
        entries = (await tx.session.scalars(select(AuditEntry))).all()
    assert len(entries) == len([each for each in lines(applied) if each.startswith("+")])
    assert {(entry.action, entry.actor_name) for entry in entries} == {
        ("apply_configuration", "configuration file")
    }
    assert len({(entry.resource_type, entry.resource_id, entry.team_id) for entry in entries}) == 16
    assert "whsec_" not in str([entry.after for entry in entries])
