"""What a configuration file holds. Pure.

Things are named as people name them: users by mail address, the rest by name within its team.
A list that is left out says nothing about what is there; an empty one says that there is nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from incident_service.catalog.models import Grouping, IntegrationKind
from incident_service.catalog.priority import Priority
from incident_service.catalog.schemas import (
    MOST_RULES,
    RESOLVE_STALE,
    Matchers,
    PageFrom,
    ReopenWindow,
    SeverityMap,
    StaleAfter,
)
from incident_service.policies.schemas import AckTimeout, Minutes, Reminder, RepeatCount
from incident_service.schedules.schemas import LayerShape
from incident_service.schedules.schemas import TimeZone as ScheduleTimeZone
from incident_service.subscriptions.schemas import Kinds, Url
from incident_service.teams.models import Channel, Role
from incident_service.teams.schemas import Address, Bundle, Email, TeamChannelKind, TimeZone
from incident_service.web.fields import ExternalId, Name, Prose, Request

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
UserRef = Annotated[Email, AfterValidator(str.lower), Field(description="A user's mail address.")]
OtherTeam = Annotated[Name | None, Field(description="The team it belongs to; left out: this one.")]


def require_once(what: str, names: Sequence[str]) -> None:
    """Refuse a list that names something twice, whatever the case."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise ValueError(f"the {what} {name} is named twice")
        seen.add(name.lower())


class ContactMethodEntry(Request):
    """A way to reach a person."""

    kind: Channel
    address: Address
    bundle: Bundle = True
    is_enabled: bool = True


class UserEntry(Request):
    """A person who can be paged. One with an `external_id` is found again by that."""

    name: Name
    email: Email
    external_id: ExternalId | None = None
    time_zone: TimeZone = "UTC"
    is_active: bool = True
    contact_methods: list[ContactMethodEntry] | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        methods = [(method.kind, method.address) for method in self.contact_methods or ()]
        if len(methods) > len(set(methods)):
            raise ValueError("each contact method is named once")
        return self


class MemberEntry(Request):
    """A person's role in the team."""

    user: UserRef
    role: Role


class TeamChannelEntry(Request):
    """A channel of the team."""

    name: Name
    kind: TeamChannelKind
    address: Address
    bundle: Bundle = True
    is_enabled: bool = True


class LayerEntry(LayerShape):
    """Participants who take turns. Without `starts_at`, whoever has the turn keeps it."""

    participants: list[UserRef] = Field(
        min_length=1, max_length=50, description="Each once, in the order of their turns."
    )


class ScheduleEntry(Request):
    """Who is on call when. Overrides are not part of the configuration."""

    name: Name
    description: Prose = ""
    time_zone: ScheduleTimeZone
    layers: list[LayerEntry] = Field(
        default_factory=list, max_length=20, description="A later one covers those before it."
    )


class TargetEntry(Request):
    """Whom to page: one of `user`, `schedule`, `entire_team` and `channel`."""

    user: UserRef | None = None
    schedule: Name | None = None
    channel: Name | None = Field(None, description="Told in addition: never a level's first.")
    team: OtherTeam = None
    entire_team: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        named = (self.user, self.schedule, self.channel, self.entire_team)
        if len([each for each in named if each]) != 1:
            raise ValueError("give exactly one of user, schedule, channel and entire_team: true")
        if self.team and not self.schedule and not self.channel:
            raise ValueError("team says whose schedule or channel it is; give both")
        return self


class LevelEntry(Request):
    """One rung of a policy."""

    targets: list[TargetEntry] = Field(min_length=1, max_length=21)
    timeout_minutes: Minutes = 30

    @model_validator(mode="after")
    def _each_target_once(self) -> Self:
        """Name each target once, as it will be stored."""
        once = [each for at, each in enumerate(self.targets) if each not in self.targets[:at]]
        self.targets[:] = once
        return self

    @model_validator(mode="after")
    def _people_first(self) -> Self:
        if self.targets[0].channel:
            raise ValueError("a channel is told in addition to people; name those first")
        return self


