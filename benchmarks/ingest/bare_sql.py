"""Note known alerts with nothing but asyncpg: what PostgreSQL costs, and nothing else.

The statement is the service's own. So many payloads go into each transaction, their parameters made
before; one connection, as the intake has. Run by `__main__.py`, in a process of its own.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import chain, cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg

from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.repeats import NOTE, gather
from incident_service.core.compact_json import dumps


def parameters(integration_id: Any, bodies: Sequence[bytes]) -> tuple[list[Any], ...]:
    alerts = chain.from_iterable(alertmanager.read(body).alerts for body in bodies)
    sent = gather([(integration_id, alerts)])[integration_id]
    return (
        [integration_id] * len(sent),
        list(sent),
        [each.alert.starts_at for each in sent.values()],
        [dumps(each.alert.annotations) for each in sent.values()],
        [each.times for each in sent.values()],
    )


async def run(settings: dict[str, Any]) -> dict[str, float]:
    together: int = settings["together"]
    bodies = [line for line in Path(settings["file"]).read_bytes().split(b"\n") if line]
    connection = await asyncpg.connect(settings["database_url"])
    integration_id = await connection.fetchval("SELECT id FROM integrations")
    sent = cycle(bodies)
    batches = [
        parameters(integration_id, list(islice(sent, together)))
        for _ in range(max(len(bodies) // together, 1))
    ]
    statement = await connection.prepare(NOTE)
    began = await connection.fetchval("SELECT now()")
    took_s: list[float] = []
    alerts = 0
    began_s = perf_counter()
    for batch in cycle(batches):
        batch_began_s = perf_counter()
        async with connection.transaction():
            alerts += len(await statement.fetch(*batch, began))
        took_s.append(perf_counter() - batch_began_s)
        if perf_counter() - began_s > settings["seconds"]:
            break
    in_all_s = perf_counter() - began_s
    await connection.close()
    took_s.sort()
    return {
        "payloads_per_s": len(took_s) * together / in_all_s,
        "alerts_per_s": alerts / in_all_s,
        "p50_ms": took_s[len(took_s) // 2] * 1000,
        "p99_ms": took_s[int(len(took_s) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
