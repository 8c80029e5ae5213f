"""The edge between HTTP and preconditions: who answers with a tag, and who asks for one.

A route takes one of these and passes what it shows through `show`:

    Tagged        POST that answers with a thing
    IfNoneMatch   GET of one thing: 304 when the caller has it already
    IfMatch       whoever changes one thing: 412 when it is not what the caller saw
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import SkipJsonSchema

from incident_service.web.preconditions import Condition, Tag, read_condition
from incident_service.web.resources import Resource

P = ParamSpec("P")
Shown = TypeVar("Shown", bound=BaseModel)
AnyResource = TypeVar("AnyResource", bound=Resource)

# Optional, but never null: a header is there or it is not.
IfMatchHeader = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        description="The `ETag` of what you saw, or several, or `*`. When it is another by now, "
        "nothing is done, and the answer is 412.",
        examples=['"0f3a5c7b9d1e2f4a6b8c"'],
    ),
]
IfNoneMatchHeader = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-None-Match",
        description="The `ETag` of what you have, or several, or `*`. When it still is the same, "
        "the answer is 304, without a body.",
        examples=['"0f3a5c7b9d1e2f4a6b8c"'],
    ),
]


class Tagging:
    """Gives the answer its tag."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response

    def show(self, resource: AnyResource) -> AnyResource:
        """Show a thing together with its tag."""
        return self.show_as(resource, resource.tag)

    def show_as(self, shown: Shown, tag: Tag) -> Shown:
        """Show what has a tag of its own."""
        self._response.headers["ETag"] = tag.as_header()
        return shown

    def _condition(self, header: str) -> Condition | None:
        """Read a header, whose lines are one list; None: it was not sent."""
        lines = self._request.headers.getlist(header)
        return read_condition(", ".join(lines)) if lines else None


class Knowing(Tagging):
    """Answers 304 to who has the very same already."""

    def __init__(
        self, request: Request, response: Response, _header: IfNoneMatchHeader = None
    ) -> None:
        super().__init__(request, response)
        self._known = self._condition("If-None-Match")

    def show_as(self, shown: Shown, tag: Tag) -> Shown:
        """Show what has a tag of its own, or say that it is the same; the body then falls away."""
        if self._known is not None and self._known.knows(tag):
            self._response.status_code = HTTPStatus.NOT_MODIFIED
        return super().show_as(shown, tag)


class Seeing(Tagging):
    """Lets only those change a thing who saw it as it is; `condition` is None when nobody asks."""

    def __init__(self, request: Request, response: Response, _header: IfMatchHeader = None) -> None:
        super().__init__(request, response)
        self.condition = self._condition("If-Match")

    async def require(
        self, lock: Callable[P, Awaitable[Resource | None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Refuse a thing that is not as the caller saw it.

        `lock` locks it, in the order in which its action does, until the transaction ends, and
        returns it as it is; None: it is not there. Without a condition it is not called.

        Raises:
            PreconditionFailed: it is another by now, or is not there.
        """
        if self.condition is not None:
            present = await lock(*args, **kwargs)
            self.condition.require(present.tag if present else None)


Tagged = Annotated[Tagging, Depends(Tagging)]
IfNoneMatch = Annotated[Knowing, Depends(Knowing)]
IfMatch = Annotated[Seeing, Depends(Seeing)]

ETAG = {
    "description": "Tells the states of the thing apart. Who sends it as `If-None-Match` with the "
    "next GET gets 304 without a body while it is the same.",
    "schema": {"type": "string"},
}


def describe(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document which answers have a tag.

    The parameter `If-None-Match` is left out, and 304 with it: an answer without a body takes the
    types from what clients in Python get, all of it. Who asks on a condition sets the header.
    """
    operations = [each for path in document["paths"].values() for each in path.values()]
    conditional = [each for each in operations if conditions_of(each)]
    shown = schemas_of_resources()
    shown |= {schema_of(answer) for each in conditional for answer in successes(each)}
    for operation in operations:
        for answer in successes(operation):
            if schema_of(answer) in shown:
                answer.setdefault("headers", {})["ETag"] = ETAG
        if "If-None-Match" in conditions_of(operation):
            left = [each for each in operation["parameters"] if each["name"] != "If-None-Match"]
            operation["parameters"] = left
            del operation["responses"]["304"]


def conditions_of(operation: dict[str, Any]) -> set[str]:
    """Return the conditional headers that an operation takes."""
    names = {each["name"] for each in operation.get("parameters", ())}
    return names & {"If-Match", "If-None-Match"}


def successes(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers that show something."""
    answers = operation["responses"]
    found = [answers[status] for status in ("200", "201") if status in answers]
    return [each for each in found if "content" in each]


def schema_of(answer: dict[str, Any]) -> str:
    """Return the name of an answer's schema; empty: it has none."""
    content = answer["content"].get("application/json", {})
    reference: str = content.get("schema", {}).get("$ref", "")
    return reference.rpartition("/")[2]


def schemas_of_resources(base: type[Resource] = Resource) -> set[str]:
    """Return the names of everything that has a tag of its own."""
    return {
        name
        for each in base.__subclasses__()
        for name in (each.__name__, *schemas_of_resources(each))
    }