class PolicyEntry(Request):
    """An escalation policy."""

    name: Name
    description: Prose = ""
    is_default: bool = False
    is_active: bool = True
    repeat_count: RepeatCount = 1
    ack_timeout_minutes: AckTimeout | None = None
    exhausted_reminder_minutes: Reminder | None = 30
    levels: list[LevelEntry] = Field(default_factory=list, max_length=10)


class RuleEntry(Request):
    """Which alerts go to which service."""

    matchers: Matchers
    service: Name
    team: OtherTeam = None


class IntegrationEntry(Request):
    """A sender. One that is made without `key_digest` gets a key, which is printed once."""

    name: Name
    kind: IntegrationKind
    is_enabled: bool = True
    key_digest: Digest | None = Field(
        None, description="SHA-256 of its key, in hexadecimal; left out: the key stays as it is."
    )
    key_hint: Annotated[str, Field(max_length=20)] = Field(
        "", description="How its key begins, to tell keys apart."
    )
    routing_rules: list[RuleEntry] = Field(default_factory=list, max_length=MOST_RULES)


class ServiceEntry(Request):
    """Something that breaks. One with an `external_id` is found again by that."""

    name: Name
    description: Prose = ""
    external_id: ExternalId | None = None
    escalation_policy: Name | None = Field(None, description="Left out: the team's default.")
    grouping: Grouping = Grouping.ALERT
    grouping_labels: list[Name] = Field(default_factory=list, max_length=20)
    page_from: PageFrom = Priority.LOW
    severity_map: SeverityMap = Field(default_factory=dict)
    auto_resolve: bool = True
    reopen_window_minutes: ReopenWindow = 15
    stale_after_minutes: StaleAfter = None
    resolve_stale: bool = Field(default=False, description=RESOLVE_STALE)
    integrations: list[IntegrationEntry] | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        require_once("integration", [each.name for each in self.integrations or ()])
        return self


class SubscriptionEntry(Request):
    """A receiver of incident events. One that is made gets a secret, which is printed once."""

    name: Name
    url: Url
    kinds: Kinds = Field(default_factory=list)
    is_enabled: bool = Field(
        True, description="A pause by the service is no configuration: it says nothing of that."
    )


class TeamEntry(Request):
    """A team and what it owns. One with an `external_id` is found again by that."""

    name: Name
    external_id: ExternalId | None = None
    members: list[MemberEntry] | None = None
    channels: list[TeamChannelEntry] | None = None
    schedules: list[ScheduleEntry] | None = None
    escalation_policies: list[PolicyEntry] | None = None
    services: list[ServiceEntry] | None = None
    webhook_subscriptions: list[SubscriptionEntry] | None = Field(
        None, description="To the events of this team's incidents."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        require_once("member", [member.user for member in self.members or ()])
        require_once("channel", [each.name for each in self.channels or ()])
        require_once("schedule", [each.name for each in self.schedules or ()])
        require_once("escalation policy", [each.name for each in self.escalation_policies or ()])
        require_once("service", [service.name for service in self.services or ()])
        defaults = [each.name for each in self.escalation_policies or () if each.is_default]
        if len(defaults) > 1:
            raise ValueError(f"a team has one default policy, not {' and '.join(defaults)}")
        return self

    @model_validator(mode="after")
    def _name_no_team_for_its_own(self) -> Self:
        """Leave out a team that is this one: both spellings mean the same."""
        for entry in self._that_may_name_a_team():
            if entry.team == self.name:
                entry.team = None
        return self

    def _that_may_name_a_team(self) -> Iterator[TargetEntry | RuleEntry]:
        for policy in self.escalation_policies or ():
            for level in policy.levels:
                yield from level.targets
        for service in self.services or ():
            for integration in service.integrations or ():
                yield from integration.routing_rules


class Document(Request):
    """The configuration of an installation, or a part of it."""

    version: Literal[1] = 1
    users: list[UserEntry] | None = None
    teams: list[TeamEntry] | None = None
    webhook_subscriptions: list[SubscriptionEntry] | None = Field(
        None, description="To the events of every team's incidents."
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        require_once("user", [user.email for user in self.users or ()])
        require_once("team", [team.name for team in self.teams or ()])
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(),
        "title": "Configuration of incident-service",
    }
