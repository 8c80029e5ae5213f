"""Read what is configured, as entries of a file with their ids."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.alerts.models import Alert
from incident_service.catalog.models import Integration, RoutingRule, Service
from incident_service.catalog.priority import Priority
from incident_service.configuration.differences import PARTS, Kind, Row
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
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.models import Incident
from incident_service.incidents.timeline import EventKind
from incident_service.notifications.models import Notification
from incident_service.policies.models import EscalationPolicy, TargetType
from incident_service.policies.plan import Target
from incident_service.policies.queries import load_levels, plan_level
from incident_service.schedules.models import Schedule, ScheduleLayer
from incident_service.schedules.queries import load_layers
from incident_service.schedules.schemas import Restriction, weekday_of
from incident_service.subscriptions.models import WebhookSubscription
from incident_service.teams.models import Channel, ContactMethod, Team, TeamMembership, User
from incident_service.web.fields import Request

HAS_INCIDENTS = "it has incidents, which are kept"
HAS_ALERTS = "alerts came through it and are kept"
WAS_PAGED = "it was paged, and the record of that is kept"


async def load_present(session: AsyncSession, *, with_history: bool) -> dict[Kind, list[Row]]:
    """Read all users, teams with what belongs to them, and subscriptions of every team.

    `with_history` also looks for what cannot be deleted, which takes longer. The console of `dev`
    is not configuration, and neither is the fallback contact.
    """
    history = await load_history(session) if with_history else History()
    return await Reading(session, history).everything()


def as_document(present: dict[Kind, list[Row]]) -> Document:
    """Put what was read into a file."""
    users = [with_parts(Kind.USER, row) for row in present[Kind.USER]]
    teams = [with_parts(Kind.TEAM, row) for row in present[Kind.TEAM]]
    subscriptions = [row.entry for row in present[Kind.SUBSCRIPTION]]
    return Document().model_copy(
        update={"users": users, "teams": teams, "webhook_subscriptions": subscriptions}
    )


def with_parts(kind: Kind, row: Row) -> Request:
    """Return an entry together with what belongs to it."""
    lists = {
        name: [with_parts(part, each) for each in row.parts.get(part, ())]
        for name, part in PARTS.get(kind, {}).items()
    }
    return row.entry.model_copy(update=lists)


@dataclass(frozen=True, slots=True)
class History:
    """Why things cannot be deleted, by their ids."""

    kept: Mapping[UUID, str] = field(default_factory=dict)

    def why(self, row_id: UUID) -> str:
        """Return why, or an empty text."""
        return self.kept.get(row_id, "")


async def load_history(session: AsyncSession) -> History:
    """Find out what has a history."""
    has = {
        Team.id: (Incident.team_id, HAS_INCIDENTS),
        Service.id: (Incident.service_id, HAS_INCIDENTS),
        Integration.id: (Alert.integration_id, HAS_ALERTS),
        User.id: (Notification.user_id, WAS_PAGED),
        ContactMethod.id: (Notification.contact_method_id, WAS_PAGED),
    }
    kept: dict[UUID, str] = {}
    for row_id, (names_it, why) in has.items():
        found = await session.scalars(select(row_id).where(exists().where(names_it == row_id)))
        kept |= dict.fromkeys(found, why)
    active = await session.execute(
        select(Incident.escalation_policy_id, func.count())
        .where(Incident.status.in_([Status.OPEN, Status.ACKNOWLEDGED]))
        .group_by(Incident.escalation_policy_id)
    )
    kept |= {row[0]: f"{row[1]} active incidents use it" for row in active if row[0]}
    integrations = await session.execute(select(Integration.id, Integration.service_id))
    for integration_id, service_id in integrations:
        if integration_id in kept:
            kept.setdefault(service_id, HAS_ALERTS)
    services = await session.execute(
        select(Service.id, Service.team_id, Service.escalation_policy_id)
    )
    for service_id, team_id, policy_id in services:
        if service_id in kept:
            kept.setdefault(team_id, "a service of it has a history, which is kept")
            if policy_id:
                kept.setdefault(policy_id, "a service with a history pages by it")
    return History(kept)


class Reading:
    """Reads table by table; what comes later names what came before."""

    def __init__(self, session: AsyncSession, history: History) -> None:
        self._session = session
        self._history = history
        self._users: dict[UUID, User] = {}
        self._teams: dict[UUID, Team] = {}
        self._methods: dict[UUID, ContactMethod] = {}
        self._schedules: dict[UUID, Schedule] = {}
        self._policies: dict[UUID, EscalationPolicy] = {}
        self._services: dict[UUID, Service] = {}

    async def everything(self) -> dict[Kind, list[Row]]:
        """Read all there is."""
        self._methods = await self._by_id(ContactMethod)
        users = await self._read_users()
        self._teams = await self._by_id(Team)
        self._services = await self._by_id(Service)
        members = await self._read_members()
        schedules = await self._read_schedules()
        policies = await self._read_policies()
        services = await self._read_services()
        subscriptions = await self._read_subscriptions()
        teams = []
        for team in self._teams.values():
            row = self._row(TeamEntry(name=team.name, external_id=team.external_id), team.id)
            row.parts = {
                Kind.MEMBER: members[team.id],
                Kind.CHANNEL: self._channels(team.id),
                Kind.SCHEDULE: schedules[team.id],
                Kind.POLICY: policies[team.id],
                Kind.SERVICE: services[team.id],
                Kind.SUBSCRIPTION: subscriptions[team.id],
            }
            teams.append(row)
        return {Kind.USER: users, Kind.TEAM: teams, Kind.SUBSCRIPTION: subscriptions[None]}

    async def _by_id(self, model: Any) -> dict[UUID, Any]:  # noqa: ANN401 - a table
        """Return all rows of a table by their ids, oldest first."""
        rows = await self._session.scalars(select(model).order_by(model.id))
        return {row.id: row for row in rows}

    def _row(self, entry: Request, row_id: UUID) -> Row:
        return Row(entry, row_id, self._history.why(row_id))

    async def _read_users(self) -> list[Row]:
        self._users = await self._by_id(User)
        methods: dict[UUID, list[Row]] = defaultdict(list)
        for method in self._methods.values():
            if method.user_id and method.kind is not Channel.CONSOLE and not method.retired_at:
                entry = ContactMethodEntry.model_construct(**columns(method, ContactMethodEntry))
                methods[method.user_id].append(self._row(entry, method.id))
        rows = []
        for user in self._users.values():
            row = self._row(UserEntry.model_construct(**columns(user, UserEntry)), user.id)
            row.parts = {Kind.CONTACT_METHOD: methods[user.id]}
            rows.append(row)
        return rows

    def _channels(self, team_id: UUID) -> list[Row]:
        return [
            self._row(
                TeamChannelEntry.model_construct(**columns(method, TeamChannelEntry)), method.id
            )
            for method in self._methods.values()
            if method.team_id == team_id and not method.retired_at
        ]

    async def _read_members(self) -> dict[UUID, list[Row]]:
        members: dict[UUID, list[Row]] = defaultdict(list)
        statement = select(TeamMembership).order_by(TeamMembership.team_id, TeamMembership.user_id)
        for row in await self._session.scalars(statement):
            entry = MemberEntry.model_construct(user=self._user(row.user_id), role=row.role)
            members[row.team_id].append(Row(entry, row.user_id))
        return members

    async def _read_schedules(self) -> dict[UUID, list[Row]]:
        self._schedules = await self._by_id(Schedule)
        layers, participants = await load_layers(self._session, list(self._schedules))
        schedules: dict[UUID, list[Row]] = defaultdict(list)
        for schedule in self._schedules.values():
            parts = [
                Row(self._layer(layer, participants.get(layer.id, ())), layer.id)
                for layer in layers.get(schedule.id, ())
            ]
            entry = ScheduleEntry.model_construct(
                **columns(schedule, ScheduleEntry) | {"layers": [part.entry for part in parts]}
            )
            row = self._row(entry, schedule.id)
            row.parts = {Kind.LAYER: parts}
            schedules[schedule.team_id].append(row)
        return schedules

    def _layer(self, layer: ScheduleLayer, participants: Collection[UUID]) -> LayerEntry:
        """Describe a layer; whoever has its shift number 0 comes first."""
        people = [self._user(user_id) for user_id in participants]
        first = layer.first % len(people) if people else 0
        return LayerEntry.model_construct(
            **columns(layer, LayerEntry)
            | {
                "handoff_weekday": weekday_of(layer.handoff_weekday),
                "participants": people[first:] + people[:first],
                "restrictions": [Restriction.model_validate(item) for item in layer.restrictions],
            }
        )

    async def _read_policies(self) -> dict[UUID, list[Row]]:
        self._policies = await self._by_id(EscalationPolicy)
        levels = await load_levels(self._session, list(self._policies))
        policies: dict[UUID, list[Row]] = defaultdict(list)
        for policy in self._policies.values():
            rungs = [
                LevelEntry.model_construct(
                    targets=[self._target(target, policy.team_id) for target in level.targets],
                    timeout_minutes=level.timeout_minutes,
                )
                for level in map(plan_level, levels.get(policy.id, ()))
            ]
            entry = PolicyEntry.model_construct(**columns(policy, PolicyEntry) | {"levels": rungs})
            policies[policy.team_id].append(self._row(entry, policy.id))
        return policies

    def _target(self, target: Target, team_id: UUID) -> TargetEntry:
        match target.type:
            case TargetType.USER:
                return TargetEntry(user=self._user(target.id))
            case TargetType.SCHEDULE:
                schedule = self._schedules[known(target.id)]
                team = self._other_team(schedule.team_id, team_id)
                return TargetEntry(schedule=schedule.name, team=team)
            case TargetType.TEAM_CHANNEL:
                channel = self._methods[known(target.id)]
                team = self._other_team(known(channel.team_id), team_id)
                return TargetEntry(channel=channel.name, team=team)
            case TargetType.ENTIRE_TEAM:
                return TargetEntry(entire_team=True)

    async def _read_services(self) -> dict[UUID, list[Row]]:
        integrations = await self._read_integrations()
        services: dict[UUID, list[Row]] = defaultdict(list)
        for service in self._services.values():
            policy_id = service.escalation_policy_id
            entry = ServiceEntry.model_construct(
                **columns(service, ServiceEntry)
                | {
                    "escalation_policy": self._policies[policy_id].name if policy_id else None,
                    "severity_map": {
                        word: Priority(priority) for word, priority in service.severity_map.items()
                    },
                }
            )
            row = self._row(entry, service.id)
            row.parts = {Kind.INTEGRATION: integrations[service.id]}
            services[service.team_id].append(row)
        return services

    async def _read_integrations(self) -> dict[UUID, list[Row]]:
        rules: dict[UUID, list[RoutingRule]] = defaultdict(list)
        for rule in await self._session.scalars(select(RoutingRule).order_by(RoutingRule.position)):
            rules[rule.integration_id].append(rule)
        integrations: dict[UUID, list[Row]] = defaultdict(list)
        for integration in (await self._by_id(Integration)).values():
            team_id = self._services[integration.service_id].team_id
            entry = IntegrationEntry.model_construct(
                **columns(integration, IntegrationEntry)
                | {"routing_rules": [self._rule(rule, team_id) for rule in rules[integration.id]]}
            )
            integrations[integration.service_id].append(self._row(entry, integration.id))
        return integrations

    def _rule(self, rule: RoutingRule, team_id: UUID) -> RuleEntry:
        service = self._services[rule.service_id]
        return RuleEntry.model_construct(
            matchers=rule.matchers,
            service=service.name,
            team=self._other_team(service.team_id, team_id),
        )

    async def _read_subscriptions(self) -> dict[UUID | None, list[Row]]:
        """Read them by team; None: those of every team. One that is paused counts as enabled."""
        subscriptions: dict[UUID | None, list[Row]] = defaultdict(list)
        for subscription in (await self._by_id(WebhookSubscription)).values():
            entry = SubscriptionEntry.model_construct(
                name=subscription.name,
                url=subscription.url,
                kinds=[EventKind(kind) for kind in subscription.kinds],
                is_enabled=subscription.is_enabled or subscription.paused_at is not None,
            )
            subscriptions[subscription.team_id].append(self._row(entry, subscription.id))
        return subscriptions

    def _user(self, user_id: UUID | None) -> str:
        return str(self._users[known(user_id)].email).lower()

    def _other_team(self, team_id: UUID, own_id: UUID) -> str | None:
        return None if team_id == own_id else str(self._teams[team_id].name)


def columns(row: Any, entry: type[Request]) -> dict[str, Any]:  # noqa: ANN401 - a row
    """Return the columns that an entry of this kind has under the same name."""
    return {name: getattr(row, name) for name in entry.model_fields if hasattr(row, name)}


def known(row_id: UUID | None) -> UUID:
    """Return the id of something that a foreign key or a rule of ours guarantees."""
    assert row_id is not None
    return row_id
