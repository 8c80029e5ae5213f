"""PgBouncer before a server of ours; its configuration is the documented one."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import ROOT

from incident_service.embedded.accounts import unprivileged

DOCUMENT = ROOT / "docs" / "operations.md"
LISTENS_WITHIN_S = 10
PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")


def documented(language: str) -> str:
    """The example in the document that is written in a language."""
    return DOCUMENT.read_text().partition(f"```{language}\n")[2].partition("```")[0]


@asynccontextmanager
async def pooler(server: Path, database: str, directory: Path) -> AsyncIterator[int]:
    """Run PgBouncer before the server with its socket in that directory; yield its port."""
    port = free_port()
    configuration = (
        documented("ini")
        .replace("host=db.internal port=5432", f"host={server} port=5432 user=postgres")
        .replace("dbname=incident_service", f"dbname={database}")
        .replace("listen_addr = *", "listen_addr = 127.0.0.1")
        .replace("listen_port = 6432", f"listen_port = {port}")
        .replace("auth_type = scram-sha-256", "auth_type = any")
        .replace("auth_file = /etc/pgbouncer/userlist.txt", "unix_socket_dir =")
    )
    file = directory / "pgbouncer.ini"
    file.write_text(configuration)
    account = unprivileged()
    assert PROGRAM is not None, "install the package pgbouncer"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        str(file),
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        await until_it_listens(port, process)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def until_it_listens(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(LISTENS_WITHIN_S):
        while True:
            assert process.returncode is None, "PgBouncer ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.wait({asyncio.create_task(process.wait())}, timeout=0.05)
            else:
                writer.close()
                return


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
