"""Routes whose POSTs may be sent again under the same `Idempotency-Key`.

Every POST of somebody who may do more than read takes the header. The others have no need of it:
they ask a question, or what they bring has an identity of its own, like alerts.

The answer is known when the endpoint has returned and the transaction is still open: that is where
the route stands, and a dependency does not. So the answer is kept if and only if what it tells of
is committed. A request that is refused keeps nothing.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Annotated, Any, get_type_hints

from fastapi import Depends, Header, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials

from incident_service.core.db import Overtaken, Transactions, Tx
from incident_service.teams.auth import (
    Admin,
    Manager,
    Principal,
    Responder,
    ResponderAlone,
    bearer,
)
from incident_service.web.idempotency.actions import (
    IdempotencyKeyRepeated,
    begin,
    find_answer,
    keep,
)
from incident_service.web.idempotency.attempts import Answer, Asked, Attempt, kept
from incident_service.web.request import InTx

# In a request's scope: what keeps its answer.
KEEP = "incident_service.keep_answer"
Keep = Callable[[Answer], Awaitable[None]]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A name of your choice for this request, such as a UUID: visible ASCII. Sent "
        "again within 24 hours, the request is not done again: the first answer comes, with "
        "`Idempotency-Replayed: true`. Another request under the same name is refused (422), and "
        "so is one while the first is still being worked on (409).",
    ),
]
MISSING: Any = None  # a header may be missing, and is never null
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


class Answered(Exception):
    """The request was answered before."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


async def describe(
    request: Request, principal: Principal, credentials: Credentials, key: str
) -> Attempt:
    """Put together who asks for what under which key.

    Raises:
        IdempotencyKeyRepeated: it is not clear under which.
    """
    if len(request.headers.getlist("Idempotency-Key")) > 1:
        raise IdempotencyKeyRepeated
    assert credentials
    query = request.scope["query_string"].decode("latin-1")
    asked = Asked(request.method, f"{request.scope['path']}?{query}", await request.body())
    return Attempt.of(asked, key, api_key_id=principal.key_id, secret=credentials.credentials)


def once(principal: Any) -> Any:  # noqa: ANN401 - an Annotated type; a dependency
    """Make what begins a request that is one transaction: it is done, or it is not.

    `principal` is that of the endpoint, so that its scope is checked before it is told anything.
    """
    (check,) = principal.__metadata__

    async def begin_once(
        tx: InTx,
        request: Request,
        caller: Annotated[Principal, check],
        credentials: Credentials,
        key: Key = MISSING,
    ) -> None:
        if not key:
            return
        attempt = await describe(request, caller, credentials, key)
        if answer := await begin(tx, attempt):
            raise Answered(answer)
        request.scope[KEEP] = partial(keep_in, tx, attempt)

    return Depends(begin_once)


async def keep_in(tx: Tx, attempt: Attempt, answer: Answer) -> None:
    """Keep an answer in the transaction of the effect.

    Raises:
        Overtaken: another request has got there first, one in parts: they lock no keys.
    """
    if not await keep(tx, attempt, answer):
        raise Overtaken


async def begin_in_parts(
    request: Request,
    caller: ResponderAlone,
    credentials: Credentials,
    key: Key = MISSING,
) -> None:
    """Begin a request that is many transactions; its answer is kept after the last of them.

    There is no transaction that could hold the key meanwhile. There need not be: doing such a
    request again does what is left of it. So two at once, or one that is sent again after its
    process has died between two parts, do each thing once; what the other one has done is told
    as not changed, and the answer of the first that ends is kept.
    """
    if not key:
        return
    transactions: Transactions = request.app.state.transactions
    attempt = await describe(request, caller, credentials, key)
    async with transactions.open() as tx:
        answer = await find_answer(tx, attempt)
    if answer:
        raise Answered(answer)
    request.scope[KEEP] = partial(keep_alone, transactions, attempt)


async def keep_alone(transactions: Transactions, attempt: Attempt, answer: Answer) -> None:
    """Keep an answer whose effect is committed already."""
    async with transactions.open() as tx:
        await keep(tx, attempt, answer)


BEGINNINGS = (
    *((principal, once(principal)) for principal in (Responder, Manager, Admin)),
    (ResponderAlone, Depends(begin_in_parts)),
)


def beginning_of(endpoint: Callable[..., Any]) -> Sequence[Any]:
    """Return the dependency that begins a POST, if it is by somebody who may do more than read."""
    hints = list(get_type_hints(endpoint, include_extras=True).values())
    return [begins for principal, begins in BEGINNINGS if principal in hints]


class RepeatableRoute(APIRoute):
    """A route that gives the answer of a POST again, instead of doing it again."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        dependencies: Sequence[Any] | None = None,
        **options: Any,  # noqa: ANN401 - the base's own
    ) -> None:
        begins = beginning_of(endpoint) if set(methods or ()) == {"POST"} else ()
        every = [*(dependencies or ()), *begins]
        super().__init__(path, endpoint, methods=methods, dependencies=every, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request, inside of its transaction."""
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            try:
                response = await handle(request)
            except Answered as answered:
                return again(answered.answer)
            keep_it: Keep | None = request.scope.get(KEEP)
            if keep_it:
                headers = kept(response.headers)
                await keep_it(Answer(response.status_code, headers, bytes(response.body)))
            return response

        return handle_once


def again(answer: Answer) -> Response:
    """Render an answer that was given before."""
    headers = {**answer.headers, "Idempotency-Replayed": "true"}
    return Response(answer.body, answer.status, headers)
