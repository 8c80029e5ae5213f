"""What the routes hand on to the actions from the domains above."""

from typing import Annotated

from fastapi import Depends, Request

from incident_service.teams.hooks import PeopleHooks


def people_hooks(request: Request) -> PeopleHooks:
    """Return what the domains above do."""
    hooks: PeopleHooks = request.app.state.people_hooks
    return hooks


Hooks = Annotated[PeopleHooks, Depends(people_hooks)]
