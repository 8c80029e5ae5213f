"""Who is calling: an API key becomes a principal, and routes say which scope they ask for.

A key may be limited to teams. It then sees and changes what those teams own, and nothing else.
A person's key without `admin` is limited to the person's teams, and in each it may do what the
person's role allows: observers read, responders also respond, managers also manage.
People belong to everybody: each key reads them, but a limited key changes only those who are in
its own teams and in no other, and neither makes nor deletes people or teams. Everybody may change
how they themselves are reached.
"""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select

from incident_service.core import tokens
from incident_service.core.actor import Actor
from incident_service.core.audit import Author
from incident_service.core.calls import note_key
from incident_service.core.db import Transactions, Tx
from incident_service.core.errors import Forbidden, Unauthenticated
from incident_service.teams.models import ApiKey, Role, Scope, TeamMembership, User
from incident_service.web.request import InTx, operation_of

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="A key of a person or a program, `isk_…`, with scopes and maybe limited to teams.",
)


class KeyNotValid(Unauthenticated):
    """Send a valid API key as `Authorization: Bearer isk_…`; this one is missing, unknown, expired, revoked, or of an inactive person."""  # noqa: E501 - one sentence


class ScopeMissing(Forbidden):
    """The API key lacks the scope that this needs."""


class KeyLimited(Forbidden):
    """The API key is limited to teams, and this is not theirs alone to change."""


class RoleTooLow(Forbidden):
    """Your role in this team does not allow this; ask one of its managers."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom a caller wants to see or change; an admin is one by a key of their own."""

    id: UUID
    team_ids: frozenset[UUID] = frozenset()
    is_admin: bool = False


