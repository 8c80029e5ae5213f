"""Keys that are refused are in the audit log, and cannot fill it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from tests.credentials import key_with
from tests.fakes import FrozenClock

from incident_service.core.audit import AuditEntry
from incident_service.teams.refusals import MOST_APART, WINDOW, Refusal, Tally, hint_of


@pytest.fixture
def refused(stage):
    async def find() -> list[Any]:
        found = select(AuditEntry).where(AuditEntry.refused.is_not(None)).order_by(AuditEntry.id)
        rows: list[AuditEntry] = await stage.rows(found)
        return rows

    return find


async def test_an_unknown_key_is_kept_by_its_beginning_only(anonymous, refused):
    headers = {"Authorization": "Bearer isk_abcdefghijklmnop"}

    answer = await anonymous.get("/v1/teams", headers=headers)

    (entry,) = await refused()
    assert answer.status_code == 401
    assert entry.refused == {
        "code": "key_not_valid",
        "key_hint": "isk_abcd",
        "address": "127.0.0.1",
    }
    assert (entry.action, entry.actor_type, entry.count) == ("list_teams", "unknown", 1)
    assert entry.request_id == answer.headers["x-request-id"]


async def test_a_key_that_may_not_do_this_is_named(anonymous, transactions, refused):
    headers = await key_with(transactions, scopes=["read"], name="dashboard")

    answer = await anonymous.post("/v1/teams", json={"name": "Mine"}, headers=headers)

    (entry,) = await refused()
    assert answer.status_code == 403
    assert (entry.action, entry.actor_type, entry.actor_name) == (
        "create_team",
        "api_key",
        "dashboard",
    )
    assert entry.refused["code"] == "scope_missing"


@pytest.mark.parametrize("path", ["", "/isi_0123456789"])
async def test_a_senders_key_that_is_refused_is_kept_too(anonymous, refused, path):
    headers = {} if path else {"X-API-Key": "isi_0123456789"}

    answer = await anonymous.post(f"/v1/ingest/alertmanager{path}", json={}, headers=headers)

    (entry,) = await refused()
    assert answer.status_code == 401
    assert entry.refused["key_hint"] == "isi_0123"
    assert entry.action.startswith("ingest_alertmanager")


async def test_who_sends_no_key_has_tried_nothing(anonymous, refused):
    answer = await anonymous.get("/v1/teams")

    assert answer.status_code == 401
    assert await refused() == []


async def test_the_same_key_again_and_again_is_few_rows(anonymous, refused):
    for _ in range(12):
        await anonymous.get("/v1/teams", headers={"Authorization": "Bearer isk_again"})

    assert [entry.count for entry in await refused()] == [1, 10]


async def test_what_a_key_may_not_do_is_kept_for_each_operation(anonymous, transactions, refused):
    headers = await key_with(transactions, scopes=["read"], name="dashboard")

    for path in ("teams", "users", "teams"):
        await anonymous.post(f"/v1/{path}", json={}, headers=headers)

    assert [(entry.action, entry.count) for entry in await refused()] == [
        ("create_team", 1),
        ("create_user", 1),
    ]


async def test_other_keys_each_time_are_few_rows(anonymous, refused):
    for number in range(MOST_APART + 12):
        await anonymous.get("/v1/teams", headers={"Authorization": f"Bearer {number:04}secret"})

    entries = await refused()
    assert len(entries) == MOST_APART + 2
    assert [entry.refused["code"] for entry in entries[-2:]] == ["others", "others"]
    assert not any("secret" in entry.refused["key_hint"] for entry in entries)


@given(st.lists(st.integers(0, 200), max_size=2_000))
def test_whatever_is_tried_within_a_window_is_a_bounded_number_of_rows(keys):
    tally, clock = Tally(), FrozenClock()

    written = [
        tally.count(Refusal("list_teams", "key_not_valid", f"{key}", None), clock.now)
        for key in keys
    ]

    assert len([each for each in written if each]) <= (MOST_APART + 1) * 4
    assert not keys or written[0]


def test_a_new_window_begins_to_count_anew():
    tally, clock = Tally(), FrozenClock()
    refusal = Refusal("list_teams", "key_not_valid", "isk_abcd", None)

    counted = [tally.count(refusal, clock.now + n * WINDOW) for n in range(3)]

    assert counted == [(refusal, 1)] * 3
    assert tally.count(refusal, clock.now + 2 * WINDOW + timedelta(0)) is None


@given(st.text())
def test_a_hint_is_short_and_can_be_stored(key):
    hint = hint_of(key)

    assert len(hint) <= 8
    assert hint.isascii()
    assert hint.isprintable()
