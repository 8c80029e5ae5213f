"""What the API takes and shows of services and integrations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from incident_service.catalog.matchers import parse
from incident_service.catalog.models import Grouping, Integration, IntegrationKind
from incident_service.catalog.priority import Priority
from incident_service.web.fields import (
    ExternalId,
    Flag,
    Name,
    Patch,
    Prose,
    Request,
    Response,
    Text,
    Whole,
    open_words,
)
from incident_service.web.resources import Resource

WEEK = 7 * 24 * 60
MONTH = 31 * 24 * 60
MOST_RULES = 100
MOST_SEVERITIES = 50
AnyPriority = TypeVar("AnyPriority", bound=Priority | None)


def _lower_cased(severities: Mapping[str, AnyPriority]) -> dict[str, AnyPriority]:
    """Spell the keys as alerts are compared with them: without outer spaces, in lower case."""
    spelled: dict[str, AnyPriority] = {}
    for text, priority in severities.items():
        word = text.strip().lower()
        if spelled.setdefault(word, priority) is not priority:
            raise ValueError("two keys that differ only in case mean different priorities")
    return spelled


SeverityText = Annotated[Name, StringConstraints(max_length=100)]
SeverityMap = Annotated[
    dict[SeverityText, Priority],
    Field(
        max_length=MOST_SEVERITIES,
        description="Priorities of the sender's severity texts, whatever their case; "
        "wins over the built-in map.",
    ),
    AfterValidator(_lower_cased),
]
SeverityMapPatch = Annotated[
    dict[SeverityText, Priority | None],
    Field(
        max_length=2 * MOST_SEVERITIES,
        description="Is merged into the map that there is; null takes a text out of it.",
    ),
    AfterValidator(_lower_cased),
]
GroupingLabels = Annotated[
    list[Name], Field(max_length=20, description="Label names; for the grouping `labels` only.")
]
PageFrom = Annotated[
    Priority, Field(description="Incidents below it are stored and listed, but page nobody.")
]
ReopenWindow = Annotated[
    Whole,
    Field(
        ge=0,
        le=WEEK,
        description="An alert that comes back within so many minutes reopens its incident.",
    ),
]
StaleAfter = Annotated[
    Whole | None,
    Field(
        ge=10,
        le=MONTH,
        description="A firing alert that is not sent again for so many minutes is marked as stale; "
        "null: never. Choose more than Alertmanager's repeat_interval and group_interval together.",
    ),
]
RESOLVE_STALE = (
    "Resolve stale alerts, as soon as their sender is heard of again and does not repeat them."
)
PolicyId = Annotated[
    UUID | None, Field(description="A policy of the same team; null: the team's default.")
]


class ServiceCreate(Request):
    """A new service."""

    team_id: UUID
    name: Name
    description: Prose = ""
    external_id: ExternalId | None = None
    escalation_policy_id: PolicyId = None
    grouping: Grouping = Grouping.ALERT
    grouping_labels: GroupingLabels | None = None
    page_from: PageFrom = Priority.LOW
    severity_map: SeverityMap = Field(default_factory=dict)
    auto_resolve: Flag = Field(default=True, description="End incidents with their last alert.")
    reopen_window_minutes: ReopenWindow = 15
    stale_after_minutes: StaleAfter = None
    resolve_stale: Flag = Field(default=False, description=RESOLVE_STALE)


class ServiceUpdate(Patch):
    """Changes of a service; it stays with its team. Active incidents keep how they grouped."""

    name: Name | None = None
    description: Prose | None = None
    external_id: ExternalId | None = None
    escalation_policy_id: PolicyId = None
    grouping: Grouping | None = None
    grouping_labels: GroupingLabels | None = None
    page_from: PageFrom | None = None
    severity_map: SeverityMapPatch | None = None
    auto_resolve: Flag | None = None
    reopen_window_minutes: ReopenWindow | None = None
    stale_after_minutes: StaleAfter = None
    resolve_stale: Flag | None = Field(None, description=RESOLVE_STALE)

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the fields that null clears."""
        return frozenset({"external_id", "escalation_policy_id", "stale_after_minutes"})


class ServiceRead(Resource):
    """A service."""

    id: UUID
    team_id: UUID
    name: str
    description: str
    external_id: str | None
    escalation_policy_id: UUID | None
    grouping: Grouping
    grouping_labels: list[str]
    page_from: Priority
    severity_map: dict[str, Priority]
    auto_resolve: bool
    reopen_window_minutes: int
    stale_after_minutes: int | None
    resolve_stale: bool
    created_at: datetime
    updated_at: datetime


