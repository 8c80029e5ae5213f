"""Give a fresh database something to try: what `demo.yaml` says, and keys to use it.

Running it again changes nothing but what it is told to: keys that are not known any more are made
anew, and the people's addresses follow what is asked for.
"""

from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files

from sqlalchemy import Select, exists, select, update

from incident_service.catalog.actions.integrations import create_integration, rotate_key
from incident_service.catalog.models import Integration, IntegrationKind, Service
from incident_service.catalog.queries import find_integration
from incident_service.catalog.schemas import IntegrationCreate
from incident_service.cli.dev.reach import Reach
from incident_service.configuration.actions import FILE, carry_out, plan_changes
from incident_service.configuration.files import read
from incident_service.core.db import Tx
from incident_service.core.ids import new_id
from incident_service.schedules.actions import create_override
from incident_service.schedules.models import Schedule
from incident_service.schedules.schemas import OverrideCreate
from incident_service.teams.actions.api_keys import create_api_key
from incident_service.teams.auth import find_principal
from incident_service.teams.bootstrap import take_turn
from incident_service.teams.models import Channel, ContactMethod, Scope, Team, User
from incident_service.teams.schemas import ApiKeyCreate

TEAM, SERVICE = "dev-demo", "dev-demo-service"
FIRST, SECOND, PLATFORM = "dev-first", "dev-second", "dev-platform"
EVENING = timedelta(hours=4)
# An Alertmanager that was set up with a lost key gets on with it for so long.
KEEP_LOST_KEY = timedelta(days=1)


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
    key = known.integration_key
    if not await is_made(tx):
        key = await make_demo(tx)
    for user in await tx.session.scalars(demo_users()):
        await ensure_contacts(tx, user, reach, before)
    return Keys(await ensure_api_key(tx, known.api_key), await ensure_integration_key(tx, key))


async def is_made(tx: Tx) -> bool:
    """Say whether the demo was made before."""
    found = await tx.session.scalar(select(exists().where(Service.external_id == SERVICE)))
    return bool(found)


def demo_users() -> Select[User]:
    """Select the demo's people."""
    return select(User).where(User.external_id.in_([FIRST, SECOND, PLATFORM]))


async def make_demo(tx: Tx) -> str:
    """Make what `demo.yaml` says, and return the key of its integration."""
    text = files(__package__).joinpath("demo.yaml").read_text("utf-8")
    plan = await plan_changes(tx, read(text), prune=False)
    applied = await carry_out(tx, plan)
    await stand_in(tx)
    ((_, key),) = applied.secrets
    return key


async def stand_in(tx: Tx) -> None:
    """Let the second of the demo's people take over for an evening of the first one's week."""
    primary = (
        select(Schedule.id).join(Team).where(Team.external_id == TEAM, Schedule.name == "Primary")
    )
    schedule_id = (await tx.session.scalars(primary)).one()
    user_id = (await tx.session.scalars(select(User.id).where(User.external_id == SECOND))).one()
    begins = tx.now.replace(hour=18, minute=0, second=0, microsecond=0) + timedelta(days=1)
    wanted = OverrideCreate(user_id=user_id, starts_at=begins, ends_at=begins + EVENING)
    await create_override(tx, schedule_id, wanted, by=FILE)


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
    _, key = await create_api_key(tx, wanted, by=FILE)
    return key


async def ensure_integration_key(tx: Tx, known: str) -> str:
    """Return the key of an integration of the demo service."""
    if known and await find_integration(tx.session, known, tx.now):
        return known
    of_demo = select(Service.id).where(Service.external_id == SERVICE)
    service_id = (await tx.session.scalars(of_demo)).one()
    found = await tx.session.scalars(
        select(Integration).where(Integration.service_id == service_id).order_by(Integration.id)
    )
    integration = found.first()
    if integration is None:
        wanted = IntegrationCreate(
            service_id=service_id, name="Alertmanager", kind=IntegrationKind.ALERTMANAGER
        )
        _, key = await create_integration(tx, wanted, by=FILE)
    else:
        _, key = await rotate_key(tx, integration.id, KEEP_LOST_KEY, by=FILE)
    return key
