"""Refuse query parameters that an operation does not have: a filter with a typo filters nothing.

So does all but the last of those that are sent several times and taken once.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from incident_service.core.errors import Invalid
from incident_service.web.middleware.access_log import INGEST
from incident_service.web.problems import pointer

LONGEST_NAMED = 100
API = "/v1/"
CALENDAR = ".ics"


class ParameterUnknown(Invalid):
    """This operation has no such query parameter."""


class ParameterRepeated(Invalid):
    """This query parameter can be sent only once."""


async def refuse_unknown_parameters(request: Request) -> None:
    """Look at the names in the query string; for every operation that asks for a scope.

    Senders of alerts, probes and calendars may add what they like: they filter nothing.

    Raises:
        ParameterUnknown: one of them is none of the operation's.
        ParameterRepeated: one of them comes several times, and only one of its values would count.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    path = request.url.path
    if not path.startswith(API) or path.startswith(INGEST) or path.endswith(CALENDAR):
        return
    takes_several = dict(parameters_of(route.dependant))
    known = list(takes_several)
    for name in request.query_params:
        if name not in takes_several:
            raise ParameterUnknown(describe(name, known), pointer(("query", name[:LONGEST_NAMED])))
        if not takes_several[name] and len(request.query_params.getlist(name)) > 1:
            detail = f"The query parameter `{name}` can be sent only once."
            raise ParameterRepeated(detail, pointer(("query", name)))


def parameters_of(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Find the query parameters of a function and of what it depends on, and which are lists."""
    for field in dependant.query_params:
        yield field.alias, is_list(field.field_info.annotation)
    for each in dependant.dependencies:
        yield from parameters_of(each)


def is_list(annotation: Any) -> bool:  # noqa: ANN401 - any type
    """Say whether something is a list, or may be one."""
    return any(get_origin(each) is list for each in (annotation, *get_args(annotation)))


def describe(name: str, known: list[str]) -> str:
    """Say which parameter is unknown, and which ones are known."""
    others = f"known are: {', '.join(known)}" if known else "there are none here"
    return f"The query parameter `{name[:LONGEST_NAMED]}` is not known; {others}."
