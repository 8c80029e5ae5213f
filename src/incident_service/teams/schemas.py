"""What the API takes and shows of teams, users, how to reach them, and API keys."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, field_serializer

from incident_service.teams.addresses import masked, problem_with_email
from incident_service.teams.models import Channel, Role, Scope
from incident_service.web.fields import (
    ExternalId,
    Flag,
    Instant,
    Name,
    Patch,
    Request,
    Response,
    open_words,
)
from incident_service.web.resources import Resource

# Both depend on the machine: what they mean here is not what they mean elsewhere.
NOT_A_ZONE = {"localtime", "Factory"}


@cache
def time_zones() -> frozenset[str]:
    """Return the IANA names that can be loaded here; the first call reads the zone files."""
    return frozenset(available_timezones() - NOT_A_ZONE)


def _known_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("there is no such IANA time zone; use a name like Europe/Berlin")
    return name


def _reachable(address: str) -> str:
    if found := problem_with_email(address):
        raise ValueError(found)
    return address


def _without_duplicates(scopes: Sequence[Scope]) -> list[Scope]:
    return [scope for scope in Scope if scope in scopes]


Email = Annotated[str, AfterValidator(_reachable)]
TimeZone = Annotated[str, AfterValidator(_known_zone), Field(description="IANA name.")]
Scopes = Annotated[list[Scope], Field(min_length=1), AfterValidator(_without_duplicates)]
Address = Annotated[
    str,
    Field(
        min_length=1,
        description="webhook: an absolute http(s) URL; email: a mail address; ntfy: a topic of "
        "the installation's server, or a topic's full URL; slack: the URL of an incoming webhook; "
        "telegram: the id of a chat; sms, voice: a number like +4915112345678; apprise: the name "
        "of a URL that the operator has set.",
    ),
]
Bundle = Annotated[
    bool,
    Field(description="false, for machines: one page an incident, at once, instead of bundles."),
]

ShownChannel = Annotated[Channel, open_words(Channel)]
TeamChannelKind = Literal[Channel.SLACK, Channel.WEBHOOK, Channel.APPRISE]
Masked = Annotated[str, Field(description="Masked: enough to tell addresses apart.")]
SigningSecret = Annotated[
    str | None,
    Field(description="Checks the signature of webhooks (Standard Webhooks); null for others."),
]


class TeamCreate(Request):
    """A new team."""

    name: Name
    external_id: ExternalId | None = None


class TeamUpdate(Patch):
    """Changes of a team."""

    name: Name | None = None
    external_id: ExternalId | None = None

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the fields that null clears."""
        return frozenset({"external_id"})


class TeamRead(Resource):
    """A team."""

    id: UUID
    name: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime


class TeamPage(Response):
    """A page of teams, oldest first."""

    items: list[TeamRead]
    next_cursor: str | None


class UserCreate(Request):
    """A new person."""

    name: Name
    email: Email
    time_zone: TimeZone = "UTC"
    external_id: ExternalId | None = None


class UserUpdate(Patch):
    """Changes of a person; an inactive one is not paged, and their API keys stop working."""

    name: Name | None = None
    email: Email | None = None
    time_zone: TimeZone | None = None
    external_id: ExternalId | None = None
    is_active: Flag | None = None

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the fields that null clears."""
        return frozenset({"external_id"})


class UserRead(Resource):
    """A person."""

    id: UUID
    name: str
    email: str
    time_zone: str
    is_active: bool
    external_id: str | None
    created_at: datetime
    updated_at: datetime


class UserPage(Response):
    """A page of people, oldest first."""

    items: list[UserRead]
    next_cursor: str | None


class MembershipPut(Request):
    """What a person does in a team; managers and responders are paged as "the entire team"."""

    role: Role


class MembershipRead(Resource):
    """A person's place in a team."""

    team_id: UUID
    user_id: UUID
    role: Role
    created_at: datetime


class MembershipPage(Response):
    """A page of a team's members."""

    items: list[MembershipRead]
    next_cursor: str | None


class ContactMethodCreate(Request):
    """A new way to reach a person."""

    kind: Channel = Field(description="`console` is made by `dev` only.")
    address: Address
    bundle: Bundle = True


class ContactMethodUpdate(Patch):
    """Changes of a contact method; its kind stays."""

    address: Address | None = None
    bundle: Bundle | None = None
    is_enabled: Flag | None = None


