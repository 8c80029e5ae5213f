"""Every error has one answer: a problem, as RFC 9457 has it, with a code of its own."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from incident_service.core import errors
from incident_service.core.db import (
    FOREIGN_KEY_VIOLATION,
    Overtaken,
    is_retryable,
    sqlstate,
)
from incident_service.web import fields
from incident_service.web.middleware.methods import find_methods, listed
from incident_service.web.request import MAY_REPLAY

log = structlog.get_logger()
NoteRefusal = Callable[[Request, errors.DomainError], Awaitable[None]]
PROBLEM = "application/problem+json"
MAX_LISTED_ERRORS = 20
# The names of unknown members are the caller's own, and may be as long as a body.
MOST_POINTER = 500
# What pydantic adds to a location when it is a member's name that is wrong: no part of the body.
NAME_IS_WRONG = "[key]"

STATUS: dict[type[errors.DomainError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.TooSlow: 408,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMedia: 415,
    errors.Invalid: 422,
    errors.Unavailable: 503,
}

# 57: an operator stopped it or a timeout did; 53: out of connections; 55P03: lock timeout;
# 08: the connection broke; 40: the retries did not help; 25006: a read-only standby.
TRY_AGAIN_CLASSES = ("57", "53", "55", "08", "40", "25006")


class NotSentAsJson(errors.UnsupportedMedia):
    """Send the body as JSON, with `Content-Type: application/json`."""


class FieldError(fields.Response):
    """One thing that is wrong with a request."""

    pointer: str = Field(description="JSON pointer of the field, like `/levels/0/timeout_minutes`.")
    code: str
    message: str


class Problem(fields.Response):
    """An error, as RFC 9457 has it."""

    type: str = Field("about:blank", description="`about:blank`: `code` says what it is.")
    title: str = Field(description="The status in words.")
    status: int
    code: str = Field(description="A stable name for programs; docs/errors.md lists them.")
    detail: str = Field(description="What is wrong and what to do, for people.")
    errors: list[FieldError] = Field(
        default_factory=list, description="Which values are wrong, the first 20; empty for others."
    )
    request_id: str | None = Field(
        None, description="As in the log and in `X-Request-ID`; null: the request had none yet."
    )


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    listed: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Render an error."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=listed or [],
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
    )
    return JSONResponse(body.model_dump(), status, headers=headers, media_type=PROBLEM)


def status_of(error: errors.DomainError) -> int:
    """Return the status of the error's family."""
    return next(status for family, status in STATUS.items() if isinstance(error, family))


async def render_domain_error(request: Request, error: Exception) -> JSONResponse:
    """Render what an action refused; `main` says who notes that a key was."""
    assert isinstance(error, errors.DomainError)
    note: NoteRefusal | None = getattr(request.app.state, "note_refusal", None)
    if note and isinstance(error, errors.Unauthenticated | errors.Forbidden):
        await note(request, error)
    return answer_of(error)


def answer_of(error: errors.DomainError) -> JSONResponse:
    """Render what the domain, or the edge, refused."""
    status = status_of(error)
    listed = None
    if isinstance(error, errors.Invalid):
        listed = [FieldError(pointer=error.pointer, code=error.code, message=error.detail)]
    headers = extra_headers(status)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, errors.UnsupportedMedia):
        headers |= error.accepted
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = error.challenge
    return problem(status, error.code, error.detail, listed=listed, headers=headers)


def extra_headers(status: int) -> dict[str, str]:
    """Return the headers that HTTP asks for with a status."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return {"WWW-Authenticate": errors.Unauthenticated.challenge}
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return {"Retry-After": "5"}
        case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return {"Connection": "close"}  # else the rest of the body would have to be read
        case _:
            return {}


async def render_invalid_request(_request: Request, error: Exception) -> JSONResponse:
    """Render what pydantic refused: where and why, never the input itself."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # as FastAPI leaves what is not said to be JSON
        return answer_of(NotSentAsJson())
    listed = [
        FieldError(
            pointer=pointer(item["loc"])[:MOST_POINTER],
            code=item["type"],
            message=item["msg"],
        )
        for item in error.errors()[:MAX_LISTED_ERRORS]
    ]
    if any(item.code == "json_invalid" for item in listed):
        return problem(400, "malformed", "The body is not valid JSON.")
    return problem(422, "invalid", "Some values are not acceptable; see errors.", listed=listed)


