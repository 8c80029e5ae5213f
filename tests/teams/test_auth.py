from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from tests import factories
from tests.credentials import key_with

from incident_service.teams.auth import KeyLimited, Person, Principal
from incident_service.teams.models import ApiKey, Scope

OURS, THEIRS = uuid4(), uuid4()


def principal(team_ids: frozenset[UUID] | None) -> Principal:
    return Principal(uuid4(), "key", frozenset({Scope.MANAGE}), team_ids)


async def test_without_a_key_the_answer_is_401(anonymous):
    answer = await anonymous.get("/v1/teams")

    assert answer.status_code == 401
    assert answer.json()["code"] == "key_not_valid"
    assert answer.headers["WWW-Authenticate"] == "Bearer"  # browsers would ask for a password


@pytest.mark.parametrize("key", ["isk_unknown", "ünknown", ""])
async def test_an_unknown_key_is_401(anonymous, key):
    answer = await anonymous.get("/v1/teams", headers={"Authorization": f"Bearer {key}".encode()})

    assert answer.status_code == 401


async def test_a_key_works_until_it_expires(anonymous, transactions, clock):
    headers = await key_with(transactions, expires_at=clock.now + timedelta(minutes=1))

    before = await anonymous.get("/v1/teams", headers=headers)
    clock.advance(minutes=1)
    after = await anonymous.get("/v1/teams", headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_revoked_key_is_401(anonymous, transactions, clock):
    headers = await key_with(transactions, revoked_at=clock.now)

    answer = await anonymous.get("/v1/teams", headers=headers)

    assert answer.status_code == 401


@pytest.mark.parametrize(("is_active", "status"), [(True, 200), (False, 401)])
async def test_a_key_acts_for_its_person_while_that_is_active(
    anonymous, transactions, is_active, status
):
    async with transactions.open() as tx:
        user = await factories.make_user(tx, is_active=is_active)
    headers = await key_with(transactions, user_id=user.id)

    answer = await anonymous.get("/v1/teams", headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize("scope", ["respond", "manage"])
async def test_no_scope_but_admin_implies_reading(anonymous, transactions, scope):
    headers = await key_with(transactions, scopes=[scope])

    answer = await anonymous.get("/v1/teams", headers=headers)

    assert answer.status_code == 403
    assert answer.json()["code"] == "scope_missing"


async def test_a_key_is_stored_as_its_hash_only(transactions):
    headers = await key_with(transactions)

    async with transactions.open() as tx:
        row = (await tx.session.scalars(select(ApiKey))).one()
    assert headers["Authorization"].removeprefix("Bearer ") not in str(vars(row))


@pytest.mark.parametrize(
    ("limit", "their_teams", "allowed"),
    [
        (None, set(), True),
        (None, {THEIRS}, True),
        (frozenset({OURS}), {OURS}, True),
        (frozenset({OURS}), {OURS, THEIRS}, False),
        (frozenset({OURS}), {THEIRS}, False),
        (frozenset({OURS}), set(), False),
        (frozenset({OURS, THEIRS}), {OURS, THEIRS}, True),
    ],
)
def test_a_limited_key_changes_only_people_of_its_teams_alone(limit, their_teams, allowed):
    try:
        principal(limit).require_own_person(Person(uuid4(), frozenset(their_teams)))
        changed = True
    except KeyLimited:
        changed = False

    assert changed == allowed


def test_a_limited_key_may_see_how_a_shared_colleague_is_reached():
    principal(frozenset({OURS})).require_colleague(Person(uuid4(), frozenset({OURS, THEIRS})))


def test_a_limited_key_may_not_see_how_a_stranger_is_reached():
    with pytest.raises(KeyLimited):
        principal(frozenset({OURS})).require_colleague(Person(uuid4(), frozenset({THEIRS})))


@pytest.mark.parametrize("team_ids", [frozenset(), frozenset({OURS})])
def test_a_limited_key_takes_in_and_changes_no_admin(team_ids):
    admin = Person(uuid4(), team_ids, is_admin=True)

    with pytest.raises(KeyLimited):
        principal(frozenset({OURS})).require_own_person(admin)
    if not team_ids:
        with pytest.raises(KeyLimited):
            principal(frozenset({OURS})).require_free_or_colleague(admin)
    principal(None).require_own_person(admin)
