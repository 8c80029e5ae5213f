"""Make the faults of a plan happen."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.chaos.fleet import Fleet
from benchmarks.chaos.plan import Fault, Kind
from benchmarks.chaos.servers import Servers
from tests.receiver import WebhookReceiver

from incident_service.core.stopping import stops_within

STOPPED_S = 20.0
REFUSALS = 10


@dataclass
class Faults:
    """Breaks things, and remembers when it broke what."""

    fleet: Fleet
    servers: Servers
    receiver: WebhookReceiver
    happened: list[tuple[datetime, Kind]] = field(default_factory=list)

    async def run(self, plan: Sequence[Fault], stopping: asyncio.Event) -> None:
        """Let each fault happen at its time; return when all are over."""
        began_s = asyncio.get_running_loop().time()
        await self.servers.keep_dump()
        async with asyncio.TaskGroup() as group:
            for fault in plan:
                wait_s = fault.at_s - (asyncio.get_running_loop().time() - began_s)
                if await stops_within(stopping, max(wait_s, 0)):
                    return
                self.happened.append((datetime.now(UTC), fault.kind))  # noqa: TID251
                group.create_task(self._happens(fault, stopping))

    async def _happens(self, fault: Fault, stopping: asyncio.Event) -> None:
        match fault.kind:
            case Kind.API_KILLED | Kind.WORKER_KILLED:
                self.fleet.kill(fault.place)
            case Kind.PROCESS_STOPPED:
                await self.fleet.freeze(fault.place, STOPPED_S, stopping)
            case Kind.REDIS_KILLED:
                await self.servers.kill_valkey()
            case Kind.REDIS_FLUSHED:
                await self.servers.flush_valkey()
            case Kind.REDIS_OLD:
                await self.servers.restore_old()
            case Kind.REDIS_CUT:
                await self.servers.cut_valkey()
            case Kind.POSTGRES_RESTARTED:
                await self.servers.restart_postgres()
            case Kind.POSTGRES_CUT:
                await self.servers.cut_postgres()
            case Kind.RECEIVER_REFUSES:
                self.receiver.answers.extend([503] * REFUSALS)
