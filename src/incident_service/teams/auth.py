"""Who is calling: an API key becomes a principal, and routes say which scope they ask for."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select

from incident_service.core import tokens
from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Forbidden, NotFound, Unauthenticated
from incident_service.core.http import InTx
from incident_service.teams.models import ApiKey, Scope, User

bearer = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="An API key: `isk_…`.")


class KeyNotValid(Unauthenticated):
    """Send a valid API key as `Authorization: Bearer isk_…`; this one is missing, unknown, expired or revoked."""  # noqa: E501 - one sentence


class ScopeMissing(Forbidden):
    """The API key lacks the scope that this needs."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: what it may do, in which teams (None: all), and as whom."""

    key_id: UUID
    name: str
    scopes: frozenset[Scope]
    team_ids: frozenset[UUID] | None = None
    user_id: UUID | None = None
    user_name: str = ""

    @property
    def actor(self) -> Actor:
        """The name under which the caller appears in timelines."""
        if self.user_id:
            return Actor("user", self.user_id, self.user_name)
        return Actor("api_key", self.key_id, self.name)

    def may(self, scope: Scope) -> bool:
        """Say whether the key has the scope; `admin` has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, team_id: UUID) -> bool:
        """Say whether the team's things exist for this caller."""
        return self.team_ids is None or team_id in self.team_ids

    def require_team(self, team_id: UUID) -> None:
        """Refuse another team's thing.

        Raises:
            NotFound: the caller is limited to other teams.
        """
        if not self.sees(team_id):
            raise NotFound


async def authenticate(
    tx: InTx,
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> Principal:
    """Turn the key of the request into a principal.

    Raises:
        KeyNotValid: there is no valid key.
    """
    if credentials is None:
        raise KeyNotValid
    principal = await find_principal(tx, credentials.credentials)
    if principal is None:
        raise KeyNotValid
    request.state.principal = principal
    return principal


async def find_principal(tx: Tx, key: str) -> Principal | None:
    """Look a key up by its hash; None when it is unknown, expired or revoked."""
    found = (
        await tx.session.execute(
            select(ApiKey, User.name)
            .outerjoin(User, User.id == ApiKey.user_id)
            .where(ApiKey.key_digest == tokens.digest(key))
        )
    ).one_or_none()
    if found is None:
        return None
    row, user_name = found
    if row.revoked_at or (row.expires_at and row.expires_at <= tx.now):
        return None
    return Principal(
        key_id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        team_ids=None if row.team_ids is None else frozenset(map(UUID, row.team_ids)),
        user_id=row.user_id,
        user_name=user_name or "",
    )


def needs(scope: Scope) -> Callable[[Principal], Coroutine[Any, Any, Principal]]:
    """Make the dependency that lets only keys with `scope` in."""

    async def check(principal: Annotated[Principal, Depends(authenticate)]) -> Principal:
        if not principal.may(scope):
            raise ScopeMissing(f"The API key lacks the scope `{scope}` that this needs.")
        return principal

    return check


Reader = Annotated[Principal, Depends(needs(Scope.READ))]
Responder = Annotated[Principal, Depends(needs(Scope.RESPOND))]
Manager = Annotated[Principal, Depends(needs(Scope.MANAGE))]
Admin = Annotated[Principal, Depends(needs(Scope.ADMIN))]
