"""Webhooks that come together: stored together, at the same cost, and each answered for itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.alerts.vectors.table import GOOD, NOW, PATH, alert, webhook
from tests.fakes import RememberingQueue
from tests.stage import Stage
from tests.waiting import eventually

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.intake import AT_ONCE, Intake, NotStored
from incident_service.alerts.limits import DEFAULT, limits_of
from incident_service.alerts.models import Alert
from incident_service.alerts.senders import Sender
from incident_service.catalog.models import Integration
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.ids import new_id
from incident_service.main import create_app
from incident_service.settings import Settings


def named(*names: str, **changes: Any) -> bytes:
    """A webhook of alerts that wake nobody."""
    labels = {"alertname": "A", "severity": "info"}
    return webhook(*(alert(labels=labels, fingerprint=name, **changes) for name in names))


async def xmins(stage: Stage) -> dict[str, str]:
    """By fingerprint, the transaction that wrote the alert last."""
    async with stage.transactions.open() as tx:
        rows = await tx.session.execute(text("SELECT fingerprint, xmin::text FROM alerts"))
        return {row.fingerprint: row.xmin for row in rows}


async def incident_versions(stage: Stage) -> list[tuple[str, int]]:
    """The transactions that wrote the incidents last, and how many events there are."""
    async with stage.transactions.open() as tx:
        rows = await tx.session.execute(
            text("SELECT i.xmin::text, (SELECT count(*) FROM incident_events) FROM incidents i")
        )
        return sorted((xmin, events) for xmin, events in rows)


HELD = [f"Held {number}" for number in range(AT_ONCE)]
"""One for each batch that the intake notes at once."""


@asynccontextmanager
async def busy(sender: httpx.AsyncClient, stage: Stage) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Hold the rows of `HELD`, and have the intake wait for both; yield who is to be answered."""
    async with stage.transactions.open() as tx:
        await tx.session.execute(
            select(Alert.id).where(Alert.fingerprint.in_(HELD)).with_for_update()
        )
        waiting = []
        for count, name in enumerate(HELD, start=1):
            waiting.append(asyncio.create_task(sender.post(PATH, content=named(name))))
            await until_so_many_wait(stage, count)
        yield waiting
        await until_so_many_wait(stage, len(HELD))  # what came meanwhile has been read by then


async def until_so_many_wait(stage: Stage, count: int) -> None:
    async def wait() -> bool:
        async with stage.transactions.open() as tx:
            found = await tx.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(found == count)

    await eventually(wait, f"{count} transactions that wait for a row")


@contextmanager
def counted_statements(engine: AsyncEngine) -> Iterator[list[str]]:
    """Collect what is sent to PostgreSQL."""
    statements: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        statements.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


# --- together


async def test_what_comes_while_a_transaction_is_at_work_goes_into_the_next(sender, stage):
    names = [*HELD, *"ABCDE"]
    await sender.post(PATH, content=named(*names))

    async with busy(sender, stage) as first:
        others = [asyncio.create_task(sender.post(PATH, content=named(name))) for name in "ABCDE"]
    answers = await asyncio.gather(*first, *others)

    written_by = await xmins(stage)
    assert [answer.json()["results"][0]["fingerprint"] for answer in answers] == names
    assert len({written_by[name] for name in "ABCDE"}) == 1
    assert written_by["A"] not in [written_by[name] for name in HELD]


async def test_new_alerts_that_come_together_are_stored_by_one_transaction(sender, stage):
    await sender.post(PATH, content=webhook(alerts=[]))  # the sender is known from here on

    await asyncio.gather(*(sender.post(PATH, content=named(name)) for name in "ABCDEFGHIJ"))

    assert len(await stage.alerts()) == 10
    assert len(set((await xmins(stage)).values())) <= AT_ONCE + 1


