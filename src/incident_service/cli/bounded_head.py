"""Speak HTTP, and refuse a head that is too long, also one that never ends.

Uvicorn's faster parser collects headers without bound, before any application sees them.
"""

from fastapi import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from incident_service.web.hanging_up import ABORT
from incident_service.web.problems import problem


class BoundedHead(HttpToolsProtocol):
    """HTTP/1.1 whose heads have at most `config.h11_max_incomplete_event_size` bytes.

    That is what Uvicorn's other parser calls the same bound.
    """

    _is_in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Take what comes in; what belongs to a head that has not ended is counted."""
        was_in_head = self._is_in_head
        super().data_received(data)
        if was_in_head and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self._most and not self.transport.is_closing():
                self.transport.write(as_bytes(too_long(self._most)))
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required] # not in ASGI
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Hand the request to the application, if its head was short enough."""
        self._is_in_head = False
        head_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        self.app = self.config.loaded_app
        if head_bytes > self._most:
            self.app = self._refuse
            self.url = b"/"  # a longer one may be more than can be parsed
        super().on_headers_complete()

    @property
    def _most(self) -> int:
        return self.config.h11_max_incomplete_event_size or 0

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        await too_long(self._most)(scope, receive, send)


def too_long(most: int) -> Response:
    """Say what is allowed, and hang up."""
    detail = f"The address and the headers of a request may have at most {most} bytes together."
    return problem(431, "head_too_large", detail, headers={"Connection": "close"})


def as_bytes(answer: Response) -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [b"HTTP/1.1 431 Request Header Fields Too Large"]
    lines += [name + b": " + value for name, value in answer.raw_headers]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])
