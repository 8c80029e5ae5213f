"""Make an installation as a file says, by the actions that the API uses too."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func, select

from incident_service.catalog.actions import integrations, routing_rules, services
from incident_service.catalog.queries import say_which_services_use
from incident_service.catalog.schemas import IntegrationCreate, RoutingRuleWrite, ServiceCreate
from incident_service.configuration.differences import (
    Change,
    Kind,
    Names,
    Plan,
    Row,
    Verb,
    compare,
    pairs,
    same_layers,
)
from incident_service.configuration.document import (
    ContactMethodEntry,
    Document,
    IntegrationEntry,
    LayerEntry,
    LevelEntry,
    MemberEntry,
    PolicyEntry,
    RuleEntry,
    ScheduleEntry,
    ServiceEntry,
    SubscriptionEntry,
    TargetEntry,
    TeamChannelEntry,
    TeamEntry,
    UserEntry,
)
from incident_service.configuration.in_use import (
    PEOPLE_HOOKS,
    TEAM_CHANNEL_IN_USE,
    USER_IN_USE,
    USER_ON_CALL,
)
from incident_service.configuration.queries import load_present
from incident_service.core.actor import Actor
from incident_service.core.audit import Author
from incident_service.core.db import Tx
from incident_service.core.errors import DomainError
from incident_service.core.tokens import Token
from incident_service.notifications.queries import say_what_waits_for_address
from incident_service.policies import actions as policies
from incident_service.policies.models import TargetType
from incident_service.policies.queries import get_policy, say_who_names_schedule
from incident_service.policies.schemas import (
    EscalationPolicyCreate,
    EscalationPolicyUpdate,
    LevelWrite,
    TargetWrite,
)
from incident_service.schedules import actions as schedules
from incident_service.schedules.queries import get_schedule
from incident_service.schedules.schemas import LayerWrite, ScheduleCreate, ScheduleUpdate
from incident_service.subscriptions import actions as subscriptions
from incident_service.subscriptions.schemas import SubscriptionCreate
from incident_service.teams.actions import contact_methods, team_channels, teams, users
from incident_service.teams.auth import Principal
from incident_service.teams.in_use import StillReferenced, find_needs, refuse_while_in_use
from incident_service.teams.models import Scope
from incident_service.teams.schemas import (
    ContactMethodCreate,
    TeamChannelCreate,
    TeamCreate,
    UserCreate,
)
from incident_service.web.fields import Request

Entry = TypeVar("Entry", bound=Request)
KEEP_PREVIOUS_KEY = timedelta(days=1)
APPLYING = 4_242_002  # any number that nobody else locks
BY_FILE = Author(Actor("system", None, "configuration file"), "apply_configuration")
FILE = Principal(UUID(int=0), "configuration file", frozenset({Scope.ADMIN}))

DELETED_BY_ID: Mapping[Kind, Callable[..., Awaitable[None]]] = {
    Kind.TEAM: teams.delete_team,
    Kind.SERVICE: services.delete_service,
    Kind.INTEGRATION: integrations.delete_integration,
    Kind.SUBSCRIPTION: subscriptions.delete_subscription,
}


class NameUnknown(DomainError):
    """The file names something that is neither in it nor in the installation."""


class KindStays(DomainError):
    """The file gives something another kind, which cannot be changed."""


@dataclass(slots=True)
class Applied:
    """What was done, and the secrets that were made: what each is for, and its text.

    `warnings` are sentences for people.
    """

    plan: Plan
    secrets: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class ChangeFailed(Exception):
    """A change cannot be made; the cause says why."""

    def __init__(self, change: Change) -> None:
        super().__init__(change.title)
        self.change = change


async def plan_changes(tx: Tx, wanted: Document, *, prune: bool) -> Plan:
    """Find out what has to change; files that are applied at once take turns."""
    await tx.session.execute(select(func.pg_advisory_xact_lock(APPLYING)))
    present = await load_present(tx.session, with_history=prune)
    return compare(present, wanted, prune=prune)


async def carry_out(tx: Tx, plan: Plan) -> Applied:
    """Do everything that a plan of this transaction says.

    Raises:
        ChangeFailed: from the error of the first change that cannot be made.
    """
    tx.author = BY_FILE
    applied = Applied(plan)
    hand = Hand(tx, plan.names, applied)
    for change in plan.changes:
        await hand.do(change)
    await hand.finish()
    return applied


class Hand:
    """Makes one change after the other. Each method serves one kind of thing."""

    def __init__(self, tx: Tx, names: Names, applied: Applied) -> None:
        self._tx = tx
        self._names = names
        self._applied = applied
        self._inactive: list[Change] = []
        self._make: Mapping[Kind, Callable[[Change], Awaitable[None]]] = {
            Kind.USER: self._user,
            Kind.CONTACT_METHOD: self._contact_method,
            Kind.TEAM: self._team,
            Kind.MEMBER: self._member,
            Kind.CHANNEL: self._channel,
            Kind.SCHEDULE: self._schedule,
            Kind.POLICY: self._policy,
            Kind.SERVICE: self._service,
            Kind.INTEGRATION: self._integration,
            Kind.ROUTING_RULES: self._routing_rules,
            Kind.SUBSCRIPTION: self._subscription,
        }

    async def do(self, change: Change) -> None:
        """Make one change.

        Raises:
            ChangeFailed: from the reason.
        """
        work = {Verb.DELETE: self._delete, Verb.KEEP: self._keep}.get(change.verb)
        try:
            await (work or self._make[change.kind])(change)
        except Exception as error:
            raise ChangeFailed(change) from error

    async def _keep(self, change: Change) -> None:
        """Leave it; the plan says why."""

    async def _user(self, change: Change) -> None:
        entry = expect(UserEntry, change.after)
        values = entry.model_dump(exclude={"contact_methods", "is_active"})
        if change.verb is Verb.CREATE:
            change.row.id = (await users.create_user(self._tx, UserCreate(**values), by=FILE)).id
        else:
            await users.update_user(
                self._tx,
                change.row.known_id,
                values | {"is_active": True},
                (),
                hooks=PEOPLE_HOOKS,
                by=FILE,
            )
        if not entry.is_active:
            self._inactive.append(change)

    async def finish(self) -> None:
        """Make people inactive at last.

        Until then they are active, so that policies and schedules that name them can be made: that
        is how a file of an installation looks in which somebody was made inactive by force.
        """
        for change in self._inactive:
            off = {"is_active": False}
            await users.update_user(
                self._tx, change.row.known_id, off, (), hooks=PEOPLE_HOOKS, by=FILE
            )
            if named := await find_needs(self._tx, change.row.known_id, USER_ON_CALL):
                self._applied.warnings.append(f"{change.title} is inactive. {named}")

    async def _contact_method(self, change: Change) -> None:
        entry = expect(ContactMethodEntry, change.after)
        user_id = parent_id(change)
        if change.verb is Verb.CREATE:
            wanted = ContactMethodCreate(**entry.model_dump(exclude={"is_enabled"}))
            method = await contact_methods.create_contact_method(self._tx, user_id, wanted, by=FILE)
            change.row.id = method.id
            self._tell_secret(change, method.signing_secret)
        if change.verb is Verb.CHANGE or not entry.is_enabled:
            changes = entry.model_dump(include={"bundle", "is_enabled"})
            await contact_methods.update_contact_method(
                self._tx, user_id, change.row.known_id, changes, hooks=PEOPLE_HOOKS, by=FILE
            )

    async def _team(self, change: Change) -> None:
        values = expect(TeamEntry, change.after).model_dump(include={"name", "external_id"})
        if change.verb is Verb.CREATE:
            change.row.id = (await teams.create_team(self._tx, TeamCreate(**values), by=FILE)).id
        else:
            await teams.update_team(self._tx, change.row.known_id, values, by=FILE)

    async def _member(self, change: Change) -> None:
        entry = expect(MemberEntry, change.after)
        change.row.id = self._user_id(entry.user)
        await teams.put_membership(self._tx, parent_id(change), change.row.id, entry.role, by=FILE)

    async def _channel(self, change: Change) -> None:
        entry = expect(TeamChannelEntry, change.after)
        if entry.kind != expect(TeamChannelEntry, change.row.entry).kind:
            raise KindStays("A channel's kind stays: give one of another kind another name.")
        team_id = parent_id(change)
        if change.verb is Verb.CREATE:
            wanted = TeamChannelCreate(**entry.model_dump(exclude={"is_enabled"}))
            channel = await team_channels.create_team_channel(self._tx, team_id, wanted, by=FILE)
            change.row.id = channel.id
            self._tell_secret(change, channel.signing_secret)
        if change.verb is Verb.CHANGE or not entry.is_enabled:
            changes = entry.model_dump(exclude={"kind"})
            await team_channels.update_team_channel(
                self._tx, team_id, change.row.known_id, changes, hooks=PEOPLE_HOOKS, by=FILE
            )

    def _tell_secret(self, change: Change, secret: str | None) -> None:
        if secret:
            self._applied.secrets.append((f"signing secret of {change.title}", secret))

    async def _schedule(self, change: Change) -> None:
        entry = expect(ScheduleEntry, change.after)
        values: dict[str, Any] = entry.model_dump(exclude={"layers"})
        before = expect(ScheduleEntry, change.row.entry)
        if change.verb is Verb.CREATE or not same_layers(before, entry):
            paired = pairs(Kind.LAYER, change.row.parts.get(Kind.LAYER, []), entry.layers)
            values["layers"] = [self._layer(row, layer) for row, layer in paired if layer]
        if change.verb is Verb.CREATE:
            wanted = ScheduleCreate(team_id=parent_id(change), **values)
            change.row.id = (await schedules.create_schedule(self._tx, wanted, by=FILE)).id
        else:
            update = ScheduleUpdate(**values)
            await schedules.update_schedule(self._tx, change.row.known_id, update, by=FILE)

    def _layer(self, row: Row | None, entry: Request) -> LayerWrite:
        layer = expect(LayerEntry, entry)
        return LayerWrite(
            id=row.id if row else None,
            participants=[self._user_id(user) for user in layer.participants],
            **layer.model_dump(exclude={"participants"}),
        )

    async def _policy(self, change: Change) -> None:
        entry = expect(PolicyEntry, change.after)
        values: dict[str, Any] = entry.model_dump(exclude={"levels"})
        before = expect(PolicyEntry, change.row.entry)
        if change.verb is Verb.CREATE or before.levels != entry.levels:
            values["levels"] = [self._level(change.row.of, level) for level in entry.levels]
        if change.verb is Verb.CREATE:
            wanted = EscalationPolicyCreate(team_id=parent_id(change), **values)
            change.row.id = (await policies.create_policy(self._tx, wanted, by=FILE)).id
        else:
            update = EscalationPolicyUpdate(**values)
            await policies.update_policy(self._tx, change.row.known_id, update, by=FILE)

    def _level(self, team: Row | None, entry: LevelEntry) -> LevelWrite:
        first, *others = [self._target(team, target) for target in entry.targets]
        return LevelWrite(
            **first.model_dump(), additional_targets=others, timeout_minutes=entry.timeout_minutes
        )

    def _target(self, team: Row | None, entry: TargetEntry) -> TargetWrite:
        if entry.user:
            return TargetWrite(target_type=TargetType.USER, target_id=self._user_id(entry.user))
        if entry.schedule:
            schedule = self._of_team(Kind.SCHEDULE, entry.team, team, entry.schedule)
            return TargetWrite(target_type=TargetType.SCHEDULE, target_id=schedule)
        if entry.channel:
            channel = self._of_team(Kind.CHANNEL, entry.team, team, entry.channel)
            return TargetWrite(target_type=TargetType.TEAM_CHANNEL, target_id=channel)
        return TargetWrite(target_type=TargetType.ENTIRE_TEAM)

    async def _service(self, change: Change) -> None:
        entry = expect(ServiceEntry, change.after)
        values = entry.model_dump(exclude={"escalation_policy", "integrations"})
        values["escalation_policy_id"] = (
            self._of_team(Kind.POLICY, None, change.row.of, entry.escalation_policy)
            if entry.escalation_policy
            else None
        )
        if change.verb is Verb.CREATE:
            wanted = ServiceCreate(team_id=parent_id(change), **values)
            change.row.id = (await services.create_service(self._tx, wanted, by=FILE)).id
        else:
            await services.update_service(self._tx, change.row.known_id, values, by=FILE)

    async def _integration(self, change: Change) -> None:
        entry = expect(IntegrationEntry, change.after)
        if entry.kind != expect(IntegrationEntry, change.row.entry).kind:
            raise KindStays("An integration's kind stays: give one of another kind another name.")
        if change.verb is Verb.CREATE:
            wanted = IntegrationCreate(
                service_id=parent_id(change), name=entry.name, kind=entry.kind
            )
            integration, key = await integrations.create_integration(self._tx, wanted, by=FILE)
            change.row.id = integration.id
            if entry.key_digest is None:
                self._applied.secrets.append((f"key of {change.title}", key))
        row_id = change.row.known_id
        if entry.key_digest is not None:
            token = Token("", entry.key_digest, entry.key_hint)
            keep = timedelta(0) if change.verb is Verb.CREATE else KEEP_PREVIOUS_KEY
            await integrations.adopt_key(self._tx, row_id, token, keep, by=FILE)
        changes = entry.model_dump(include={"name", "is_enabled"})
        await integrations.update_integration(self._tx, row_id, changes, by=FILE)

    async def _routing_rules(self, change: Change) -> None:
        rules = expect(IntegrationEntry, change.after).routing_rules
        service = change.row.of
        wanted = [self._rule(service.of if service else None, rule) for rule in rules]
        await routing_rules.replace_rules(self._tx, change.row.known_id, wanted, by=FILE)

    def _rule(self, team: Row | None, entry: RuleEntry) -> RoutingRuleWrite:
        service_id = self._of_team(Kind.SERVICE, entry.team, team, entry.service)
        return RoutingRuleWrite(matchers=entry.matchers, service_id=service_id)

    async def _subscription(self, change: Change) -> None:
        entry = expect(SubscriptionEntry, change.after)
        before = expect(SubscriptionEntry, change.row.entry)
        if change.verb is Verb.CREATE:
            team_id = parent_id(change) if change.row.of else None
            values = entry.model_dump(exclude={"is_enabled"})
            wanted = SubscriptionCreate(team_id=team_id, **values)
            made = await subscriptions.create_subscription(self._tx, wanted, by=FILE)
            change.row.id = made.id
            self._applied.secrets.append((f"secret of {change.title}", made.secret))
            before = entry.model_copy(update={"is_enabled": True})
        if changes := changes_of(before, entry):
            row_id = change.row.known_id
            await subscriptions.update_subscription(self._tx, row_id, changes, by=FILE)

    def _user_id(self, email: str) -> UUID:
        user = self._names.find(Kind.USER, None, email)
        if user is None:
            raise NameUnknown(f"There is no user {email}, neither in the file nor outside.")
        return user.known_id

    def _of_team(self, kind: Kind, team_name: str | None, own: Row | None, name: str) -> UUID:
        """Find what a team owns: the one that is named, or else the one that names it."""
        team = self._names.find(Kind.TEAM, None, team_name) if team_name else own
        if team is None:
            raise NameUnknown(f"There is no team {team_name}, neither in the file nor outside.")
        found = self._names.find(kind, team, name)
        if found is None:
            where = f"team {team_name}" if team_name else "this team"
            raise NameUnknown(f"There is no {kind} {name} of {where}.")
        return found.known_id

    async def _delete(self, change: Change) -> None:
        tx, row_id = self._tx, change.row.known_id
        match change.kind:
            case Kind.USER:
                await users.delete_user(tx, row_id, USER_IN_USE, by=FILE)
            case Kind.CONTACT_METHOD | Kind.CHANNEL:
                await self._delete_address(change)
            case Kind.TEAM | Kind.SERVICE | Kind.INTEGRATION | Kind.SUBSCRIPTION:
                await DELETED_BY_ID[change.kind](tx, row_id, by=FILE)
            case Kind.MEMBER:
                await teams.delete_membership(tx, parent_id(change), row_id, by=FILE)
            case Kind.SCHEDULE:
                await refuse_while_in_use(tx, row_id, (say_who_names_schedule,))
                schedule = await get_schedule(tx.session, row_id, FILE, lock=True)
                await schedules.delete_schedule(tx, schedule)
            case Kind.POLICY:
                await self._delete_policy(row_id)
            case Kind.LAYER | Kind.ROUTING_RULES:
                raise AssertionError("these go with what they belong to")

    async def _delete_address(self, change: Change) -> None:
        of, row_id = parent_id(change), change.row.known_id
        if change.kind is Kind.CHANNEL:
            await team_channels.delete_team_channel(
                self._tx, of, row_id, TEAM_CHANNEL_IN_USE, hooks=PEOPLE_HOOKS, by=FILE
            )
        else:
            checks = (say_what_waits_for_address,)
            await contact_methods.delete_contact_method(
                self._tx, of, row_id, checks, hooks=PEOPLE_HOOKS, by=FILE
            )

    async def _delete_policy(self, policy_id: UUID) -> None:
        policy = await get_policy(self._tx.session, policy_id, FILE, lock=True)
        if used := await say_which_services_use(self._tx, policy):
            raise StillReferenced(used)
        await policies.delete_policy(self._tx, policy)


def expect(kind: type[Entry], entry: Request | None) -> Entry:
    """Return the entry, which a change of this kind always has."""
    assert isinstance(entry, kind)
    return entry


def changes_of(before: SubscriptionEntry, after: SubscriptionEntry) -> dict[str, Any]:
    """Return what differs. With another URL a paused subscription goes on, as `after` says."""
    names = {
        each for each in type(after).model_fields if getattr(before, each) != getattr(after, each)
    }
    return after.model_dump(include=names | ({"is_enabled"} if "url" in names else set()))


def parent_id(change: Change) -> UUID:
    """Return the id of what the thing belongs to; that was made before it."""
    assert change.row.of is not None
    return change.row.of.known_id