async def test_a_bad_webhook_costs_none_of_those_it_came_with(transactions, stage):
    intake = Intake(transactions)
    good, gone = Sender(stage.integration.id, stage.service.id), Sender(new_id(), stage.service.id)

    async def fold(sender: Sender, name: str) -> object:
        return await intake.fold(sender, alertmanager.read(named(name)).alerts)

    results = await asyncio.gather(
        fold(good, "A"), fold(gone, "B"), fold(good, "C"), return_exceptions=True
    )

    assert [type(result) for result in results] == [list, NotStored, list]
    assert sorted(row.fingerprint for row in await stage.alerts()) == ["A", "C"]


async def test_a_caller_that_hangs_up_costs_nobody_anything(sender, stage):
    await sender.post(PATH, content=named(*HELD, "A", "B"))

    async with busy(sender, stage) as at_work:
        waiting = [asyncio.create_task(sender.post(PATH, content=named(name))) for name in "AB"]
        await until_so_many_wait(stage, len(HELD))  # both have been read by then
        at_work[0].cancel()
        waiting[0].cancel()
    answer = await waiting[1]
    await asyncio.gather(*at_work, *waiting, return_exceptions=True)

    assert answer.status_code == 202
    counts = {row.fingerprint: row.received_count for row in await stage.alerts()}
    assert counts == dict.fromkeys([*HELD, "A", "B"], 2)  # what was read is stored, heard or not


async def test_more_than_may_wait_is_asked_to_come_back(app, sender, stage):
    app.state.intake = Intake(stage.transactions, most_waiting=2)
    await sender.post(PATH, content=named(*HELD, "A"))

    async with busy(sender, stage) as at_work:
        waiting = [asyncio.create_task(sender.post(PATH, content=named("A"))) for _ in range(2)]
        await until_so_many_wait(stage, len(HELD))  # both have been read by then
        refused = await sender.post(PATH, content=named("A"))
    taken = await asyncio.gather(*at_work, *waiting)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"
    assert refused.json()["code"] == "too_many_waiting"
    assert [answer.status_code for answer in taken] == [202] * (AT_ONCE + 2)


# --- at the same cost


@pytest.fixture
async def grouped(transactions, clock) -> Stage:
    """A service whose alerts share an incident."""
    labels = {"grouping": "labels", "grouping_labels": ["cluster"]}
    return await Stage(transactions, clock).set_up(service=labels)


async def test_a_hundred_alerts_take_as_many_statements_as_one(anonymous, grouped, engine):
    path = f"{PATH}/{grouped.key}"
    await anonymous.post(path, content=named("first"))
    costs = []

    for number in (1, 10, 100):
        content = named(*(f"{number}-{each}" for each in range(number)))
        with counted_statements(engine) as new:
            await anonymous.post(path, content=content)
        with counted_statements(engine) as known:
            await anonymous.post(path, content=content)
        costs.append((len(new), len(known)))

    assert costs[0] == costs[1] == costs[2]
    assert costs[0][1] <= 4  # looking at the sender and noting the repeats, with their transaction


async def test_the_ends_of_a_hundred_alerts_take_as_many_statements_as_one(
    anonymous, grouped, engine
):
    path = f"{PATH}/{grouped.key}"
    await anonymous.post(path, content=named("stays", *(f"{each}" for each in range(111))))
    costs = []

    for first, after in ((0, 1), (1, 11), (11, 111)):
        names = (f"{each}" for each in range(first, after))
        content = named(*names, status="resolved", endsAt=NOW.isoformat())
        with counted_statements(engine) as statements:
            await anonymous.post(path, content=content)
        costs.append(len(statements))

    assert costs[0] == costs[1] == costs[2]


async def test_plain_resends_touch_no_incident_and_write_no_event(sender, stage):
    content = webhook(alert(), alert(fingerprint="other"))
    await sender.post(PATH, content=content)
    before = await incident_versions(stage)

    for _ in range(3):
        stage.clock.advance(minutes=5)
        await sender.post(PATH, content=content)

    assert await incident_versions(stage) == before
    assert {row.received_count for row in await stage.alerts()} == {4}


