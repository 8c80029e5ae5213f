"""A process that makes processes to be killed: `python -m tests.chaos.victim`.

Reads a `Fate` a line. For each it forks, because a fork has imported everything already; the
child is an API or a worker as in production, and says where it listens and where it dies.
"""

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import structlog
from fastapi import FastAPI
from tests.chaos.kill_points import Doom, MortalApp, MortalChannel, MortalQueue
from tests.fakes import FrozenClock, RememberingQueue

from incident_service.cli.serving import bind, make_server, serve
from incident_service.core.clock import DatabaseClock
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.outbound import Outbound
from incident_service.core.runtime import Runtime, open_runtime
from incident_service.main import create_app, equip
from incident_service.notifications.channels import make_channels
from incident_service.notifications.delivery import Courier
from incident_service.settings import Settings
from incident_service.subscriptions.dispatch import Dispatcher
from incident_service.subscriptions.jobs import webhook_sweeps
from incident_service.worker import Worker


@dataclass(frozen=True)
class Fate:
    """What a victim is, what time it is for it, and at which point of which work it dies.

    `role` is `api`, `worker`, or `dispatcher`: a worker that delivers events to subscriptions too.
    It dies when it comes by the point for the `times`-th time.
    """

    role: str
    work: str
    point: str
    now: str
    times: int = 1
    has_redis: bool = True

    def as_line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


class StillClock(DatabaseClock):
    """Stands still, whatever the database says."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def say(words: str) -> None:
    os.write(1, f"{words}\n".encode())


async def live(fate: Fate, app: FastAPI) -> None:
    """Be a process of the service until death comes."""
    settings: Settings = app.state.settings
    if not fate.has_redis:
        settings.redis_url = "redis://127.0.0.1:1"
    doom = Doom(fate.work, fate.point, fate.times)
    async with open_runtime(settings, StillClock(datetime.fromisoformat(fate.now))) as runtime:
        doom.watch(runtime.engine)
        queue = MortalQueue(runtime.queue, doom)
        mortal = replace(runtime, transactions=replace(runtime.transactions, queue=queue))
        if fate.role != "api":
            await live_as_worker(mortal, doom, has_dispatcher=fate.role == "dispatcher")
        equip(app, settings, mortal.transactions)
        await live_as_api(MortalApp(app, doom))


async def live_as_api(app: MortalApp) -> None:
    listening = bind("127.0.0.1", 0)
    say(f"listens {listening.getsockname()[1]}")
    await serve(make_server(app), listening, asyncio.Event())


async def live_as_worker(runtime: Runtime, doom: Doom, *, has_dispatcher: bool) -> None:
    outbound = Outbound(runtime.settings.outbound_allow)
    channels = make_channels(runtime.settings, outbound)
    mortal = {kind: MortalChannel(channel, doom) for kind, channel in channels.items()}
    courier = Courier(runtime.transactions, mortal, runtime.settings.base_url)
    dispatcher = Dispatcher(runtime.transactions, outbound)
    more = webhook_sweeps(runtime.transactions, dispatcher) if has_dispatcher else ()
    await Worker(runtime, courier, more=more).run(asyncio.Event())


def build_app() -> FastAPI:
    """Build the API once, which takes half a second; each child puts its own resources in."""
    settings = Settings(_env_file=None)
    sessions = make_sessions(make_engine(settings.database_url))
    return create_app(settings, Transactions(sessions, RememberingQueue(), FrozenClock()))


def main() -> None:
    """Fork for each line, wait for the end of the child, say how it ended."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app = build_app()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(live(Fate(**json.loads(line)), app))
            os._exit(0)
        say(f"lives {child}")
        _, status = os.waitpid(child, 0)
        say(f"ended {-os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
