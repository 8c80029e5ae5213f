"""Send what `wrk.lua` sends, where there is no `wrk`. Run by `load.py`, in a process of its own."""

import asyncio
import json
import sys
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit


def requests_of(settings: dict[str, Any]) -> list[bytes]:
    url = urlsplit(settings["url"])
    lines = [f"Host: {url.netloc}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in settings["headers"].items()]
    bodies = [line for line in Path(settings["file"]).read_bytes().split(b"\n") if line]
    if not bodies:
        return ["\r\n".join([f"GET {url.path} HTTP/1.1", *lines, "", ""]).encode()]
    return [
        "\r\n".join(
            [f"POST {url.path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]
        ).encode()
        + body
        for body in bodies
    ]


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bool:
    """Send a request, read its answer, and say whether it is a good one."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (
            int(line.partition(b":")[2])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    await reader.readexactly(length)
    return head.split(b" ", 2)[1].startswith(b"2")


async def keep_sending(
    host: str, port: int, requests: Iterator[bytes], until_s: float, took_s: list[float]
) -> int:
    """Send one after the other until it is time; return how many failed."""
    failed = 0
    reader, writer = await asyncio.open_connection(host, port)
    while perf_counter() < until_s:
        began_s = perf_counter()
        failed += not await converse(reader, writer, next(requests))
        took_s.append(perf_counter() - began_s)
    writer.close()
    return failed


async def main(settings: dict[str, Any]) -> None:
    url = urlsplit(settings["url"])
    requests = cycle(requests_of(settings))
    took_s: list[float] = []
    began_s = perf_counter()
    until_s = began_s + settings["seconds"]
    failed = await asyncio.gather(
        *(
            keep_sending(url.hostname or "", url.port or 80, requests, until_s, took_s)
            for _ in range(settings["connections"])
        )
    )
    in_all_s = perf_counter() - began_s
    took_s.sort()
    print(
        json.dumps(
            {
                "requests_per_s": len(took_s) / in_all_s,
                "p50_ms": took_s[len(took_s) // 2] * 1000,
                "p99_ms": took_s[int(len(took_s) * 0.99)] * 1000,
                "requests": len(took_s),
                "failed": sum(failed),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
