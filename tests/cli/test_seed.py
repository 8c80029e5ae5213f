"""What `dev` makes the first time is there, and works, every time."""

from sqlalchemy import select

from incident_service.catalog.models import Integration, Service
from incident_service.catalog.queries import find_integration
from incident_service.cli.dev.reach import Reach
from incident_service.cli.seed import Keys, seed
from incident_service.core.db import Transactions
from incident_service.policies.models import EscalationLevel, EscalationPolicy
from incident_service.teams.auth import find_principal
from incident_service.teams.models import ContactMethod, Scope, User

NOBODY = Reach()
UNKNOWN = Keys()


async def sow(
    transactions: Transactions, known: Keys = UNKNOWN, now: Reach = NOBODY, before: Reach = NOBODY
) -> Keys:
    return await transactions.run(lambda tx: seed(tx, known, now, before))


async def enabled(transactions: Transactions) -> set[tuple[str, str]]:
    async with transactions.open() as tx:
        rows = await tx.session.scalars(select(ContactMethod).where(ContactMethod.is_enabled))
        return {(row.kind.value, row.address) for row in rows}


async def test_there_is_a_team_to_be_paged(transactions):
    await sow(transactions)

    async with transactions.open() as tx:
        users = (await tx.session.scalars(select(User))).all()
        policy = (await tx.session.scalars(select(EscalationPolicy))).one()
        levels = (await tx.session.scalars(select(EscalationLevel))).all()
        service = (await tx.session.scalars(select(Service))).one()
    assert len(users) == len(levels) == 2
    assert [level.timeout_minutes for level in levels] == [10, 10]
    assert (policy.repeat_count, policy.is_default) == (3, True)
    assert service.team_id == policy.team_id
    assert await enabled(transactions) == {("console", user.name) for user in users}


async def test_the_keys_work(transactions):
    keys = await sow(transactions)

    async with transactions.open() as tx:
        principal = await find_principal(tx, keys.api_key)
        integration = await find_integration(tx.session, keys.integration_key, tx.now)
    assert principal is not None
    assert principal.may(Scope.ADMIN)
    assert integration is not None


async def test_a_second_time_changes_nothing(transactions):
    keys = await sow(transactions)

    again = await sow(transactions, keys)

    async with transactions.open() as tx:
        services = (await tx.session.scalars(select(Service))).all()
    assert again == keys
    assert len(services) == 1


async def test_a_lost_key_is_made_anew_and_the_old_one_goes_on_for_a_day(transactions, clock):
    lost = await sow(transactions)

    keys = await sow(transactions)

    async with transactions.open() as tx:
        integrations = (await tx.session.scalars(select(Integration))).all()
        old = await find_integration(tx.session, lost.integration_key, tx.now)
        new = await find_integration(tx.session, keys.integration_key, tx.now)
    assert len(integrations) == 1
    assert old == new == integrations[0]


async def test_people_are_reached_as_the_last_start_said(transactions):
    ntfy, mail = Reach(ntfy_topic="a-topic"), Reach(email="me@example.org")
    keys = await sow(transactions, now=ntfy)

    await sow(transactions, keys, now=mail, before=ntfy)

    kinds = {kind for kind, _ in await enabled(transactions)}
    assert kinds == {"console", "email"}
