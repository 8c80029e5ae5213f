"""Addresses and secrets are sealed in the database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from tests import factories
from tests.fakes import FrozenClock, RememberingQueue

from incident_service.cli.sealing import SEALED
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.resealing import put, reseal
from incident_service.core.sealing import PREFIX, SealBroken, Sealer
from incident_service.teams.models import Channel, ContactMethod

OLD, NEW = "o" * 32, "n" * 32
ADDRESS = "https://pager.example/secret"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_is_sealed_is_opened_and_sealed_alike(plain):
    sealer = Sealer([NEW])

    sealed = sealer.seal(plain)

    assert sealed.startswith(PREFIX)
    assert sealer.open(sealed) == plain
    assert sealer.seal(plain) == sealed


def test_what_an_earlier_key_has_sealed_is_opened():
    assert Sealer([NEW, OLD]).open(Sealer([OLD]).seal("a")) == "a"


@pytest.mark.parametrize("keys", [[], [NEW]])
def test_without_its_key_nothing_is_opened(keys):
    with pytest.raises(SealBroken):
        Sealer(keys).open(Sealer([OLD]).seal("a"))


def test_what_was_changed_is_not_opened():
    sealed = Sealer([OLD]).seal("a topic")

    with pytest.raises(SealBroken):
        Sealer([OLD]).open(sealed[:-6] + "AAAA==")


def test_without_a_key_texts_stay_as_they_are():
    assert Sealer().seal(ADDRESS) == Sealer().open(ADDRESS) == Sealer([NEW]).open(ADDRESS)


@asynccontextmanager
async def with_keys(
    database_url: str, keys: Sequence[str], clock: FrozenClock | None = None
) -> AsyncIterator[Transactions]:
    engine = make_engine(database_url, pool_size=1, sealing_keys=keys)
    try:
        yield Transactions(make_sessions(engine), RememberingQueue(), clock or FrozenClock())
    finally:
        await engine.dispose()


async def stored(transactions: Transactions) -> str:
    async with transactions.open() as tx:
        found: str = await tx.session.scalar(text("SELECT address FROM contact_methods"))
        return found


async def test_an_address_is_stored_sealed_and_read_as_it_is(transactions, database_url):
    async with with_keys(database_url, [NEW]) as sealing:
        async with sealing.open() as tx:
            user = await factories.make_user(tx, address=ADDRESS)
        async with sealing.open() as tx:
            rows = await tx.session.execute(
                text("SELECT id FROM contact_methods WHERE user_id = :id"), {"id": user.id}
            )
            method = await tx.session.get_one(ContactMethod, rows.scalar_one())
            read = method.address

    assert read == ADDRESS
    assert (await stored(transactions)).startswith(PREFIX)


async def test_plain_texts_and_those_of_an_earlier_key_are_sealed_anew(transactions, database_url):
    async with transactions.open() as tx:
        await factories.make_user(tx, address=ADDRESS, channel=Channel.NTFY)
    seen = [
        await reseal(transactions, Sealer(keys), SEALED) for keys in ([OLD], [NEW, OLD], [NEW, OLD])
    ]

    assert seen == [(1, 0), (1, 0), (0, 0)]
    assert Sealer([NEW]).open(await stored(transactions)) == ADDRESS


async def test_an_address_that_is_there_twice_is_left(transactions, database_url):
    async with transactions.open() as tx:
        user = await factories.make_user(tx, address=ADDRESS)
    async with with_keys(database_url, [NEW]) as sealing, sealing.open() as tx:
        await factories.make_contact_method(tx, user, address=ADDRESS)

    assert await reseal(transactions, Sealer([NEW]), SEALED) == (0, 1)


async def test_what_nobody_can_open_keeps_nothing_from_working(api, transactions, database_url):
    async with with_keys(database_url, [OLD]) as sealing, sealing.open() as tx:
        user = await factories.make_user(tx, address=ADDRESS)
    url = f"/v1/users/{user.id}/contact-methods"

    left = await reseal(transactions, Sealer([NEW]), SEALED)
    (listed,) = (await api.get(url)).json()["items"]
    changed = await api.patch(
        f"{url}/{listed['id']}", json={"address": "https://pager.example/new"}
    )

    assert left == (0, 1)
    assert changed.status_code == 200


async def test_what_changes_meanwhile_stays_as_it_was_changed(transactions, database_url):
    async with transactions.open() as tx:
        await factories.make_user(tx, address="https://pager.example/new")
        (method,) = (await tx.session.scalars(select(ContactMethod))).all()

    done = await put(
        transactions, ContactMethod.address, method.id, "https://pager.example/old", "sealed:x"
    )

    assert done
    assert await stored(transactions) == "https://pager.example/new"
