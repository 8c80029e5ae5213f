"""Give a fresh database something to try: a team, two people, a policy, a service, a sender.

Running it again changes nothing but what it is told to: keys that are not known any more are made
anew, and the people's addresses follow what is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, select, update

from incident_service.catalog.actions.integrations import create_integration, rotate_key
from incident_service.catalog.actions.services import create_service
from incident_service.catalog.models import Integration, IntegrationKind, Service
from incident_service.catalog.queries import find_integration
from incident_service.catalog.schemas import IntegrationCreate, ServiceCreate
from incident_service.cli.dev.reach import Reach
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.policies.actions import create_policy
from incident_service.policies.models import TargetType
from incident_service.policies.schemas import EscalationPolicyCreate, LevelWrite
from incident_service.teams.actions.api_keys import create_api_key
from incident_service.teams.actions.teams import create_team, put_membership
from incident_service.teams.actions.users import create_user
from incident_service.teams.auth import Principal, find_principal
from incident_service.teams.bootstrap import take_turn
from incident_service.teams.models import Channel, ContactMethod, Role, Scope, User
from incident_service.teams.schemas import ApiKeyCreate, TeamCreate, UserCreate

SERVICE = "dev-demo-service"
LEVEL_MINUTES = 10
PASSES = 3
# An Alertmanager that was set up with a lost key gets on with it for so long.
KEEP_LOST_KEY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody to page; `external_id` is how a later start finds them again."""

    external_id: str
    name: str
    email: str
    role: Role


USERS = (
    DemoUser("dev-first", "First Responder", "first.responder@demo.invalid", Role.RESPONDER),
    DemoUser("dev-second", "Second Responder", "second.responder@demo.invalid", Role.MANAGER),
)
# What is made here is made by nobody: it appears in no timeline.
MAKER = Principal(UUID(int=0), "dev", frozenset({Scope.ADMIN}))


@dataclass(frozen=True, slots=True)
class Keys:
    """The texts of an admin key and of the demo integration's key; empty: not known."""

    api_key: str = ""
    integration_key: str = ""


async def seed(tx: Tx, known: Keys, reach: Reach, before: Reach) -> Keys:
    """Make what is missing and return keys that work: the `known` ones if they still do.

    `before` is how people were to be reached at the last start.
    """
    await take_turn(tx)
    service = await find_service(tx) or await make_demo(tx)
    for user in await tx.session.scalars(demo_users()):
        await ensure_contacts(tx, user, reach, before)
    return Keys(
        await ensure_api_key(tx, known.api_key),
        await ensure_integration_key(tx, service, known.integration_key),
    )


async def find_service(tx: Tx) -> Service | None:
    """Return the demo service, if it exists."""
    found = await tx.session.scalars(select(Service).where(Service.external_id == SERVICE))
    return found.one_or_none()


def demo_users() -> Select[User]:
    """Select the demo's people."""
    return select(User).where(User.external_id.in_([user.external_id for user in USERS]))


async def make_demo(tx: Tx) -> Service:
    """Make the team, its people and its policy, and return its service."""
    team = await create_team(tx, TeamCreate(name="Demo"), by=MAKER)
    users = [await make_user(tx, team.id, user) for user in USERS]
    await create_policy(tx, demo_policy(team.id, users), by=MAKER)
    wanted = ServiceCreate(
        team_id=team.id,
        name="Demo service",
        description="Pages by the team's default policy.",
        external_id=SERVICE,
    )
    return await create_service(tx, wanted, by=MAKER)


async def make_user(tx: Tx, team_id: UUID, wanted: DemoUser) -> User:
    """Make a member of the team."""
    user = await create_user(
        tx,
        UserCreate(name=wanted.name, email=wanted.email, external_id=wanted.external_id),
        by=MAKER,
    )
    await put_membership(tx, team_id, user.id, wanted.role, by=MAKER)
    return user


def demo_policy(team_id: UUID, users: Sequence[User]) -> EscalationPolicyCreate:
    """Describe the policy: one person after the other, and all over again."""
    levels = [
        LevelWrite(target_type=TargetType.USER, target_id=user.id, timeout_minutes=LEVEL_MINUTES)
        for user in users
    ]
    return EscalationPolicyCreate(
        team_id=team_id,
        name="Demo policy",
        is_default=True,
        repeat_count=PASSES,
        levels=levels,
    )


async def ensure_contacts(tx: Tx, user: User, reach: Reach, before: Reach) -> None:
    """Let the person be reached in the terminal, and as asked for; not as asked for before."""
    wanted = {Channel.CONSOLE: user.name, **reach.by_channel()}
    for channel, address in before.by_channel().items():
        if address and address != wanted[channel]:
            await switch_off(tx, user, channel, address)
    for channel, address in wanted.items():
        if address:
            await ensure_contact(tx, user, channel, address)


async def switch_off(tx: Tx, user: User, channel: Channel, address: str) -> None:
    """Disable a contact method; the record of what it was sent stays."""
    await tx.session.execute(
        update(ContactMethod)
        .where(
            ContactMethod.user_id == user.id,
            ContactMethod.kind == channel,
            ContactMethod.address == address,
        )
        .values(is_enabled=False, updated_at=tx.now)
    )


async def ensure_contact(tx: Tx, user: User, channel: Channel, address: str) -> None:
    """Make the contact method, or switch it on again.

    It is written here and not by an action: only `dev` may make contacts of the console.
    """
    found = await tx.session.scalars(
        select(ContactMethod).where(
            ContactMethod.user_id == user.id,
            ContactMethod.kind == channel,
            ContactMethod.address == address,
        )
    )
    method = found.one_or_none()
    if method is None:
        method = ContactMethod(
            id=new_id(),
            user_id=user.id,
            kind=channel,
            address=address,
            bundle=True,
            signing_secret=None,
            created_at=tx.now,
            updated_at=tx.now,
        )
        tx.session.add(method)
    method.is_enabled = True
    await tx.flush()


async def ensure_api_key(tx: Tx, known: str) -> str:
    """Return an admin key that works."""
    principal = await find_principal(tx, known) if known else None
    if principal and principal.may(Scope.ADMIN):
        return known
    wanted = ApiKeyCreate(name="dev", scopes=[Scope.ADMIN])
    _, key = await create_api_key(tx, wanted, by=MAKER)
    return key


async def ensure_integration_key(tx: Tx, service: Service, known: str) -> str:
    """Return the key of an integration of the demo service."""
    if known and await find_integration(tx.session, known, tx.now):
        return known
    found = await tx.session.scalars(
        select(Integration).where(Integration.service_id == service.id).order_by(Integration.id)
    )
    integration = found.first()
    if integration is None:
        wanted = IntegrationCreate(
            service_id=service.id, name="Alertmanager", kind=IntegrationKind.ALERTMANAGER
        )
        _, key = await create_integration(tx, wanted, by=MAKER)
    else:
        _, key = await rotate_key(tx, integration.id, KEEP_LOST_KEY, by=MAKER)
    return key
