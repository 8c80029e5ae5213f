"""Note known alerts with nothing but asyncpg: what PostgreSQL costs, and nothing else.

The statement is the service's own. So many payloads go into each transaction, their parameters made
before; one connection, as the intake has. Run by `__main__.py`, in a process of its own.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg

from incident_service.alerts import repeats
from incident_service.alerts.adapters import alertmanager
from incident_service.alerts.senders import Sender


def parameters(sender: Sender, bodies: Sequence[bytes], now: datetime) -> tuple[Any, ...]:
    alerts = chain.from_iterable(alertmanager.read(body).alerts for body in bodies)
    return repeats.parameters([sender], [repeats.gather(alerts)], now)


async def run(settings: dict[str, Any]) -> dict[str, float]:
    together: int = settings["together"]
    bodies = [line for line in Path(settings["file"]).read_bytes().split(b"\n") if line]
    connection = await asyncpg.connect(settings["database_url"])
    row = await connection.fetchrow("SELECT id, service_id, key_digest, now() FROM integrations")
    sender = Sender(row["id"], row["service_id"], key_digest=row["key_digest"])
    sent = cycle(bodies)
    batches = [
        parameters(sender, list(islice(sent, together)), row["now"])
        for _ in range(max(len(bodies) // together, 1))
    ]
    statement = await connection.prepare(repeats.NOTE)
    took_s: list[float] = []
    alerts = 0
    began_s = perf_counter()
    for batch in cycle(batches):
        batch_began_s = perf_counter()
        alerts += len(await statement.fetch(*batch))
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
