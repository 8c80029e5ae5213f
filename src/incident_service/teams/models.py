"""Tables: teams, users, memberships, contact methods, API keys."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.audit import Audited
from incident_service.core.db import Base, ClosedText, Sealed, one_of


class Role(StrEnum):
    """What a member does in a team; managers and responders can be paged."""

    MANAGER = "manager"
    RESPONDER = "responder"
    OBSERVER = "observer"


class Channel(StrEnum):
    """The ways to reach a person.

    An `apprise` address is the name of a URL that the operator has configured. `console` prints in
    the terminal of `dev`.
    """

    WEBHOOK = "webhook"
    EMAIL = "email"
    NTFY = "ntfy"
    SLACK = "slack"
    TELEGRAM = "telegram"
    SMS = "sms"
    VOICE = "voice"
    APPRISE = "apprise"
    CONSOLE = "console"


class Scope(StrEnum):
    """What an API key may do; each scope is asked for by name, none implies another but `admin`."""

    READ = "read"
    RESPOND = "respond"
    MANAGE = "manage"
    ADMIN = "admin"


class Team(Base):
    """Owners of services and policies; the boundary of what a limited API key can see."""

    __tablename__ = "teams"
    audited = Audited(
        "team",
        team="id",
        falls=("team_memberships", "webhook_subscriptions", "maintenance_windows"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    external_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_teams_name", text("lower(name)"), unique=True),
        Index("uq_teams_external_id", "external_id", unique=True),
    )


class User(Base):
    """A person who can be paged."""

    __tablename__ = "users"
    audited = Audited(
        "user",
        falls=(
            "team_memberships",
            "contact_methods",
            "api_keys",
            "quiet_hours",
            "notification_rules",
        ),
        silent=frozenset({"last_note_at"}),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    time_zone: Mapped[str] = mapped_column(comment="IANA name")
    is_active: Mapped[bool]
    external_id: Mapped[str | None]
    last_note_at: Mapped[datetime | None] = mapped_column(comment="when a code or a test was sent")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_users_email", text("lower(email)"), unique=True),
        Index("uq_users_external_id", "external_id", unique=True),
    )


class TeamMembership(Base):
    """A person's role in a team."""

    __tablename__ = "team_memberships"
    audited = Audited("team_membership", team="team_id")

    team_id: Mapped[UUID] = mapped_column(
        ForeignKey("teams.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(ClosedText(Role))
    created_at: Mapped[datetime]

    __table_args__ = (one_of("role", Role),)


class ContactMethod(Base):
    """One address of a person, a channel of a team, or else the installation's fallback contact.

    A row is one address that pages are bundled for: its lock makes deliveries to it take turns.
    """

    __tablename__ = "contact_methods"
    audited = Audited(
        "contact_method",
        team="team_id",
        falls=("notification_rules",),
        silent=frozenset({"code_digest", "code_expires_at", "code_attempts"}),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), index=True
    )
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("teams.id"))
    name: Mapped[str | None] = mapped_column(comment="of a team's channel")
    kind: Mapped[Channel] = mapped_column(ClosedText(Channel))
    address: Mapped[str] = mapped_column(
        Sealed,
        comment="URL, mail address, topic, chat, phone number, or the name of an Apprise URL",
    )
    bundle: Mapped[bool] = mapped_column(comment="false: one page an incident, no spacing")
    is_enabled: Mapped[bool]
    signing_secret: Mapped[str | None] = mapped_column(Sealed, comment="Standard Webhooks, whsec_…")
    unverified_since: Mapped[datetime | None] = mapped_column(
        comment="NULL: it may be paged; else it waits for the code that was sent there"
    )
    code_digest: Mapped[str | None] = mapped_column(comment="SHA-256 of the code, hexadecimal")
    code_expires_at: Mapped[datetime | None]
    code_attempts: Mapped[int] = mapped_column(server_default=text("0"))
    retired_at: Mapped[datetime | None] = mapped_column(
        comment="when it was deleted; it stays for the record of what it was told"
    )
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        one_of("kind", Channel),
        Index(
            "uq_contact_methods_user_address",
            "user_id",
            "kind",
            "address",
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "uq_contact_methods_team_name",
            "team_id",
            text("lower(name)"),
            unique=True,
            postgresql_where=text("retired_at IS NULL"),
        ),
        Index(
            "uq_contact_methods_fallback_address",
            "kind",
            "address",
            unique=True,
            postgresql_where=text("user_id IS NULL AND team_id IS NULL"),
        ),
        CheckConstraint("user_id IS NULL OR team_id IS NULL", name="one_owner"),
        CheckConstraint("(team_id IS NULL) = (name IS NULL)", name="team_name"),
        CheckConstraint("retired_at IS NULL OR NOT is_enabled", name="retired_is_off"),
    )


class ApiKey(Base):
    """A caller's credential: only its hash is kept."""

    __tablename__ = "api_keys"
    audited = Audited("api_key")

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    key_digest: Mapped[str] = mapped_column(comment="SHA-256, hexadecimal")
    hint: Mapped[str] = mapped_column(comment="first characters, to tell keys apart")
    scopes: Mapped[list[str]] = mapped_column(JSONB)
    team_ids: Mapped[list[str] | None] = mapped_column(
        JSONB(none_as_null=True), comment="NULL: every team"
    )
    user_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"),
        index=True,
        comment="the person who acts through the key",
    )
    is_bootstrap: Mapped[bool]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_api_keys_key_digest", "key_digest", unique=True),
        CheckConstraint("jsonb_array_length(scopes) > 0", name="scopes_given"),
    )
