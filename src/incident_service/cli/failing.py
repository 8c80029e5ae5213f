"""End a command in a sentence instead of a traceback, when the failure is one to expect."""

from typing import Any

import typer
from typer.core import TyperGroup

from incident_service.core.errors import DomainError
from incident_service.embedded import EmbeddedError


class CannotRun(Exception):
    """The command cannot do its work; the message says why and what to do."""


class Commands(TyperGroup):
    """Commands whose expected failures are a sentence on stderr and the exit code 1."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as the library declares it
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (CannotRun, EmbeddedError) as failure:
            typer.echo(f"incident-service: {failure}", err=True)
        except DomainError as refused:
            typer.echo(f"incident-service: {refused.detail}", err=True)
        raise typer.Exit(1)
