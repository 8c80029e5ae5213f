"""PATCH as RFC 7396 has it: absent keeps, null clears, objects merge. All PATCH operations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.conditions import ASKED, DOCUMENT, OPERATIONS
from tests.teams.test_permissions import World

from incident_service.core.audit import AuditEntry
from incident_service.web.merge_patch import merged

PATCHES = sorted(each.name for each in OPERATIONS.values() if each.method == "patch")
MEDIA_TYPE = "application/merge-patch+json"
# What each PATCH takes, and the fields among it that null clears.
FIELDS = {
    "update_api_key": {"name", "expires_at"},
    "update_contact_method": {"address", "bundle", "is_enabled"},
    "update_escalation_policy": {
        "name",
        "description",
        "is_default",
        "is_active",
        "repeat_count",
        "ack_timeout_minutes",
        "exhausted_reminder_minutes",
        "levels",
    },
    "update_integration": {"service_id", "name", "is_enabled"},
    "update_maintenance_window": {"service_id", "matchers", "starts_at", "ends_at", "reason"},
    "update_schedule": {"name", "description", "time_zone", "layers"},
    "update_service": {
        "name",
        "description",
        "external_id",
        "escalation_policy_id",
        "grouping",
        "grouping_labels",
        "page_from",
        "severity_map",
        "auto_resolve",
        "reopen_window_minutes",
        "stale_after_minutes",
        "resolve_stale",
    },
    "update_team": {"name", "external_id"},
    "update_team_channel": {"name", "address", "bundle", "is_enabled"},
    "update_user": {"name", "email", "time_zone", "external_id", "is_active"},
    "update_webhook_subscription": {"name", "url", "kinds", "is_enabled"},
}
# What to set so that there is something for null to clear.
CLEARED: dict[tuple[str, str], Any] = {
    ("update_api_key", "expires_at"): "2099-01-01T00:00:00Z",
    ("update_escalation_policy", "ack_timeout_minutes"): 30,
    ("update_escalation_policy", "exhausted_reminder_minutes"): 30,
    ("update_maintenance_window", "service_id"): lambda world: str(world.stage.service.id),
    ("update_service", "external_id"): "from-elsewhere",
    ("update_service", "escalation_policy_id"): lambda world: str(world.stage.policy.id),
    ("update_service", "stale_after_minutes"): 600,
    ("update_team", "external_id"): "from-elsewhere",
    ("update_user", "external_id"): "from-elsewhere",
}
KEPT = [(name, each) for name, fields in FIELDS.items() for each in sorted(fields)]
REFUSING = [each for each in KEPT if each not in CLEARED]


@pytest.fixture
async def world(api, stage, transactions, kept) -> World:
    return await World(api, stage, transactions).set_up(kept)


async def url_of(world: World, name: str) -> str:
    return (await ASKED[name](world))[1]


async def count_entries(world: World) -> int:
    async with world.transactions.open() as tx:
        return await tx.session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_the_tables_name_every_field_of_every_patch():
    found = {}
    for name in PATCHES:
        content = OPERATIONS[name].content["requestBody"]["content"]["application/json"]
        schema = content["schema"]["$ref"].rpartition("/")[2]
        found[name] = set(DOCUMENT["components"]["schemas"][schema]["properties"])

    assert found == FIELDS


def test_no_patch_has_an_object_that_is_not_merged():
    objects = {
        (schema, name)
        for schema, content in DOCUMENT["components"]["schemas"].items()
        if schema.endswith("Update")
        for name, field in content["properties"].items()
        if any("additionalProperties" in each for each in field.get("anyOf", [field]))
    }

    assert objects == {("ServiceUpdate", "severity_map")}


@pytest.mark.parametrize("name", PATCHES)
@pytest.mark.parametrize("media_type", [MEDIA_TYPE, "application/json"])
async def test_an_empty_patch_changes_nothing_and_is_no_entry(world, name, media_type, clock):
    url = await url_of(world, name)
    before = await world.api.get(url)
    entries = await count_entries(world)
    clock.advance(minutes=1)

    answer = await world.api.patch(url, content=b"{}", headers={"Content-Type": media_type})

    after = await world.api.get(url)
    assert (answer.status_code, after.content) == (200, before.content)
    assert answer.headers["etag"] == before.headers["etag"]
    assert await count_entries(world) == entries


@pytest.mark.parametrize("name", PATCHES)
async def test_what_is_there_already_is_no_change(world, name, clock):
    url = await url_of(world, name)
    shown = (await world.api.get(url)).json()
    hidden = {"levels", "layers", "address", "url"}
    same = {each: shown[each] for each in FIELDS[name] - hidden}
    clock.advance(minutes=1)

    answer = await world.api.patch(url, json=same)

    assert answer.status_code == 200
    assert answer.json()["updated_at"] == shown["updated_at"]


@pytest.mark.parametrize(("name", "field"), CLEARED)
async def test_null_clears_what_may_be_missing(world, name, field):
    url = await url_of(world, name)
    value = CLEARED[name, field]
    there = {field: value(world) if callable(value) else value}
    assert (await world.api.patch(url, json=there)).json()[field] is not None

    answer = await world.api.patch(url, json={field: None})

    assert (answer.status_code, answer.json()[field]) == (200, None)


@pytest.mark.parametrize(("name", "field"), REFUSING)
async def test_null_is_refused_where_something_has_to_be(world, name, field):
    url = await url_of(world, name)
    before = await world.api.get(url)

    answer = await world.api.patch(url, json={field: None})

    errors = answer.json()["errors"]
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in errors] == [(f"/{field}", "null_refused")]
    assert (await world.api.get(url)).content == before.content


async def test_every_null_that_is_refused_is_named(world):
    url = await url_of(world, "update_service")

    answer = await world.api.patch(url, json={"name": None, "grouping": None})

    assert [each["pointer"] for each in answer.json()["errors"]] == ["/name", "/grouping"]


async def test_an_object_is_merged_name_by_name(world):
    url = await url_of(world, "update_service")
    await world.api.patch(url, json={"severity_map": {"p0": "critical", "blip": "info"}})

    answer = await world.api.patch(
        url, json={"severity_map": {"BLIP": None, "odd": "low", "none such": None}}
    )

    assert answer.json()["severity_map"] == {"p0": "critical", "odd": "low"}


async def test_an_object_does_not_grow_beyond_its_limit(world):
    url = await url_of(world, "update_service")
    words = [f"word {n}" for n in range(60)]
    await world.api.patch(url, json={"severity_map": dict.fromkeys(words[:40], "low")})

    answer = await world.api.patch(url, json={"severity_map": dict.fromkeys(words[40:], "low")})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/severity_map")


# The examples of RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_values_are_merged_as_the_rfc_shows(target, patch, result):
    assert merged(target, patch) == result


values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=8,
)
patches = st.recursive(
    st.none() | st.integers(),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=8,
)


@given(values, patches)
def test_a_patch_applied_twice_is_a_patch_applied_once(target, patch):
    once = merged(target, patch)

    assert merged(once, patch) == once


@given(values)
def test_an_empty_patch_keeps_an_object(target):
    assert merged({"a": target}, {}) == {"a": target}
