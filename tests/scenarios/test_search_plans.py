"""Searches among many rows: each usual filter is served by an index that was made for it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.apps import lent
from tests.credentials import key_with
from tests.fakes import FrozenClock, RememberingQueue
from tests.plans import explain, indexes_of, listening, read_whole
from tests.stage import Stage

from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.ids import new_id
from incident_service.settings import Settings

ROWS = 6_000

# Of a thousand incidents ten are open, one is quiet, one is exhausted; the rest is over.
INCIDENTS = """
    INSERT INTO incidents
    SELECT (jsonb_populate_record(original, jsonb_build_object(
        'id', gen_random_uuid(),
        'number', 1000000 + place,
        'fingerprint', 'copy/' || place,
        'status', CASE WHEN place % 100 = 0 THEN 'OPEN' ELSE 'RESOLVED' END,
        'priority', CASE WHEN place % 1000 = 1 THEN 'info' ELSE 'high' END,
        'is_quiet', place % 1000 = 1,
        'exhausted_at', CASE WHEN place % 1000 = 2 THEN original.created_at END,
        'assigned_user_id', CASE WHEN place % 1000 = 3 THEN $1 END,
        'title', 'Alert on host-' || place,
        'labels', jsonb_build_object(
            'host', 'host-' || place / 5, 'job', 'node',
            'instance', 'host-' || place / 5 || '.example:9100'
        ),
        'created_at', original.created_at - place * interval '1 minute'
    ))).*
    FROM incidents AS original, generate_series(1, $2::int) AS place
"""
ALERTS = """
    INSERT INTO alerts
    SELECT (jsonb_populate_record(original, jsonb_build_object(
        'id', gen_random_uuid(),
        'fingerprint', 'copy-' || place / 5,
        'incident_id', CASE WHEN place % 1000 > 0 THEN
            (SELECT id FROM incidents WHERE number = 1000000 + place) END,
        'status', CASE WHEN place % 1000 = 1 THEN 'firing' ELSE 'resolved' END,
        'priority', CASE WHEN place % 1000 = 2 THEN 'info' ELSE 'high' END,
        'labels', jsonb_build_object(
            'host', 'host-' || place / 5, 'job', 'node',
            'instance', 'host-' || place / 5 || '.example:9100'
        ),
        'starts_at', original.starts_at - place * interval '1 minute',
        'first_received_at', original.first_received_at - place * interval '1 minute'
    ))).*
    FROM alerts AS original, generate_series(1, $1::int) AS place
"""


@dataclass(frozen=True)
class Archive:
    """Many incidents and alerts, and the API on them."""

    engine: AsyncEngine
    api: httpx.AsyncClient
    connection: asyncpg.Connection
    person: UUID

    async def asked(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Ask the API; return the nodes of the plans behind its answer."""
        with listening(self.engine) as asked:
            answer = await self.api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return await explain(self.connection, asked)

    async def wrong_plans(self, path: str, wanted: list[tuple[Any, ...]]) -> list[str]:
        """Return what is wrong with the plans of lists, each with the indexes that serve it."""
        wrong = []
        for params, *good in wanted:
            nodes = await self.asked(path, **params)
            if read_whole(nodes) or (good and not indexes_of(nodes) & set(good)):
                kinds = [node["Node Type"] for node in nodes]
                wrong.append(f"{params}: {kinds} {indexes_of(nodes)}")
        return wrong


@pytest.fixture(scope="module")
async def archive(another_database_url: str) -> AsyncIterator[Archive]:
    """Filled once, as a fresh autovacuum would leave it: these tests only read."""
    engine = make_engine(another_database_url)
    transactions = Transactions(make_sessions(engine), RememberingQueue(), FrozenClock())
    stage = await Stage(transactions, FrozenClock()).set_up()
    await stage.fire("Disk")
    headers = await key_with(transactions, scopes=["admin"])
    connection = await asyncpg.connect(another_database_url.replace("+asyncpg", ""))
    try:
        await connection.execute(INCIDENTS, str(stage.first.id), ROWS)
        await connection.execute(ALERTS, ROWS)
        await connection.execute("VACUUM ANALYZE incidents, alerts")
        with lent(Settings(_env_file=None, api_requests_per_second=0), transactions) as app:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://test", headers=headers
            ) as api:
                yield Archive(engine, api, connection, stage.first.id)
    finally:
        await connection.close()
        await engine.dispose()