def test_what_is_allowed_by_default_is_what_the_settings_say():
    assert limits_of(Settings(_env_file=None)) == DEFAULT


# --- a sender that another process changes


@pytest.fixture
async def elsewhere(api, settings, database_url, clock) -> AsyncIterator[httpx.AsyncClient]:
    """The API of another process, with the same admin key."""
    engine = make_engine(database_url, pool_size=2)
    other = create_app(settings, Transactions(make_sessions(engine), RememberingQueue(), clock))
    transport = httpx.ASGITransport(other, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://elsewhere", headers=api.headers
    ) as client:
        yield client
    await engine.dispose()


@pytest.fixture
async def known_sender(app, stage) -> AsyncIterator[httpx.AsyncClient]:
    """A sender whose key this process remembers."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {stage.key}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as client:
        assert (await client.post(PATH, content=webhook(alerts=[]))).status_code == 202
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/rotate-key", {"keep_previous_minutes": 0}, 401),
        ("PATCH", "", {"is_enabled": False}, 403),
        ("DELETE", "", None, 401),
    ],
    ids=["its key is rotated", "it is disabled", "it is deleted"],
)
async def test_what_may_no_longer_send_is_refused_at_once(
    elsewhere, known_sender, stage, method, path, body, status
):
    of_sender = f"/v1/integrations/{stage.integration.id}"
    changed = await elsewhere.request(method, f"{of_sender}{path}", json=body)

    answer = await known_sender.post(PATH, content=GOOD)

    assert changed.is_success, changed.text
    assert answer.status_code == status
    assert await stage.alerts() == []


async def test_a_key_that_is_kept_goes_on_and_the_new_one_works(elsewhere, known_sender, stage):
    of_sender = f"/v1/integrations/{stage.integration.id}"
    rotated = await elsewhere.post(f"{of_sender}/rotate-key", json={"keep_previous_minutes": 60})

    old = await known_sender.post(PATH, content=GOOD)
    new = await known_sender.post(f"{PATH}/{rotated.json()['key']}", content=GOOD)

    assert (old.status_code, new.status_code) == (202, 202)


async def test_a_rule_that_is_changed_elsewhere_is_followed_at_once(elsewhere, known_sender, stage):
    service = {"team_id": str(stage.team.id), "name": "Databases"}
    made = await elsewhere.post("/v1/services", json=service)
    rule = {"matchers": ['alertname="DiskFull"'], "service_id": made.json()["id"]}
    rules = f"/v1/integrations/{stage.integration.id}/routing-rules"
    changed = await elsewhere.put(rules, json={"rules": [rule]})

    await known_sender.post(PATH, content=GOOD)

    assert changed.status_code == 200
    assert str((await stage.incident()).service_id) == made.json()["id"]


async def test_a_sender_that_is_moved_elsewhere_sends_to_its_new_service(
    elsewhere, known_sender, stage
):
    service = {"team_id": str(stage.team.id), "name": "Databases"}
    made = (await elsewhere.post("/v1/services", json=service)).json()
    of_sender = f"/v1/integrations/{stage.integration.id}"
    await elsewhere.patch(of_sender, json={"service_id": made["id"]})

    await known_sender.post(PATH, content=GOOD)

    assert str((await stage.incident()).service_id) == made["id"]


async def test_a_sender_that_is_enabled_elsewhere_may_send_at_once(elsewhere, known_sender, stage):
    async with stage.transactions.open() as tx:
        row = await tx.session.get_one(Integration, stage.integration.id)
        row.is_enabled = False
    refused = await known_sender.post(PATH, content=GOOD)
    await elsewhere.patch(f"/v1/integrations/{stage.integration.id}", json={"is_enabled": True})

    answer = await known_sender.post(PATH, content=GOOD)

    assert (refused.status_code, answer.status_code) == (403, 202)