def pointer(location: tuple[Any, ...]) -> str:
    """Turn pydantic's location into a JSON pointer; `query` and `path` stay visible."""
    parts = location[1:] if location and location[0] == "body" else location
    if parts[-1:] == (NAME_IS_WRONG,) and parts[:-2]:
        parts = parts[:-1]
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


async def render_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Render what the framework refused: no such path, wrong method."""
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names those of the first route only.
        headers["Allow"] = listed(find_methods(request.app.routes, request.scope["path"]))
    return problem(error.status_code, code, str(error.detail), headers=headers)


class DatabaseErrors:
    """Renders what PostgreSQL refused; `conflicts` names the constraints in words."""

    def __init__(self, conflicts: Mapping[str, str]) -> None:
        self._conflicts = conflicts

    async def __call__(self, request: Request, error: Exception) -> JSONResponse:
        """Tell a broken rule (409) from a database that is away (503).

        What may be tried again is raised once more, for `ReplayOnConflict` to see.
        """
        if is_retryable(error) and request.scope.get(MAY_REPLAY):
            raise error
        state = sqlstate(error) or ""
        if isinstance(error, IntegrityError):
            return self._conflict(error, state)
        away = isinstance(
            error,
            OperationalError
            | InterfaceError
            | PoolTimeout
            | OSError
            | Overtaken
            | asyncpg.PostgresError
            | asyncpg.InterfaceError
            | asyncpg.InternalClientError,
        )
        if away or state.startswith(TRY_AGAIN_CLASSES):
            log.warning("database.unavailable", error=type(error).__name__, sqlstate=state)
            detail = "The database cannot be used right now; try again shortly."
            return problem(503, "unavailable", detail, headers=extra_headers(503))
        log.error("request.failed", exc_info=error)
        return internal_error()

    def _conflict(self, error: IntegrityError, state: str) -> JSONResponse:
        name = constraint_name(error)
        if state == FOREIGN_KEY_VIOLATION:
            detail = self._conflicts.get(name, "Something else still refers to it.")
            return problem(409, "still_referenced", detail)
        if name in self._conflicts:
            return problem(409, name.removeprefix("uq_"), self._conflicts[name])
        log.error("request.broke_constraint", constraint=name, exc_info=error)
        return problem(409, name or "conflict", f"The change would break the rule {name}.")


def constraint_name(error: IntegrityError) -> str:
    """Return the name of the constraint that refused a row, or an empty text."""
    cause = getattr(error.orig, "__cause__", None)
    return str(getattr(cause, "constraint_name", None) or "")


def internal_error() -> JSONResponse:
    """Say that it is our fault, and nothing else."""
    return problem(500, "internal_error", "Something went wrong on our side; it has been logged.")


async def render_unexpected(_request: Request, error: Exception) -> JSONResponse:
    """Answer 500; Starlette then raises the error again, and the server logs it."""
    log.error("request.failed", error=type(error).__name__)
    return internal_error()


async def render_error(app: FastAPI, request: Request, error: Exception) -> Response:
    """Render an error as the application does, for what answers before its routes."""
    for family in type(error).__mro__:
        handler: Any = app.exception_handlers.get(family)
        if handler is not None:
            answer: Response = await handler(request, error)
            return answer
    raise error


def install_error_handlers(app: FastAPI, conflicts: Mapping[str, str]) -> None:
    """Map every error to its answer; `conflicts` gives words to unique constraints."""
    database = DatabaseErrors(conflicts)
    app.add_exception_handler(errors.DomainError, render_domain_error)
    app.add_exception_handler(RequestValidationError, render_invalid_request)
    app.add_exception_handler(HTTPException, render_http_exception)
    # asyncpg's own errors come through bare while a connection is being made.
    bare = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    for family in (DBAPIError, PoolTimeout, OSError, Overtaken, *bare):
        app.add_exception_handler(family, database)
    app.add_exception_handler(Exception, render_unexpected)
