"""A network that takes every call and remembers it; nothing leaves the process."""

from collections.abc import Sequence

import httpx

from incident_service.core.outbound import Outbound


class Network:
    """Answers `status`, or fails when that is None."""

    def __init__(self) -> None:
        self.status: int | None = 200
        self.calls: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        if self.status is None:
            raise httpx.ConnectError("no route")
        return httpx.Response(self.status)

    def outbound(self) -> Outbound:
        """Make a client that can reach nothing else."""
        return Outbound(resolve=public_address, transport=httpx.MockTransport(self))


async def public_address(host: str, port: int) -> Sequence[str]:
    return ["93.184.215.14"]