SCOPES_OF: Mapping[Role, frozenset[Scope]] = {
    Role.OBSERVER: frozenset({Scope.READ}),
    Role.RESPONDER: frozenset({Scope.READ, Scope.RESPOND}),
    Role.MANAGER: frozenset({Scope.READ, Scope.RESPOND, Scope.MANAGE}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: what it may do, in which teams (None: all), and as whom.

    `roles` are those of the person behind the key, by team; None: no person's role counts.
    `needed` is the scope that the route asked for.
    """

    key_id: UUID
    name: str
    scopes: frozenset[Scope]
    team_ids: frozenset[UUID] | None = None
    user_id: UUID | None = None
    user_name: str = ""
    roles: Mapping[UUID, Role] | None = None
    needed: Scope = Scope.READ

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

    def narrowed(self, team_id: UUID | None) -> frozenset[UUID] | None:
        """Return the teams to look in when one is wanted; None: all.

        One condition says it: PostgreSQL would take two for independent, and expect too little.
        """
        if team_id is None:
            return self.team_ids
        return frozenset({team_id}) if self.sees(team_id) else frozenset()

    def may_in(self, team_id: UUID) -> bool:
        """Say whether the person's role in a team that it sees allows what the route needs."""
        return self.roles is None or self.needed in SCOPES_OF[self.roles[team_id]]

    def require_role(self, team_id: UUID) -> None:
        """Refuse what the person's role in a team that it sees does not allow.

        Raises:
            RoleTooLow: it does not.
        """
        if not self.may_in(team_id):
            raise RoleTooLow

    def require_every_team(self) -> None:
        """Refuse a limited key.

        Raises:
            KeyLimited: the caller is limited to teams.
        """
        if self.team_ids is not None:
            raise KeyLimited

    def require_colleague(self, person: Person) -> None:
        """Refuse to show how to reach a person who shares no team with the caller.

        Raises:
            KeyLimited: the person is in none of the caller's teams.
        """
        if person.id == self.user_id or self.team_ids is None:
            return
        if self.team_ids.isdisjoint(person.team_ids):
            raise KeyLimited

    def require_free_or_colleague(self, person: Person) -> None:
        """Refuse to take in a person of other teams only: that would make a stranger reachable.

        Raises:
            KeyLimited: the person is in other teams, and in none of the caller's, or is an admin.
        """
        if person.team_ids:
            self.require_colleague(person)
        elif self.team_ids is not None and person.is_admin:
            raise KeyLimited

    def require_own_person(self, person: Person) -> None:
        """Refuse to change a person whom others rely on too, unless it is the caller.

        Otherwise a key could take a stranger into its team and redirect another team's pages, or
        lock an admin out.

        Raises:
            KeyLimited: the person is not in the caller's teams alone, or is an admin.
            RoleTooLow: the caller does not manage all of these teams.
        """
        if person.id == self.user_id or self.team_ids is None:
            return
        self.require_colleague(person)
        if person.is_admin or not self.team_ids.issuperset(person.team_ids):
            raise KeyLimited
        for team_id in person.team_ids:
            self.require_role(team_id)


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
    note_key(principal.key_id, principal.name, principal.user_id)
    tx.author = Author(principal.actor, operation_of(request))
    return principal


async def authenticate_alone(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> Principal:
    """Authenticate in a transaction that is over before the route opens several of its own.

    Raises:
        KeyNotValid: there is no valid key.
    """
    transactions: Transactions = request.app.state.transactions
    async with transactions.open() as tx:
        return await authenticate(tx, request, credentials)


async def find_principal(tx: Tx, key: str) -> Principal | None:
    """Look a key up by its hash; None when it, or the person behind it, is out of use."""
    found = (
        await tx.session.execute(
            select(ApiKey, User)
            .outerjoin(User, User.id == ApiKey.user_id)
            .where(ApiKey.key_digest == tokens.digest(key))
        )
    ).one_or_none()
    if found is None:
        return None
    row: ApiKey = found.ApiKey
    user: User | None = found.User
    if row.revoked_at or (row.expires_at and row.expires_at <= tx.now):
        return None
    if user and not user.is_active:
        return None
    principal = Principal(
        key_id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes)),
        team_ids=None if row.team_ids is None else frozenset(map(UUID, row.team_ids)),
        user_id=row.user_id,
        user_name=user.name if user else "",
    )
    if user is None or principal.may(Scope.ADMIN):
        return principal
    return in_roles(principal, await load_roles(tx, user.id))


async def load_roles(tx: Tx, user_id: UUID) -> dict[UUID, Role]:
    """Return the person's role in each of its teams."""
    rows = await tx.session.execute(
        select(TeamMembership.team_id, TeamMembership.role).where(TeamMembership.user_id == user_id)
    )
    return {row.team_id: row.role for row in rows}


def in_roles(principal: Principal, roles: Mapping[UUID, Role]) -> Principal:
    """Limit a person's key to the person's teams, among those that the key is limited to."""
    own = frozenset(roles)
    team_ids = own if principal.team_ids is None else own & principal.team_ids
    return replace(principal, team_ids=team_ids, roles=roles)


def needs(
    scope: Scope, find: Callable[..., Coroutine[Any, Any, Principal]] = authenticate
) -> Callable[[Principal], Coroutine[Any, Any, Principal]]:
    """Make the dependency that lets only keys with `scope` in."""

    async def check(principal: Annotated[Principal, Depends(find)]) -> Principal:
        if not principal.may(scope):
            raise ScopeMissing(f"The API key lacks the scope `{scope}` that this needs.")
        return replace(principal, needed=scope)

    return check


# The scope is named twice, so that the OpenAPI document knows it as well.
Reader = Annotated[Principal, Security(needs(Scope.READ), scopes=[Scope.READ])]
Responder = Annotated[Principal, Security(needs(Scope.RESPOND), scopes=[Scope.RESPOND])]
ResponderAlone = Annotated[
    Principal, Security(needs(Scope.RESPOND, authenticate_alone), scopes=[Scope.RESPOND])
]
Manager = Annotated[Principal, Security(needs(Scope.MANAGE), scopes=[Scope.MANAGE])]
Admin = Annotated[Principal, Security(needs(Scope.ADMIN), scopes=[Scope.ADMIN])]
