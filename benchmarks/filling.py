"""Fill a database by COPY with what years leave behind: copies of one incident and its alerts.

Of a thousand incidents one is still open. They share two hundred names and five thousand instances.
"""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

NAMES = [f"Alert{number:03}" for number in range(200)]
PRIORITIES = ("critical", "high", "medium", "low")
OPEN_EVERY = 1_000
APART = timedelta(seconds=30)
LASTS = timedelta(minutes=20)
BLOCK = 50_000

Change = Callable[[int], dict[str, Any]]


def id_at(instant: datetime, kind: int, number: int) -> UUID:
    """Return a UUIDv7 of its instant, unique by kind and number."""
    ms = int(instant.timestamp() * 1000)
    return UUID(int=ms << 80 | 0x7 << 76 | kind << 64 | 0b10 << 62 | number)


class Filling:
    """The copies, from the newest, which began at `now`, backwards."""

    def __init__(self, now: datetime, alerts_each: int) -> None:
        self._now = now
        self._alerts_each = alerts_each

    def incident(self, number: int) -> dict[str, Any]:
        """Return what sets a copy of the incident apart."""
        began = self._now - APART * number
        is_open = number % OPEN_EVERY == 0
        name = NAMES[number % len(NAMES)]
        over = None if is_open else began + LASTS
        return {
            "id": id_at(began, 1, number),
            "number": 10_000_000 + number,
            "fingerprint": f"copy/{number}",
            "status": "OPEN" if is_open else "CLOSED" if number % 2 else "RESOLVED",
            "priority": PRIORITIES[number % len(PRIORITIES)],
            "title": f"{name} on host-{number % 5_000}: the disk is almost full",
            "labels": labels(name, number),
            "alert_count": self._alerts_each,
            "firing_count": self._alerts_each if is_open else 0,
            "created_at": began,
            "resolved_at": over,
            "resolved_by": None if is_open else "alerts",
            "closed_at": over if number % 2 else None,
        }

    def alert(self, number: int) -> dict[str, Any]:
        """Return what sets a copy of the alert apart."""
        of, place = divmod(number - 1, self._alerts_each)
        of += 1
        began = self._now - APART * of
        is_open = of % OPEN_EVERY == 0
        over = None if is_open else began + LASTS
        return {
            "id": id_at(began, 2, number),
            "incident_id": id_at(began, 1, of),
            "fingerprint": f"{number:016x}",
            "incident_fingerprint": f"copy/{of}",
            "status": "firing" if is_open else "resolved",
            "labels": labels(NAMES[of % len(NAMES)], of) | {"replica": str(place)},
            "starts_at": began,
            "ends_at": over,
            "first_received_at": began,
            "last_received_at": over or began,
            "fired_at": began,
            "resolved_at": over,
        }


def labels(name: str, number: int) -> dict[str, str]:
    return {
        "alertname": name,
        "severity": PRIORITIES[number % len(PRIORITIES)],
        "instance": f"host-{number % 5_000}.example:9100",
        "cluster": f"cluster-{number % 20}",
    }


async def fill(
    connection: asyncpg.Connection,
    incidents: int,
    alerts_each: int,
    filling: Filling | None = None,
) -> None:
    """Copy the only incident, and the only alert, so many times; then analyse."""
    now: datetime = await connection.fetchval("SELECT created_at FROM incidents")
    filling = filling or Filling(now, alerts_each)
    await copy(connection, "incidents", incidents, filling.incident)
    await copy(connection, "alerts", incidents * alerts_each, filling.alert)
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")


async def copy(connection: asyncpg.Connection, table: str, count: int, change: Change) -> None:
    original = await connection.fetchrow(f"SELECT * FROM {table}")
    assert original is not None
    row, columns = dict(original), list(original.keys())
    for start in range(0, count, BLOCK):
        numbers = range(start + 1, min(start + BLOCK, count) + 1)
        await connection.copy_records_to_table(
            table, columns=columns, records=records(row, columns, numbers, change)
        )


def records(
    row: dict[str, Any], columns: list[str], numbers: range, change: Change
) -> Iterator[tuple[Any, ...]]:
    for number in numbers:
        mine = row | change(number)
        yield tuple(
            json.dumps(mine[name]) if isinstance(mine[name], dict) else mine[name]
            for name in columns
        )
