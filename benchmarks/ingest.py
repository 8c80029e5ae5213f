"""How long an alert takes from the POST to the commit, by the number of alerts in a webhook.

Run it with `.venv/bin/python -m benchmarks.ingest`. The machine's speed cancels out: what counts
are the ratios to a webhook of one alert, taken in the same run, in turns.
"""

import asyncio
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from incident_service.cli.dev.reach import Reach
from incident_service.cli.migrating import migrate
from incident_service.cli.samples import disk_alert, webhook
from incident_service.cli.seed import Keys, seed
from incident_service.core.runtime import open_runtime
from incident_service.embedded import EmbeddedPostgres
from incident_service.main import create_serving_app
from incident_service.settings import Settings

SIZES = (1, 10, 100, 1000)
ROUNDS = 5
START = {"startsAt": "2026-11-02T11:00:00Z"}
END = {"status": "resolved", "endsAt": "2026-11-02T12:00:00Z"}


@dataclass
class Times:
    """Milliseconds an alert, of each round."""

    opened: list[float] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)
    resolved: list[float] = field(default_factory=list)


async def send(client: httpx.AsyncClient, alerts: Iterable[dict]) -> float:
    alerts = list(alerts)
    began_s = perf_counter()
    answer = await client.post("/v1/ingest/alertmanager", json=webhook(alerts))
    took_s = perf_counter() - began_s
    answer.raise_for_status()
    return took_s * 1000 / len(alerts)


async def measure(client: httpx.AsyncClient) -> dict[int, Times]:
    times = {size: Times() for size in SIZES}
    number = count()
    await send(client, [disk_alert("warm-up")])
    for _ in range(ROUNDS):
        for size, found in times.items():
            alerts = [disk_alert(f"db-{next(number)}") | START for _ in range(size)]
            over = [alert | END for alert in alerts]
            found.opened.append(await send(client, alerts))
            found.repeated.append(await send(client, alerts))
            found.resolved.append(await send(client, over))
    return times


def report(times: dict[int, Times]) -> None:
    print("ms an alert (median of", ROUNDS, "rounds), and how many times cheaper than alone")
    print(f"{'alerts':>7} {'opened':>16} {'sent again':>16} {'resolved':>16}")
    alone = times[SIZES[0]]
    for size, found in times.items():
        row = [
            f"{median(mine):8.2f} {median(base) / median(mine):6.1f}x"
            for mine, base in (
                (found.opened, alone.opened),
                (found.repeated, alone.repeated),
                (found.resolved, alone.resolved),
            )
        ]
        print(f"{size:>7} {' '.join(row)}")


async def run(database_url: str) -> None:
    # No Redis listens here: what is committed does not depend on one.
    settings = Settings(_env_file=None, database_url=database_url, redis_url="redis://127.0.0.1:1")
    async with open_runtime(settings) as runtime:
        nobody = Reach()
        keys = await runtime.transactions.run(lambda tx: seed(tx, Keys(), nobody, nobody))
        transport = httpx.ASGITransport(create_serving_app(runtime))
        headers = {"Authorization": f"Bearer {keys.integration_key}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://benchmark", headers=headers, timeout=60
        ) as client:
            report(await measure(client))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        with EmbeddedPostgres(Path(directory)) as server:
            migrate(server.url)
            asyncio.run(run(server.url))


if __name__ == "__main__":
    main()
