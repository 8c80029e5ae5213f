"""Measure how fast webhooks are taken, and what else costs how much, in the same run.

`make bench` runs it. It starts PostgreSQL (durable), Valkey, the service and what it is compared
with by itself, and stops by itself. `make bench-peers`, before it, installs Alerta.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.cpu import Meter
from benchmarks.ingest.bodies import Scenario, all_new, api_v2, hot, known, mixed, webhook
from benchmarks.ingest.bodies import alert as make_alert
from benchmarks.ingest.load import WRK, Load, send
from benchmarks.ingest.stack import Stack, alerta, alertmanager, open_stack

ROOT = Path(__file__).parents[2]
SIZES = (1, 10, 100)
# So many new alerts are made for each measurement; whoever takes more sees some of them again.
NEW_ALERTS = 30_000
LONG_PAYLOAD = 10_000


@dataclass(frozen=True)
class Measured:
    """One scenario, measured once; processor time by process is in cores."""

    load: Load
    cores: dict[str, float]


def say(*words: object) -> None:
    print(*words, flush=True)


class Bench:
    """Measures at one stack."""

    def __init__(self, stack: Stack, wanted: argparse.Namespace, home: Path) -> None:
        self._stack = stack
        self._wanted = wanted
        self._home = home
        self._run = 0

    async def service(self, scenario: Scenario) -> Measured:
        """Measure the service, from an empty database on."""
        await self._stack.forget()
        await self._stack.take(scenario.before)
        meter = Meter(self._stack.processes)
        load = await self._send(self._stack.ingest_urls, scenario.bodies, self._stack.headers)
        return Measured(load, meter.read())

    async def _send(
        self, urls: Sequence[str], bodies: Sequence[bytes], headers: dict[str, str] | None = None
    ) -> Load:
        wanted = self._wanted
        return await send(
            urls,
            bodies,
            seconds=wanted.seconds,
            connections=wanted.connections,
            headers=headers,
        )

    async def empty(self) -> Load:
        """Measure an endpoint that does nothing."""
        return await self._send([f"{url}/livez" for url in self._stack.urls], [])

    async def bare_sql(self, scenario: Scenario) -> float:
        """Return the payloads a second of the bare SQL; the alerts are known by now."""
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
            file.write(b"\n".join(scenario.bodies))
            file.flush()
            settings = {
                "database_url": self._stack.database_url,
                "file": file.name,
                "seconds": self._wanted.seconds,
                "together": self._wanted.connections,
            }
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.ingest.bare_sql", json.dumps(settings)),
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
            output, _ = await process.communicate()
        found: float = json.loads(output)["payloads_per_s"]
        return found

    async def alertmanager(self, scenario: Scenario) -> Load | None:
        """Measure Alertmanager's own intake of the same alerts."""
        async with alertmanager(self._home) as url:
            if url is None:
                return None
            bodies = [api_v2(body) for body in scenario.bodies]
            await self._send([url], bodies)
            return await self._send([url], bodies)

    async def alerta(self, scenario: Scenario) -> Load | None:
        """Measure Alerta with the same webhooks."""
        workers = len(self._stack.urls)
        peers = Path(self._wanted.peers).resolve()
        async with alerta(self._stack, peers, self._home, workers) as url:
            if url is None:
                return None
            await self._send([url], scenario.bodies)
            return await self._send([url], scenario.bodies)

    def scenarios(self, size: int) -> list[Scenario]:
        self._run += 1
        run = str(self._run)
        return [
            known(size),
            hot(size),
            mixed(size, NEW_ALERTS, run),
            all_new(size, NEW_ALERTS, run),
        ]


