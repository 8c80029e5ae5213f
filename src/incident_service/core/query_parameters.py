"""Refuse query parameters that an operation does not have: a filter with a typo filters nothing."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from incident_service.core.access_log import INGEST
from incident_service.core.errors import Invalid
from incident_service.core.http import pointer

LONGEST_NAMED = 100
API = "/v1/"
CALENDAR = ".ics"


class ParameterUnknown(Invalid):
    """This operation has no such query parameter."""


async def refuse_unknown_parameters(request: Request) -> None:
    """Look at the names in the query string; for every operation that asks for a scope.

    Senders of alerts, probes and calendars may add what they like: they filter nothing.

    Raises:
        ParameterUnknown: one of them is none of the operation's.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    path = request.url.path
    if not path.startswith(API) or path.startswith(INGEST) or path.endswith(CALENDAR):
        return
    known = list(names_of(route.dependant))
    for name in request.query_params:
        if name not in known:
            raise ParameterUnknown(describe(name, known), pointer(("query", name[:LONGEST_NAMED])))


def names_of(dependant: Dependant) -> Iterator[str]:
    """Find the query parameters of a function and of what it depends on."""
    for field in dependant.query_params:
        yield field.alias
    for each in dependant.dependencies:
        yield from names_of(each)


def describe(name: str, known: list[str]) -> str:
    """Say which parameter is unknown, and which ones are known."""
    others = f"known are: {', '.join(known)}" if known else "there are none here"
    return f"The query parameter `{name[:LONGEST_NAMED]}` is not known; {others}."
