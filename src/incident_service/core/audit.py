"""The audit log: its table, and how the tables of the configuration appear in it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from incident_service.core.actor import SYSTEM, Actor
from incident_service.core.tables import Base


@dataclass(frozen=True, slots=True)
class Audited:
    """A table of things that people configure: each change of one is an entry of the audit log.

    `team` is the column that leads to the team, or a column and the table that has the team.
    `parts` are tables whose rows belong to the thing and have no entry of their own;
    `falls` are those whose rows have one, but vanish by themselves when the thing is deleted.
    `silent` columns are written by the service: they are no configuration.
    """

    name: str
    team: str | tuple[str, str] | None = None
    parts: tuple[str, ...] = ()
    falls: tuple[str, ...] = ()
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Part:
    """A table whose rows belong to things of the table `of`.

    `by` is the column that leads there, or to the table `through`, which is a part of it too.
    """

    of: str
    by: str
    order: str
    through: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who works in a transaction, and what the operation is called."""

    actor: Actor
    action: str | None = None


NOBODY_ELSE = Author(SYSTEM)


class AuditEntry(Base):
    """One change of the configuration, or requests that were refused. Entries never change.

    `before` and `after` hold everything when the thing is new or gone, else what is different. A
    trigger refuses every change of a row, and that one goes before it is 30 days old.
    """

    __tablename__ = "audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(comment="the operation of the API, or what it is like")
    actor_type: Mapped[str] = mapped_column(comment="user, api_key, system, unknown")
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    resource_type: Mapped[str | None]
    resource_id: Mapped[UUID | None]
    resource_name: Mapped[str | None]
    team_id: Mapped[UUID | None] = mapped_column(comment="whose it is; NULL: the installation's")
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    refused: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="{code, key_hint, address}"
    )
    count: Mapped[int] = mapped_column(
        server_default=text("1"), comment="refused requests alike so far: 1, 10, 100, …"
    )
    # Named apart from its column: the previous release has only that, and writes it.
    earlier_request_id: Mapped[UUID | None] = mapped_column("request_id")
    call_id: Mapped[str | None] = mapped_column(
        comment="id of the request, as its caller or we gave it"
    )

    __table_args__ = (
        Index("ix_audit_log_at", "at"),
        Index("ix_audit_log_team_id_id", "team_id", "id"),
        Index("ix_audit_log_actor_id_id", "actor_id", "id"),
        Index("ix_audit_log_resource_id_id", "resource_id", "id"),
    )

    @property
    def request_id(self) -> str | None:
        """The id of the request that did it, whichever release has written it."""
        return self.call_id or (str(self.earlier_request_id) if self.earlier_request_id else None)
