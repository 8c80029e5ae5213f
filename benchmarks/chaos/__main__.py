"""Break a running service at random, under load, and look for broken promises afterwards.

Run it with `make chaos ARGS="--seconds 600 --seed 1"`. It starts PostgreSQL, Valkey, two APIs and
two workers by itself and stops by itself. The seed decides which fault comes when, and what the
senders and responders choose; with an odd one each incident is a page, with an even one pages are
bundled. The exit code is 1 when a promise was broken.
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import httpx
from benchmarks.chaos.checks import Outcome, come_to_rest, examine
from benchmarks.chaos.faults import Faults
from benchmarks.chaos.fleet import Fleet, fleet
from benchmarks.chaos.plan import plan
from benchmarks.chaos.report import report
from benchmarks.chaos.responders import Responder
from benchmarks.chaos.senders import Sender, Tally
from benchmarks.chaos.servers import Servers
from tests import factories
from tests.api_steps import Customer, set_up
from tests.processes import environment_of
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.running import drill_settings

from incident_service.cli.migrating import migrate
from incident_service.core.runtime import open_runtime
from incident_service.core.stopping import stops_within
from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey

MINUTE_S = 1.0  # a level lasts 5 s
SENDERS = 3
SEND_EVERY_S = 1.0
ANSWER_EVERY_S = 1.0
AT_REST_WITHIN_S = 180.0


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    seconds: float
    seed: int
    every: float


async def run(wanted: Wanted, directory: Path) -> int:
    """Run it in a directory; return the exit code."""
    with EmbeddedPostgres(directory / "pg") as postgres, EmbeddedValkey(directory) as valkey:
        await asyncio.to_thread(migrate, postgres.url)
        settings = drill_settings(postgres.url, valkey.url, MINUTE_S, worker_port=0)
        async with open_runtime(settings) as runtime, runtime.transactions.open() as tx:
            api_key = await factories.make_api_key(tx, scopes=["admin"])
        servers = Servers(postgres, valkey)
        async with (
            webhook_receiver() as receiver,
            fleet(environment_of(settings), directory) as processes,
        ):
            customer = await make_customer(wanted, processes, receiver, api_key)
            began_s = monotonic()
            responder = Responder(wanted.seed, processes.urls(), api_key)
            faults = Faults(processes, servers, receiver)
            tally = await under_load(wanted, processes, customer, responder, faults)
            undone = await come_to_rest(servers, AT_REST_WITHIN_S)
            outcome = await examine(servers, tally, responder.answered, receiver, faults.happened)
            found = Outcome([*undone, *outcome.violations], outcome.counts, outcome.worst_late_s)
            print(report(found, tally, faults.happened, monotonic() - began_s))
    return 1 if found.violations else 0


async def make_customer(
    wanted: Wanted, processes: Fleet, receiver: WebhookReceiver, api_key: str
) -> Customer:
    """Set up a policy of two levels, run twice."""
    headers = {"Authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(
        base_url=processes.urls()[0], headers=headers, trust_env=False
    ) as api:
        return await set_up(
            api,
            [receiver.url("one"), receiver.url("two")],
            bundle=wanted.seed % 2 == 0,
            policy={"repeat_count": 2, "exhausted_reminder_minutes": None},
        )


async def under_load(
    wanted: Wanted, processes: Fleet, customer: Customer, responder: Responder, faults: Faults
) -> Tally:
    """Let everything go on at once for the time that is wanted; return what the senders saw."""
    tally = Tally()
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(SENDERS):
            sender = Sender(f"s{number}", wanted.seed, processes.urls(), customer.ingest_key, tally)
            group.create_task(sender.run(stopping, SEND_EVERY_S))
        group.create_task(responder.run(stopping, ANSWER_EVERY_S))
        group.create_task(faults.run(plan(wanted.seed, wanted.seconds, wanted.every), stopping))
        await stops_within(stopping, wanted.seconds)
        stopping.set()
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=5, help="seconds from fault to fault")
    wanted = Wanted(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory(prefix="chaos-") as directory:
        Path(directory).chmod(0o711)  # root runs PostgreSQL as somebody else
        return asyncio.run(run(wanted, Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
