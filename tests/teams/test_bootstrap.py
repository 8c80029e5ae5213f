import asyncio

import pytest
from sqlalchemy import select
from tests import factories

from incident_service.core.db import Transactions
from incident_service.teams.auth import find_principal
from incident_service.teams.bootstrap import (
    ContactUnreadable,
    KeyTooWeak,
    ensure_bootstrap_key,
    ensure_fallback_contact,
)
from incident_service.teams.models import ApiKey, Channel, ContactMethod, Scope

KEY = "a-key-chosen-by-the-operator"


async def bootstrap(transactions: Transactions, key: str = KEY) -> bool:
    async with transactions.open() as tx:
        return await ensure_bootstrap_key(tx, key)


async def contacts(transactions: Transactions) -> list[ContactMethod]:
    async with transactions.open() as tx:
        return list(await tx.session.scalars(select(ContactMethod).order_by(ContactMethod.id)))


async def fall_back_to(transactions: Transactions, contact: str) -> None:
    async with transactions.open() as tx:
        await ensure_fallback_contact(tx, contact)


async def test_the_first_start_makes_an_admin_key(transactions):
    made = await bootstrap(transactions)

    async with transactions.open() as tx:
        principal = await find_principal(tx, KEY)
    assert made
    assert principal is not None
    assert principal.may(Scope.ADMIN)
    assert principal.team_ids is None


async def test_ten_processes_that_start_at_once_make_one_key(transactions):
    made = await asyncio.gather(*(bootstrap(transactions) for _ in range(10)))

    async with transactions.open() as tx:
        keys = list(await tx.session.scalars(select(ApiKey)))
    assert sorted(made) == [False] * 9 + [True]
    assert len(keys) == 1


async def test_a_changed_setting_makes_no_second_key(transactions):
    await bootstrap(transactions)

    made = await bootstrap(transactions, "another-key-of-the-operator")

    async with transactions.open() as tx:
        assert await find_principal(tx, "another-key-of-the-operator") is None
    assert not made


async def test_a_revoked_bootstrap_key_stays_revoked(transactions):
    await bootstrap(transactions)
    async with transactions.open() as tx:
        (await tx.session.scalars(select(ApiKey))).one().revoked_at = tx.now

    made = await bootstrap(transactions)

    async with transactions.open() as tx:
        assert await find_principal(tx, KEY) is None
    assert not made


@pytest.mark.parametrize("key", ["short", "x" * 19, "with spaces in between", "ü" * 20])
async def test_a_key_that_is_weak_or_cannot_be_sent_is_refused(transactions, key):
    with pytest.raises(KeyTooWeak):
        await bootstrap(transactions, key)


async def test_the_bootstrap_key_is_not_stored(transactions):
    await bootstrap(transactions)

    async with transactions.open() as tx:
        row = (await tx.session.scalars(select(ApiKey))).one()
    assert KEY not in str(vars(row))
    assert len(row.hint) == 4


@pytest.mark.parametrize(
    ("contact", "kind", "address"),
    [
        ("mailto:ops@example.org", Channel.EMAIL, "ops@example.org"),
        ("ntfy:ops", Channel.NTFY, "ops"),
        ("https://hook.example/x", Channel.WEBHOOK, "https://hook.example/x"),
    ],
)
async def test_the_setting_becomes_the_fallback_contact(transactions, contact, kind, address):
    await fall_back_to(transactions, contact)

    [method] = await contacts(transactions)
    assert (method.kind, method.address) == (kind, address)
    assert method.is_enabled
    assert method.user_id is None


async def test_a_webhook_contact_keeps_its_secret_over_restarts(transactions):
    await fall_back_to(transactions, "https://hook.example/x")
    [before] = await contacts(transactions)

    await fall_back_to(transactions, "https://hook.example/x")

    [after] = await contacts(transactions)
    assert (after.signing_secret or "").startswith("whsec_")
    assert after.signing_secret == before.signing_secret
    assert after.updated_at == before.updated_at


async def test_another_setting_takes_over_from_the_former(transactions):
    await fall_back_to(transactions, "mailto:ops@example.org")

    await fall_back_to(transactions, "ntfy:ops")

    enabled = {method.address: method.is_enabled for method in await contacts(transactions)}
    assert enabled == {"ops@example.org": False, "ops": True}


async def test_a_former_setting_may_come_back(transactions):
    for contact in ("mailto:ops@example.org", "ntfy:ops", "mailto:ops@example.org"):
        await fall_back_to(transactions, contact)

    enabled = {method.address: method.is_enabled for method in await contacts(transactions)}
    assert enabled == {"ops@example.org": True, "ops": False}


async def test_an_empty_setting_disables_the_contact(transactions):
    await fall_back_to(transactions, "ntfy:ops")

    await fall_back_to(transactions, "")

    [method] = await contacts(transactions)
    assert not method.is_enabled


async def test_peoples_contact_methods_are_left_alone(transactions):
    async with transactions.open() as tx:
        await factories.make_user(tx)

    await fall_back_to(transactions, "")

    [method] = await contacts(transactions)
    assert method.is_enabled


async def test_processes_that_start_at_once_make_one_contact(transactions):
    await asyncio.gather(*(fall_back_to(transactions, "ntfy:ops") for _ in range(10)))

    assert len(await contacts(transactions)) == 1


@pytest.mark.parametrize("contact", ["ops@example.org", "ntfy:a b", "mailto:x", "https://u:p@h/"])
async def test_a_contact_that_cannot_be_used_is_refused(transactions, contact):
    with pytest.raises(ContactUnreadable):
        await fall_back_to(transactions, contact)
