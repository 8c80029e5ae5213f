"""Let what listens on a private socket be reached by address, as the servers of Compose are."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CHUNK_BYTES = 65536


@contextmanager
def reachable_by_address(path: Path) -> Iterator[str]:
    """Pass connections on to the socket; yield `host:port`, on loopback."""

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(str(path))
                answers = threading.Thread(target=pass_on, args=(server, self.request))
                answers.start()
                pass_on(self.request, server)
                answers.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection) as relay:
        accepting = threading.Thread(target=relay.serve_forever)
        accepting.start()
        try:
            yield f"127.0.0.1:{relay.server_address[1]}"
        finally:
            relay.shutdown()
            accepting.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    """Copy until the source has no more, or either side is gone."""
    with suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
