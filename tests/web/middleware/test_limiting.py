"""Limits of the management API over HTTP: by key, by address, never for senders."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from tests import factories

from incident_service.settings import Settings
from incident_service.web.middleware.limiting import Limits, limits_of, network_of
from incident_service.web.middleware.rate_limit import Rate

BURST = 5
SAID = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@dataclass
class Seconds:
    """A clock that is ours."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture(autouse=True)
def limits(app: FastAPI, seconds: Seconds) -> Limits:
    app.state.limits = Limits(Rate(1, BURST), seconds)
    limits: Limits = app.state.limits
    return limits


@pytest.fixture
async def key(transactions) -> str:
    async with transactions.open() as tx:
        return await factories.make_api_key(tx, scopes=["read"])


@pytest.fixture
async def elsewhere(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client at another address."""
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def ask(client: httpx.AsyncClient, times: int, key: str = "") -> list[int]:
    headers = bearing(key) if key else {}
    answers = [await client.get("/v1/teams", headers=headers) for _ in range(times)]
    return [answer.status_code for answer in answers]


@contextmanager
def counted_statements(engine: AsyncEngine) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        seen.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)


async def test_a_key_that_asks_too_much_is_told_when_to_come_back(anonymous, key, seconds):
    allowed = await ask(anonymous, 1 + BURST - 1, key)
    refused = await anonymous.get("/v1/teams", headers=bearing(key))
    seconds.now_s += int(refused.headers["Retry-After"])
    again = await ask(anonymous, 2, key)

    assert set(allowed) == {200}
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert again == [200, 429]


async def test_every_answer_says_what_is_left(anonymous, key):
    answers = [await anonymous.get("/v1/teams", headers=bearing(key)) for _ in range(3)]
    unknown = await anonymous.get("/v1/nonsense", headers=bearing(key))

    assert [[answer.headers[name] for name in SAID] for answer in [*answers, unknown]] == [
        ["5", "4", "1"],  # of its address
        ["5", "3", "2"],
        ["5", "2", "3"],
        ["5", "1", "4"],
    ]


async def test_a_refusal_asks_the_database_nothing(anonymous, key, engine):
    await ask(anonymous, BURST + 1, key)

    with counted_statements(engine) as seen:
        refused = await ask(anonymous, 3, key)

    assert (refused, seen) == ([429] * 3, [])


async def test_keys_do_not_pay_for_each_other(anonymous, key, transactions):
    async with transactions.open() as tx:
        other = await factories.make_api_key(tx, scopes=["read"])
    await ask(anonymous, 1, other)

    await ask(anonymous, BURST + 1, key)

    assert await ask(anonymous, 1, other) == [200]


async def test_made_up_keys_are_counted_by_their_address(anonymous, elsewhere):
    found = [(await ask(anonymous, 1, f"isk_{number}"))[0] for number in range(BURST + 2)]

    assert found == [401] * BURST + [429] * 2
    assert await ask(elsewhere, 1) == [401]


async def test_a_known_key_does_not_pay_for_others_at_its_address(anonymous, key):
    await ask(anonymous, 1, key)

    await ask(anonymous, BURST + 1)

    assert await ask(anonymous, 1, key) == [200]


async def test_a_key_that_is_revoked_pays_with_its_address_from_then_on(api, anonymous, limits):
    made = (await api.post("/v1/api-keys", json={"name": "New", "scopes": ["read"]})).json()
    await ask(anonymous, 1, made["key"])
    await api.post(f"/v1/api-keys/{made['id']}/revoke")

    found = await ask(anonymous, 3 * BURST, made["key"])

    assert set(found) == {401, 429}
    assert found.count(401) <= BURST


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/openapi.json"])
async def test_probes_are_never_limited(anonymous, path):
    answers = [await anonymous.get(path) for _ in range(BURST + 2)]

    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit-Limit" not in answers[0].headers


@pytest.mark.parametrize("path", ["/v1/ingest/alertmanager", "/v1/ingest/alertmanager/{key}"])
async def test_senders_are_never_limited(stage, anonymous, path):
    answers = [
        await anonymous.post(
            path.format(key=stage.key), headers=bearing(stage.key), json={"alerts": []}
        )
        for _ in range(BURST + 2)
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert "RateLimit-Limit" not in answers[0].headers


async def test_a_rate_of_nothing_turns_the_limit_off():
    assert limits_of(Settings(_env_file=None, api_requests_per_second=0)) is None
    assert limits_of(Settings(_env_file=None)) is not None


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "", True),
    ],
)
def test_whoever_has_a_network_of_addresses_counts_once(one, other, are_one):
    assert (network_of(one) == network_of(other)) is are_one