async def test_each_filter_of_incidents_has_an_index(archive):
    day = {"created_from": "2026-10-28T00:00:00Z", "created_before": "2026-10-28T03:00:00Z"}
    wrong = await archive.wrong_plans(
        "/v1/incidents",
        [
            ({}, "ix_incidents_span"),
            ({"sort": "urgent"}, "ix_incidents_urgency"),
            (day, "ix_incidents_span"),
            ({"status": "OPEN"}, "ix_incidents_status_created_at"),
            # Few are open, quiet and so on: any index that leads to them will do.
            ({"status": "OPEN", "sort": "urgent"},),
            ({"priority": "info"},),
            ({"is_quiet": True},),
            ({"is_exhausted": True},),
            (
                {"assigned_user_id": archive.person},
                "ix_incidents_assigned_user_id_created_at",
                "ix_incidents_assigned_user_id_status",
            ),
            ({"fingerprint": "copy/17"}, "ix_incidents_fingerprint_status_created_at"),
            ({"matcher": "host=host-17"}, "ix_incidents_labels"),
            ({"matcher": ["host=host-17", "job!=other"]}, "ix_incidents_labels"),
            ({"matcher": "host=~host-17|host-18"}, "ix_incidents_labels"),
            ({"matcher": ["host=host-17", "job=~n.*"]}, "ix_incidents_labels"),
            ({"matcher": "job=~n.*"}, "ix_incidents_span"),
            ({"q": "host-1017"}, "ix_incidents_text"),
            # A port that all have, and a name that few have, or none.
            ({"q": "host-1017.example:9100"}, "ix_incidents_text"),
            ({"q": "keycloak.example:9100"}, "ix_incidents_text"),
            ({"q": "nonesuch"}, "ix_incidents_text"),
        ],
    )

    assert wrong == []


async def test_each_filter_of_alerts_has_an_index(archive):
    day = {"received_from": "2026-10-28T00:00:00Z", "received_before": "2026-10-28T03:00:00Z"}
    wrong = await archive.wrong_plans(
        "/v1/alerts",
        [
            ({}, "ix_alerts_first_received_at"),
            (day, "ix_alerts_first_received_at"),
            # Few fire, and few are of little priority: any index that leads to them will do.
            ({"status": "firing"},),
            ({"has_incident": False}, "ix_alerts_without_incident", "ix_alerts_incident_id"),
            ({"priority": "info"},),
            (
                {"fingerprint": "copy-17"},
                "ix_alerts_fingerprint_first_received_at",
                "uq_alerts_episode",
            ),
            ({"matcher": "host=host-17"}, "ix_alerts_labels"),
            ({"matcher": "job=~n.*"}, "ix_alerts_first_received_at"),
            ({"sort": "urgent"}, "ix_alerts_urgency"),
            ({"q": "host-1017"}, "ix_alerts_text"),
            # A port that all have, and a name that few have, or none.
            ({"q": "host-1017.example:9100"}, "ix_alerts_text"),
            ({"q": "keycloak.example:9100"}, "ix_alerts_text"),
            ({"q": "nonesuch"}, "ix_alerts_text"),
            ({"assigned_user_id": archive.person},),
            ({"is_exhausted": True},),
            ({"is_quiet": True},),
        ],
    )

    assert wrong == []


@pytest.mark.parametrize(
    ("path", "params", "indexes"),
    [
        (
            "/v1/incidents",
            "team_id",
            {"ix_incidents_team_id_created_at", "ix_incidents_team_id_status"},
        ),
        (
            "/v1/incidents",
            "service_id",
            {"ix_incidents_service_id_created_at", "ix_incidents_service_id_fingerprint"},
        ),
        ("/v1/alerts", "service_id", {"ix_alerts_service_id_first_received_at"}),
        (
            "/v1/alerts",
            "integration_id",
            {"ix_alerts_integration_id_first_received_at", "uq_alerts_episode"},
        ),
    ],
)
async def test_what_belongs_to_few_is_found_by_whom_it_belongs_to(archive, path, params, indexes):
    nodes = await archive.asked(path, **{params: new_id()})

    assert indexes_of(nodes) & indexes


async def test_analytics_of_a_short_span_read_no_large_table_whole(archive):
    span = {"from": "2026-10-28T00:00:00Z", "to": "2026-10-28T03:00:00Z"}

    nodes = await archive.asked("/v1/analytics", **span)

    assert "incidents" not in read_whole(nodes)
    assert "ix_incidents_span" in indexes_of(nodes)
