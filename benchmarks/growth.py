"""Whether the service stays as fast while its tables grow, and an API process as small.

Run it with `.venv/bin/python -m benchmarks.growth`. It starts everything by itself, and stops by
itself; a million incidents take some minutes and some gigabytes.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.filling import NAMES, fill
from benchmarks.ingest.bodies import Scenario, all_new, known
from benchmarks.ingest.load import send
from benchmarks.ingest.stack import Stack, open_stack
from tests.api_steps import firing

ASKED = 20
LISTS = {
    "newest": {},
    "open": {"status": "OPEN"},
    "open and critical": {"status": "OPEN", "priority": "critical"},
    "of a team": {"team_id": "{team_id}"},
    "of a team, resolved": {"team_id": "{team_id}", "status": "RESOLVED"},
    "of a service, open": {"service_id": "{service_id}", "status": "OPEN"},
    "of one key": {"fingerprint": "copy/4711"},
    "of a day": {"created_from": "2026-11-01T00:00:00Z", "created_before": "2026-11-02T00:00:00Z"},
}
PAYLOADS_AT_A_TIME = 10_000


def say(*words: object) -> None:
    print(*words, flush=True)


async def throughput(stack: Stack, scenario: Scenario, seconds: float) -> float:
    """Return webhooks a second; what is known is sent once before."""
    await stack.take(scenario.before)
    load = await send(
        stack.ingest_urls,
        scenario.bodies,
        seconds=seconds,
        connections=16,
        headers=stack.headers,
    )
    assert not load.failed
    return load.requests_per_s


async def time_lists(stack: Stack) -> dict[str, float]:
    """Return the median of each list's ms."""
    ids = {"team_id": stack.customer.team_id, "service_id": stack.customer.service_id}
    found = {}
    for name, params in LISTS.items():
        took_s = []
        for _ in range(ASKED):
            began_s = perf_counter()
            answer = await stack.customer.api.get(
                "/v1/incidents", params={key: value.format(**ids) for key, value in params.items()}
            )
            took_s.append(perf_counter() - began_s)
            answer.raise_for_status()
        found[name] = median(took_s) * 1000
    return found


async def growth(wanted: argparse.Namespace, directory: Path) -> None:
    """Print throughput and lists by what is stored."""
    rows: dict[int, dict[str, float]] = {}
    lists: dict[int, dict[str, float]] = {}
    for stored in wanted.incidents:
        home = directory / str(stored)
        home.mkdir(mode=0o711)
        async with open_stack(home, 1) as stack:
            (await stack.customer.webhook(firing(NAMES[0]))).raise_for_status()
            await fill(stack.database, stored, wanted.alerts_each)
            rows[stored] = {
                "known, 10 each": await throughput(stack, known(10), wanted.seconds),
                "all new, 10 each": await throughput(
                    stack, all_new(10, 30_000, "g"), wanted.seconds
                ),
            }
            lists[stored] = await time_lists(stack)
            size = await stack.database.fetchval(
                "SELECT pg_size_pretty(pg_database_size(current_database()))"
            )
            say(f"{stored:,} incidents, {stored * wanted.alerts_each:,} alerts: {size}")
    first = rows[wanted.incidents[0]]
    say("\n| incidents | " + " | ".join(f"{name}, webhooks/s" for name in first) + " |")
    say("|---" * (len(first) + 1) + "|")
    for stored, found in rows.items():
        shown = [f"{rate:,.0f} ({rate / first[name]:.0%})" for name, rate in found.items()]
        say(f"| {stored:,} | " + " | ".join(shown) + " |")
    say("\n| list, ms at the median | " + " | ".join(f"{stored:,}" for stored in lists) + " |")
    say("|---" * (len(lists) + 1) + "|")
    for name in LISTS:
        say(f"| {name} | " + " | ".join(f"{found[name]:.1f}" for found in lists.values()) + " |")


async def memory(payloads: int, directory: Path) -> None:
    """Print how much memory an API process has while so many payloads come in."""
    async with open_stack(directory, 1) as stack:
        scenario = known(10)
        await throughput(stack, scenario, 1)
        sent = 0
        say("\n| payloads | resident MiB |\n|---|---|")
        say(f"| 0 | {resident_mib(stack):.0f} |")
        shown = 0
        while sent < payloads:
            load = await send(
                stack.ingest_urls, scenario.bodies, seconds=3, connections=16, headers=stack.headers
            )
            sent += load.requests
            if sent // PAYLOADS_AT_A_TIME > shown:
                shown = sent // PAYLOADS_AT_A_TIME
                say(f"| {sent:,} | {resident_mib(stack):.0f} |")


def resident_mib(stack: Stack) -> float:
    [pid] = stack.processes["api"]
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def run(wanted: argparse.Namespace, directory: Path) -> None:
    await growth(wanted, directory)
    home = directory / "memory"
    home.mkdir(mode=0o711)
    await memory(wanted.payloads, home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, nargs="+", default=[0, 100_000, 1_000_000])
    parser.add_argument("--alerts-each", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--payloads", type=int, default=100_000, help="for the memory")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        asyncio.run(run(wanted, Path(directory)))


if __name__ == "__main__":
    main()
