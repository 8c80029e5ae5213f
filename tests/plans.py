"""How PostgreSQL runs what the API asks: the plans of the statements behind a request."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

Asked = list[tuple[str, tuple[Any, ...]]]
LARGE = ("incidents", "alerts", "notifications", "incident_events")


@contextmanager
def listening(engine: AsyncEngine) -> Iterator[Asked]:
    """Remember every statement with its parameters, as they go to PostgreSQL."""
    asked: Asked = []

    def remember(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any
    ) -> None:
        asked.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", remember)
    try:
        yield asked
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", remember)


async def explain(connection: asyncpg.Connection, asked: Asked) -> list[dict[str, Any]]:
    """Return each node of the plans of the statements that read a large table."""
    nodes = []
    for statement, parameters in asked:
        if any(f"FROM {table}" in statement for table in LARGE):
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *parameters)
            nodes += list(nodes_of(json.loads(plan)[0]["Plan"]))
    return nodes


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


def read_whole(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the large tables that are read from beginning to end."""
    return {
        node["Relation Name"]
        for node in nodes
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    }


def indexes_of(nodes: list[dict[str, Any]]) -> set[str]:
    """Return the indexes that are used."""
    return {node["Index Name"] for node in nodes if "Index Name" in node}
