"""PostgreSQL and Valkey, to be broken and brought back."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from incident_service.embedded import EmbeddedPostgres, EmbeddedValkey
from incident_service.embedded.processes import pid_in

CUT_POSTGRES = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
DUMP = "appendonlydir"


class Servers:
    """Both servers; one fault at a time works on each."""

    def __init__(self, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> None:
        self.postgres = postgres
        self.valkey = valkey
        self._old = valkey.directory / "old"
        self._postgres_turn = asyncio.Lock()
        self._valkey_turn = asyncio.Lock()

    async def connect(self) -> asyncpg.Connection:
        """Connect to PostgreSQL."""
        return await asyncpg.connect(self.postgres.url.replace("+asyncpg", ""))

    async def restart_postgres(self) -> None:
        """End every session at once, without a checkpoint: the log of writes has to do."""
        async with self._postgres_turn:
            signal_to(self.postgres.directory / "pgdata" / "postmaster.pid", signal.SIGQUIT)
            await asyncio.to_thread(bring_back, self.postgres)

    async def cut_postgres(self) -> None:
        """End every session."""
        async with self._postgres_turn:
            connection = await self.connect()
            await connection.execute(CUT_POSTGRES)
            await connection.close()

    async def kill_valkey(self) -> None:
        """End it as `kill -9` does; it may lose the last second."""
        async with self._valkey_turn:
            signal_to(self.valkey.directory / "valkey.pid", signal.SIGKILL)
            await asyncio.to_thread(bring_back, self.valkey)

    async def flush_valkey(self) -> None:
        """Have it forget everything."""
        await self._command("FLUSHALL")

    async def cut_valkey(self) -> None:
        """End every connection."""
        await self._command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    async def keep_dump(self) -> None:
        """Keep what Valkey has on disk now, for `restore_old`."""
        async with self._valkey_turn:
            shutil.rmtree(self._old, ignore_errors=True)
            shutil.copytree(self.valkey.directory / DUMP, self._old)

    async def restore_old(self) -> None:
        """Start Valkey from what was kept long ago: old jobs are back, new ones are gone."""
        async with self._valkey_turn:
            await asyncio.to_thread(self.valkey.stop)
            shutil.rmtree(self.valkey.directory / DUMP)
            shutil.copytree(self._old, self.valkey.directory / DUMP)
            await asyncio.to_thread(self.valkey.start)

    async def _command(self, *words: str) -> None:
        async with self._valkey_turn:
            redis = Redis.from_url(self.valkey.url)
            try:
                await redis.execute_command(*words)
            except RedisError:
                pass  # it was cut off too
            finally:
                await redis.aclose()


def signal_to(pid_file: Path, how: signal.Signals) -> None:
    """Signal the process that a file names."""
    pid = pid_in(pid_file)
    if pid is not None:
        os.kill(pid, how)


def bring_back(server: EmbeddedPostgres | EmbeddedValkey) -> None:
    """Start a server that was ended, by itself or by its watcher already, once more."""
    server.stop()
    server.start()
