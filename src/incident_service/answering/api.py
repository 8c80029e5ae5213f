"""HTTP: the page behind a link. To look changes nothing, so that previewers of links may look."""

from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from incident_service.answering import actions
from incident_service.answering.actions import LinkExpired
from incident_service.answering.rendering import write_page, write_refusal
from incident_service.core.db import DATABASE_AWAY, Overtaken, Transactions, Tx
from incident_service.core.errors import Conflict, DomainError, Malformed
from incident_service.incidents.lifecycle import Verb
from incident_service.notifications.answer_links import PATH, make_links
from incident_service.web.problems import extra_headers, status_of

log = structlog.get_logger()
router = APIRouter(include_in_schema=False)
ROUTE = f"{PATH}{{token}}"
METHODS = "GET, HEAD, OPTIONS, POST"
MAX_FIELDS = 10
# The link is the key: it must stay out of caches, indexes, frames and the headers of other sites.
GUARDED = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


class FormUnreadable(Malformed):
    """Nothing was done: use the buttons of the page that the link opens."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of the page, and what its reader saw."""

    verb: str
    incident_id: UUID | None
    level: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A request by a link. `page_id` is None when the link is none of ours."""

    transactions: Transactions
    page_id: UUID | None


def opened(request: Request, token: str) -> Opened:
    """Read the link; without a secret key there is none that could be valid."""
    links = make_links(request.app.state.settings)
    page_id = links.find_page_id(token) if links else None
    return Opened(request.app.state.transactions, page_id)


Link = Annotated[Opened, Depends(opened)]


@router.api_route(ROUTE, methods=["GET", "HEAD"])
async def show_answer_page(link: Link) -> HTMLResponse:
    """Show a page's incidents and what can be done about them."""
    return await in_words(look(link))


@router.post(ROUTE)
async def answer_page(request: Request, link: Link) -> HTMLResponse:
    """Do what the button says, as the person who was paged; then show how things stand."""
    return await in_words(press(link, await request.body()))


@router.options(ROUTE)
async def list_answer_methods() -> Response:
    """Say which methods there are."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=GUARDED | {"Allow": METHODS})


async def press(link: Opened, form: bytes) -> HTMLResponse:
    """Act in one transaction and look in another: what is shown then has been committed."""

    async def work(tx: Tx) -> str:
        return await act(tx, link.page_id, form)

    try:
        said = await link.transactions.run(work)
    except Conflict as conflict:
        return await look(link, conflict.detail, HTTPStatus.CONFLICT)
    return await look(link, said)


async def look(link: Opened, said: str = "", status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    """Show the page, under what was said about an attempt to act."""
    async with link.transactions.open() as tx:
        asked = await actions.get_asked(tx, link.page_id)
        content = write_page(asked, said, is_refusal=status is not HTTPStatus.OK)
    return HTMLResponse(content, status, headers=GUARDED)


async def act(tx: Tx, page_id: UUID | None, form: bytes) -> str:
    """Do what was pressed and say what that did; see `actions` for what it raises."""
    asked = await actions.get_asked(tx, page_id)
    pressed = read_form(form)
    match pressed.verb:
        case Verb.ACKNOWLEDGE:
            return await actions.acknowledge(tx, asked)
        case Verb.RESOLVE:
            return await actions.resolve(tx, asked, pressed.incident_id)
        case Verb.ESCALATE:
            return await actions.escalate(
                tx,
                asked,
                pressed.incident_id,
                seen_level=pressed.level,
                seen_repeat=pressed.repeat,
            )
        case _:
            raise FormUnreadable


def read_form(body: bytes) -> Pressed:
    """Read the fields of a form, as `application/x-www-form-urlencoded`.

    Raises:
        FormUnreadable: they are not those of our page.
    """
    try:
        fields = {name: values[0] for name, values in parse_fields(body).items()}
        return Pressed(
            verb=fields["verb"],
            incident_id=UUID(fields["incident"]) if "incident" in fields else None,
            level=int(fields.get("level", "0")),
            repeat=int(fields.get("repeat", "1")),
        )
    except (ValueError, KeyError) as error:
        raise FormUnreadable from error


def parse_fields(body: bytes) -> dict[str, list[str]]:
    """Part the fields. Raises ValueError."""
    return parse_qs(body.decode("ascii"), errors="strict", max_num_fields=MAX_FIELDS)


async def in_words(answer: Awaitable[HTMLResponse]) -> HTMLResponse:
    """Await the answer; what is refused is said to a person, not to a program."""
    try:
        return await answer
    except DomainError as error:
        return refusal(error.detail, status_for(error))
    except (*DATABASE_AWAY, Overtaken) as error:
        log.warning("answering.failed", exc_info=error)
        return refusal(
            "The service cannot do this right now. Nothing was done as far as it knows; "
            "load the page again to see, or try again shortly.",
            HTTPStatus.SERVICE_UNAVAILABLE,
        )


def status_for(error: DomainError) -> int:
    """Return the status: a link that has come to its end is gone, not unknown."""
    return HTTPStatus.GONE if isinstance(error, LinkExpired) else status_of(error)


def refusal(said: str, status: int) -> HTMLResponse:
    """Say why not."""
    return HTMLResponse(write_refusal(said), status, headers=GUARDED | extra_headers(status))
