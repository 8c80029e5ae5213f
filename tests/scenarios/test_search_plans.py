"""Searches among many rows: each usual filter is served by an index that was made for it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.plans import explain, indexes_of, listening, read_whole
from tests.stage import Stage

from incident_service.core.ids import new_id

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
        'labels', jsonb_build_object('host', 'host-' || place / 5, 'job', 'node'),
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
        'labels', jsonb_build_object('host', 'host-' || place / 5, 'job', 'node'),
        'starts_at', original.starts_at - place * interval '1 minute',
        'first_received_at', original.first_received_at - place * interval '1 minute'
    ))).*
    FROM alerts AS original, generate_series(1, $1::int) AS place
"""


@pytest.fixture
async def filled(stage: Stage, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Many incidents and alerts, as a fresh autovacuum would leave them."""
    await stage.fire("Disk")
    connection = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        await connection.execute(INCIDENTS, str(stage.first.id), ROWS)
        await connection.execute(ALERTS, ROWS)
        await connection.execute("VACUUM ANALYZE incidents, alerts")
        yield connection
    finally:
        await connection.close()


async def plans(
    engine: AsyncEngine,
    api: httpx.AsyncClient,
    connection: asyncpg.Connection,
    path: str,
    wanted: list[tuple[Any, ...]],
) -> list[str]:
    """Return what is wrong with the plans of lists, each with the indexes that serve it well."""
    wrong = []
    for params, *good in wanted:
        with listening(engine) as asked:
            answer = await api.get(path, params=params)
        assert answer.status_code == 200, answer.text
        nodes = await explain(connection, asked)
        if read_whole(nodes) or (good and not indexes_of(nodes) & set(good)):
            wrong.append(f"{params}: {[node['Node Type'] for node in nodes]} {indexes_of(nodes)}")
    return wrong


async def test_each_filter_of_incidents_has_an_index(engine, api, stage, filled):
    day = {"created_from": "2026-10-28T00:00:00Z", "created_before": "2026-10-28T03:00:00Z"}
    wrong = await plans(
        engine,
        api,
        filled,
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
                {"assigned_user_id": stage.first.id},
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
            ({"q": "nonesuch"}, "ix_incidents_text"),
        ],
    )

    assert wrong == []


async def test_each_filter_of_alerts_has_an_index(engine, api, stage, filled):
    day = {"received_from": "2026-10-28T00:00:00Z", "received_before": "2026-10-28T03:00:00Z"}
    wrong = await plans(
        engine,
        api,
        filled,
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
            ({"q": "nonesuch"}, "ix_alerts_text"),
            ({"assigned_user_id": stage.first.id},),
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
async def test_what_belongs_to_few_is_found_by_whom_it_belongs_to(
    engine, api, filled, path, params, indexes
):
    with listening(engine) as asked:
        await api.get(path, params={params: new_id()})

    assert indexes_of(await explain(filled, asked)) & indexes


async def test_analytics_of_a_short_span_read_no_large_table_whole(engine, api, filled):
    span = {"from": "2026-10-28T00:00:00Z", "to": "2026-10-28T03:00:00Z"}
    with listening(engine) as asked:
        (await api.get("/v1/analytics", params=span)).raise_for_status()

    nodes = await explain(filled, asked)

    assert "incidents" not in read_whole(nodes)
    assert "ix_incidents_span" in indexes_of(nodes)
