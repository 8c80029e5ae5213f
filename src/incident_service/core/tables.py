"""What every table is made of: the base, closed sets of values, sealed texts."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

import structlog
from sqlalchemy import CheckConstraint, DateTime, Dialect, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from incident_service.core.sealing import SealBroken, Sealer

log = structlog.get_logger()


class Base(DeclarativeBase):
    """Base of every table; the naming convention keeps migrations reproducible."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read by SQLAlchemy as a class attribute
        datetime: DateTime(timezone=True),
        str: Text(),
    }
    # How the table appears in the audit log; see `core.audit`.
    audited: ClassVar[Any] = None


SEALER = "incident_service_sealer"
UNSEALED = Sealer()


class ClosedText(TypeDecorator[Any]):
    """A closed set of values, stored as text; `one_of` adds the CHECK that holds it."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[StrEnum]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ANN401, ARG002
        """Store the member's value."""
        return None if value is None else self.members(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:  # noqa: ANN401, ARG002
        """Return the member."""
        return None if value is None else self.members(value)


class Sealed(TypeDecorator[str]):
    """A text that is sealed in the database; see `core.sealing`. The engine has the keys."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Seal."""
        return None if value is None else sealer_of(dialect).seal(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Open; what cannot be opened stays sealed, so that it can be replaced or deleted."""
        if value is None:
            return None
        try:
            return sealer_of(dialect).open(value)
        except SealBroken as broken:
            log.error("sealing.not_opened", error=str(SealBroken.__doc__ or broken))  # noqa: TRY400
            return value


def sealer_of(dialect: Dialect) -> Sealer:
    """Return what `make_engine` has given to the engine of this dialect."""
    sealer: Sealer = getattr(dialect, SEALER, UNSEALED)
    return sealer


def one_of(column: str, members: Iterable[StrEnum]) -> CheckConstraint:
    """Hold a text column to the values of `members`."""
    values = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({values})", name=f"{column}_known")