class ServicePage(Response):
    """A page of services, oldest first."""

    items: list[ServiceRead]
    next_cursor: str | None


class IntegrationCreate(Request):
    """A new sender."""

    service_id: UUID
    name: Name
    kind: IntegrationKind


class IntegrationUpdate(Patch):
    """Changes of an integration."""

    service_id: UUID | None = Field(None, description="Where its alerts go from now on.")
    name: Name | None = None
    is_enabled: Flag | None = Field(None, description="A disabled one is refused with 403.")


class KeyRotation(Request):
    """How to give an integration a new key."""

    keep_previous_minutes: Whole = Field(
        1440, ge=0, le=MONTH, description="How long the present key stays valid beside the new one."
    )


class IntegrationColumns(Resource):
    """What the integration's own row says."""

    id: UUID
    service_id: UUID
    name: str
    kind: Annotated[IntegrationKind, open_words(IntegrationKind)]
    is_enabled: bool
    key_hint: str = Field(description="How the key begins, to tell keys apart.")
    last_heard_at: datetime | None = Field(
        description="When it last sent something, to the minute; null: never."
    )
    previous_key_expires_at: datetime | None = Field(
        description="Until when the key before the last rotation is valid."
    )
    created_at: datetime
    updated_at: datetime


class IntegrationRead(IntegrationColumns):
    """A sender, without its key."""

    noted = frozenset({"last_heard_at"})

    ingest_url: str = Field(description="Where it sends, with the key as Bearer.")

    @classmethod
    def of(cls, integration: Integration, base_url: str, **more: Any) -> Self:  # noqa: ANN401 - fields
        """Show an integration of the service that is reached at `base_url`."""
        return cls(
            **IntegrationColumns.model_validate(integration).model_dump(),
            ingest_url=f"{base_url}/v1/ingest/{integration.kind.value}",
            **more,
        )


class IntegrationWithKey(IntegrationRead):
    """A sender together with its key, which is shown this one time."""

    told_once = frozenset({"key"})

    key: str


class IntegrationPage(Response):
    """A page of integrations, oldest first."""

    items: list[IntegrationRead]
    next_cursor: str | None


def _readable(text: str) -> str:
    """Refuse what cannot be read as matchers."""
    parse(text)
    return text.strip()


MatcherText = Annotated[Text, AfterValidator(_readable)]
Matchers = Annotated[
    list[MatcherText],
    Field(
        min_length=1,
        max_length=20,
        description="In Alertmanager's syntax; all of them have to hold. Regular expressions match "
        "the whole value, and a missing label is the empty text.",
        examples=[['severity=~"critical|page"', 'team!="db"']],
    ),
]


class RoutingRuleWrite(Request):
    """Which alerts go to which service."""

    matchers: Matchers
    service_id: UUID


class RoutingRuleInsert(RoutingRuleWrite):
    """A new rule, and where in the list it goes."""

    position: Whole | None = Field(
        None, ge=1, le=MOST_RULES, description="From 1; null: at the end."
    )


class RoutingRulesPut(Request):
    """All rules of an integration, in the order in which they are tried."""

    rules: list[RoutingRuleWrite] = Field(max_length=MOST_RULES)


class RoutingRuleRead(Response):
    """A rule."""

    id: UUID
    position: int
    matchers: list[str]
    service_id: UUID
    created_at: datetime
    updated_at: datetime


class RoutingRulePage(Resource):
    """All rules of an integration, in the order in which they are tried. The first one wins."""

    items: list[RoutingRuleRead]
    next_cursor: str | None
    default_service_id: UUID = Field(description="Where an alert goes that meets no rule.")


class RoutingTest(Request):
    """The labels of an alert."""

    labels: dict[Text, Text] = Field(max_length=200, examples=[{"severity": "critical"}])


class TriedRule(Response):
    """A rule that was tried."""

    rule_id: UUID
    position: int
    is_met: bool
    failed_matcher: str | None = Field(description="The first one that does not hold.")
    found: str | None = Field(description="What the alert has in that label.")


class RoutingTestResult(Response):
    """Where an alert goes, and why."""

    service_id: UUID
    service_name: str
    rule_id: UUID | None = Field(description="null: the integration's own service gets it.")
    why: str
    tried: list[TriedRule] = Field(description="Up to the rule that is met.")
