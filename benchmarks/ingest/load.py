"""Send bodies over some connections for some seconds, from a process of its own.

`wrk` does it when it is installed; otherwise `sender.py` beside this file does, which needs more of
the machine for itself.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WRK = shutil.which("wrk")


@dataclass(frozen=True)
class Load:
    """What was answered: per second, the quantiles in ms, and how many not with 2xx."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    requests: int
    failed: int


async def send(
    urls: Sequence[str],
    bodies: Sequence[bytes],
    *,
    seconds: float,
    connections: int,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Send to each address in a closed loop: a connection sends when it has its answer.

    The addresses share bodies and connections.
    """
    share = len(urls)
    loads = await asyncio.gather(
        *(
            send_to(
                url, bodies[index::share] or bodies, seconds, connections // share, headers or {}
            )
            for index, url in enumerate(urls)
        )
    )
    return Load(
        requests_per_s=sum(load.requests_per_s for load in loads),
        p50_ms=max(load.p50_ms for load in loads),
        p99_ms=max(load.p99_ms for load in loads),
        requests=sum(load.requests for load in loads),
        failed=sum(load.failed for load in loads),
    )


async def send_to(
    url: str, bodies: Sequence[bytes], seconds: float, connections: int, headers: Mapping[str, str]
) -> Load:
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b"\n".join(bodies))
        file.flush()
        words = with_wrk if WRK else with_python
        process = await asyncio.create_subprocess_exec(
            *words(url, file.name, seconds, connections, headers), stdout=subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return Load(**json.loads(output.decode().splitlines()[-1]))


def with_wrk(
    url: str, file: str, seconds: float, connections: int, headers: Mapping[str, str]
) -> list[str]:
    return [
        *(str(WRK), "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds:.0f}s", "--timeout", "30s", "--script", str(HERE / "wrk.lua")),
        *(word for name, value in headers.items() for word in ("--header", f"{name}: {value}")),
        *(url, "--", file),
    ]


def with_python(
    url: str, file: str, seconds: float, connections: int, headers: Mapping[str, str]
) -> list[str]:
    settings = {
        "url": url,
        "file": file,
        "seconds": seconds,
        "connections": connections,
        "headers": dict(headers),
    }
    return [sys.executable, str(HERE / "sender.py"), json.dumps(settings)]
