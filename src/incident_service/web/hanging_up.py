"""End a connection whose other side takes nothing: what waits to be written is dropped with it."""

from starlette.types import Scope

ABORT = "incident_service.abort"


def hang_up(scope: Scope) -> None:
    """Abort the request's connection, where the server says how."""
    abort = scope.get(ABORT)
    if abort is not None:
        abort()