class ContactMethodRead(Resource):
    """A way to reach a person."""

    id: UUID
    user_id: UUID
    kind: ShownChannel
    address: Masked
    bundle: bool
    is_enabled: bool
    unverified_since: datetime | None = Field(
        description="Not paged before the code that was sent there has come back; null: it is."
    )
    created_at: datetime
    updated_at: datetime

    @field_serializer("address")
    def _mask(self, address: str) -> str:
        return masked(self.kind, address)


class ContactMethodCreated(ContactMethodRead):
    """A contact method together with its secret, which is shown this one time."""

    told_once = frozenset({"signing_secret"})

    signing_secret: SigningSecret


class ContactMethodPage(Response):
    """A page of contact methods, oldest first."""

    items: list[ContactMethodRead]
    next_cursor: str | None


class TeamChannelCreate(Request):
    """A new channel of a team."""

    name: Name = Field(description="As people call it, such as #payments.")
    kind: TeamChannelKind
    address: Address
    bundle: Bundle = True


class TeamChannelUpdate(Patch):
    """Changes of a team's channel; its kind stays."""

    name: Name | None = None
    address: Address | None = None
    bundle: Bundle | None = None
    is_enabled: Flag | None = None


class TeamChannelRead(Resource):
    """A chat's channel or a machine that a team's levels tell in addition to people."""

    id: UUID
    team_id: UUID
    name: str
    kind: ShownChannel
    address: Masked
    bundle: bool
    is_enabled: bool
    created_at: datetime
    updated_at: datetime

    @field_serializer("address")
    def _mask(self, address: str) -> str:
        return masked(self.kind, address)


class TeamChannelCreated(TeamChannelRead):
    """A team's channel together with its secret, which is shown this one time."""

    told_once = frozenset({"signing_secret"})

    signing_secret: SigningSecret


class TeamChannelPage(Response):
    """A page of a team's channels, oldest first."""

    items: list[TeamChannelRead]
    next_cursor: str | None


class ApiKeyCreate(Request):
    """A new API key."""

    name: Name
    scopes: Scopes = Field(description="None implies another, except that `admin` has all.")
    team_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=200, description="Limits the key to teams; null: to none."
    )
    user_id: UUID | None = Field(None, description="The person who acts through the key.")
    expires_at: Instant | None = Field(None, description="null: never.")


class ApiKeyUpdate(Patch):
    """Changes of an API key; what it may do stays."""

    name: Name | None = None
    expires_at: Instant | None = None

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the fields that null clears."""
        return frozenset({"expires_at"})


class ApiKeyRead(Resource):
    """An API key without the key itself."""

    id: UUID
    name: str
    hint: str = Field(description="How the key begins, to tell keys apart.")
    scopes: list[Scope]
    team_ids: list[UUID] | None
    user_id: UUID | None
    is_bootstrap: bool = Field(description="Made from the setting BOOTSTRAP_API_KEY.")
    expires_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ApiKeyCreated(ApiKeyRead):
    """An API key together with its text, which is shown this one time."""

    told_once = frozenset({"key"})

    key: str


class ApiKeyPage(Response):
    """A page of API keys, oldest first."""

    items: list[ApiKeyRead]
    next_cursor: str | None


class AuditRefusal(Response):
    """Why a request was refused, how its key begins, and where it came from."""

    code: str
    key_hint: str
    address: str | None


class AuditEntryRead(Response):
    """One change of the configuration, or requests that were refused.

    `before` and `after` hold everything when the thing is new or gone, else what is different;
    secrets and addresses are `***`. `count` says how many refused requests like this one there were
    within ten minutes by then.
    """

    id: UUID
    at: datetime
    action: str = Field(description="The operation, like `update_team`.")
    actor_type: Annotated[str, open_words(["user", "api_key", "system", "unknown"])]
    actor_id: UUID | None
    actor_name: str
    resource_type: str | None
    resource_id: UUID | None
    resource_name: str | None
    team_id: UUID | None = Field(description="Null: of no team; only admins see it.")
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refused: AuditRefusal | None
    count: int
    request_id: str | None = Field(
        description="`X-Request-ID` of the request that did it: the caller's own, or ours."
    )


class AuditEntryPage(Response):
    """A page of the audit log, newest first."""

    items: list[AuditEntryRead]
    next_cursor: str | None
