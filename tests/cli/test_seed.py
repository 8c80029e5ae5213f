"""What `dev` makes the first time is there, and works, every time."""

from datetime import timedelta

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


async def test_there_are_two_teams_to_be_paged(transactions):
    await sow(transactions)

    async with transactions.open() as tx:
        users = (await tx.session.scalars(select(User))).all()
        policies = (await tx.session.scalars(select(EscalationPolicy))).all()
        levels = (await tx.session.scalars(select(EscalationLevel))).all()
        services = (await tx.session.scalars(select(Service))).all()
    assert (len(users), len(levels)) == (3, 4)
    assert {level.timeout_minutes for level in levels} == {10}
    assert {(policy.repeat_count, policy.is_default) for policy in policies} == {(3, True)}
    assert {service.team_id for service in services} == {policy.team_id for policy in policies}
    assert await enabled(transactions) == {("console", user.name) for user in users}


async def test_a_week_each_with_an_override_tomorrow(api, transactions, clock):
    await sow(transactions)
    people = {item["id"]: item["name"] for item in (await api.get("/v1/users")).json()["items"]}

    found = []
    for days, hour in ((0, 12), (1, 18), (1, 22), (7, 12)):
        at = clock.now.replace(hour=hour) + timedelta(days=days)
        shown = await api.get("/v1/on-call", params={"at": at.isoformat()})
        primary = shown.json()["items"][0]
        found.append(people[primary["now"]["user_id"]])

    assert found == [
        "First Responder",
        "Second Responder",
        "First Responder",
        "Second Responder",
    ]


async def test_alerts_of_the_platform_go_to_its_team(api, transactions):
    keys = await sow(transactions)

    answer = await api.post(
        f"/v1/ingest/alertmanager/{keys.integration_key}",
        json={"alerts": [{"labels": {"alertname": "Node", "team": "platform"}}]},
    )

    incident_id = answer.json()["results"][0]["incident_id"]
    incident = (await api.get(f"/v1/incidents/{incident_id}")).json()
    service = (await api.get(f"/v1/services/{incident['service_id']}")).json()
    assert service["name"] == "Platform service"


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
    assert len(services) == 2


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