def row(scenario: Scenario, measured: Sequence[Measured]) -> str:
    loads = [each.load for each in measured]
    rate = median(load.requests_per_s for load in loads)
    cores = {
        name: median(each.cores[name] for each in measured) for name in sorted(measured[0].cores)
    }
    used = ", ".join(f"{name} {value:.2f}" for name, value in cores.items())
    failed = sum(load.failed for load in loads)
    again = sum(load.requests for load in loads) > len(scenario.bodies) * len(loads)
    notes = [f"{failed} failed"] if failed else []
    if again and not scenario.is_known:
        notes.append("some came twice")
    return (
        f"| {scenario.name} | {scenario.alerts_each} | {rate:,.0f} "
        f"| {rate * scenario.alerts_each:,.0f} "
        f"| {median(load.p50_ms for load in loads):.1f} "
        f"| {median(load.p99_ms for load in loads):.1f} | {used} | {'; '.join(notes)} |"
    )


def compared(what: str, size: int, ours: float, theirs: float | None) -> str:
    if theirs is None:
        return f"| {what} | {size} | not installed | |"
    return f"| {what} | {size} | {theirs:,.0f} | {ours / theirs:.2f} |"


async def measure(bench: Bench, wanted: argparse.Namespace) -> None:
    """Print the table of the service, then that of the comparisons."""
    rates: dict[tuple[str, int], float] = {}
    say("\n| traffic | alerts each | webhooks/s | alerts/s | p50 ms | p99 ms | cores | |")
    say("|---|---|---|---|---|---|---|---|")
    for size in wanted.sizes:
        for scenario in bench.scenarios(size):
            if wanted.only and scenario.name not in wanted.only:
                continue
            found = [await bench.service(scenario) for _ in range(wanted.rounds)]
            rates[scenario.name, size] = median(each.load.requests_per_s for each in found)
            say(row(scenario, found))
    if not wanted.compare:
        return
    say("\n| compared with, known alerts | alerts each | webhooks/s | ours in the same minute |")
    say("|---|---|---|---|")
    for size in wanted.sizes:
        scenario = known(size)
        ours = (await bench.service(scenario)).load.requests_per_s
        say(compared("bare SQL, together", size, ours, await bench.bare_sql(scenario)))
        ours = (await bench.service(scenario)).load.requests_per_s
        say(compared("the empty endpoint", size, ours, (await bench.empty()).requests_per_s))
        ours = (await bench.service(scenario)).load.requests_per_s
        say(
            compared(
                "Alertmanager's intake", size, ours, rate_of(await bench.alertmanager(scenario))
            )
        )
        ours = (await bench.service(scenario)).load.requests_per_s
        say(compared("Alerta", size, ours, rate_of(await bench.alerta(scenario))))


def rate_of(load: Load | None) -> float | None:
    return load.requests_per_s if load else None


async def long_payload(stack: Stack) -> None:
    """Send one payload of very many alerts: new, then known."""
    await stack.forget()
    body = webhook([make_alert(f"long-{number}") for number in range(LONG_PAYLOAD)])
    for what in ("new", "known"):
        began_s = perf_counter()
        await stack.take([body])
        took_s = perf_counter() - began_s
        say(f"{LONG_PAYLOAD:,} {what} alerts in one payload of {len(body):,} bytes: {took_s:.2f} s")


async def run(wanted: argparse.Namespace, directory: Path) -> None:
    say(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"{wanted.connections} connections, "
        f"{wanted.seconds:.0f} s each, median of {wanted.rounds}; "
        f"sent by {'wrk' if WRK else 'Python'}"
    )
    for apis in wanted.apis:
        home = directory / str(apis)
        home.mkdir(mode=0o711)
        say(f"\n{apis} API process{'es' if apis > 1 else ''}{', 1 worker' * wanted.worker}")
        async with open_stack(home, apis, worker=wanted.worker) as stack:
            await measure(Bench(stack, wanted, home), wanted)
            if wanted.long:
                await long_payload(stack)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--apis", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", help="traffic, such as 'known' or 'all new'")
    parser.add_argument(
        "--worker", action="store_true", help="with a worker, which sends the pages"
    )
    parser.add_argument("--peers", default=ROOT / ".venv-peers", help="where Alerta is installed")
    parser.add_argument("--no-compare", dest="compare", action="store_false")
    parser.add_argument("--no-long", dest="long", action="store_false")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        asyncio.run(run(wanted, Path(directory)))


if __name__ == "__main__":
    main()
