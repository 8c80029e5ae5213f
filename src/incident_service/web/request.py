"""What a route takes from its request: the transaction, the name it goes by, the address here."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute

from incident_service.core.db import Transactions, Tx
from incident_service.settings import Settings

# In a request's scope: whether a conflict between transactions may simply be tried again.
MAY_REPLAY = "incident_service.may_replay"


async def open_tx(request: Request) -> AsyncIterator[Tx]:
    """Yield the request's transaction."""
    transactions: Transactions = request.app.state.transactions
    async with transactions.open() as tx:
        yield tx


# "function": commit before the response is sent, so a 2xx is never a lie.
InTx = Annotated[Tx, Depends(open_tx, scope="function")]


def operation_of(request: Request) -> str | None:
    """Return the name of the operation that is asked for."""
    route = request.scope.get("route")
    return route.name if isinstance(route, APIRoute) else None


def base_url(request: Request) -> str:
    """Return the address of this installation, without a slash at its end."""
    settings: Settings = request.app.state.settings
    return settings.base_url


BaseUrl = Annotated[str, Depends(base_url)]
