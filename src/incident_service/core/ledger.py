"""What a transaction changes of the configuration, seen by its session: by objects or statements.

A thing is read when it is first touched, and again before the commit; what is different between
the two becomes one entry of the audit log. So nothing that an action does has to be told here, and
writing what was there before is no change.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Connection, RowMapping, Table, event, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session

from incident_service.core.audit import Audited, Author, Part
from incident_service.core.calls import current_call
from incident_service.core.ids import new_id
from incident_service.core.tables import Base, Sealed

LEDGER = "incident_service_ledger"
SILENT = frozenset({"created_at", "updated_at"})
SILENT_IN_PARTS = SILENT | {"id"}
MASKED = "***"

Key = tuple[Any, ...]
Content = dict[str, Any]


class NotAudited(Exception):
    """A statement that nobody could say the rows of; write it otherwise."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is compared, and never shown."""

    text: str


class AuditedSession(Session):
    """A session that remembers what it touches of the configuration."""


@event.listens_for(AuditedSession, "before_flush")
def note_objects(session: Session, _context: object, _instances: object) -> None:
    """Note what is about to be written of objects."""
    for row in (*session.new, *session.deleted, *filter(is_changed, session.dirty)):
        spec = row.audited
        if spec is None:
            continue
        table: Table = row.__table__
        names = [column.name for column in table.primary_key]
        names += [spec.by] if isinstance(spec, Part) else []
        values = {name: getattr(row, name) for name in names}
        note(session, table, spec, [values], deleted=row in session.deleted)


def is_changed(row: Base) -> bool:
    """Say whether an object is to get other values, but for silent ones."""
    spec = row.audited
    if spec is None:
        return False
    silent = SILENT | (spec.silent if isinstance(spec, Audited) else frozenset())
    return any(
        attribute.history.has_changes()
        for attribute in inspect(row).attrs
        if attribute.key not in silent
    )


@event.listens_for(AuditedSession, "do_orm_execute")
def note_statement(state: ORMExecuteState) -> None:
    """Note what is about to be written by a statement.

    Raises:
        NotAudited: it inserts rows that are not its parameters, or changes rows by their keys.
    """
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    # By its name: a statement about a model has a copy of the table.
    named = getattr(getattr(state.statement, "table", None), "name", "")
    table = Base.metadata.tables.get(named)
    spec = None if table is None else spec_of(table)
    if table is None or spec is None:
        return
    if bool(state.parameters) is not state.is_insert:
        raise NotAudited(table.name)
    rows = inserted(state) if state.is_insert else concerned(state, table)
    note(state.session, table, spec, rows, deleted=state.is_delete)


def inserted(state: ORMExecuteState) -> Sequence[Mapping[str, Any]]:
    """Return the rows that a statement is about to insert."""
    given = state.parameters or ()
    return [given] if isinstance(given, Mapping) else given


def concerned(state: ORMExecuteState, table: Table) -> Sequence[Mapping[str, Any]]:
    """Return the rows that a statement is about to change or delete."""
    statement = select(table)
    where = getattr(state.statement, "whereclause", None)
    if where is not None:
        statement = statement.where(where)
    found = state.session.connection().execute(statement).mappings()
    return [{column.name: row[column.name] for column in table.columns} for row in found]


def note(
    session: Session,
    table: Table,
    spec: Audited | Part,
    rows: Iterable[Mapping[str, Any]],
    *,
    deleted: bool,
) -> None:
    """Keep the present content of the things that rows are, or belong to."""
    connection = session.connection()
    root = table if isinstance(spec, Audited) else table.metadata.tables[spec.of]
    ledger = session.info.setdefault(LEDGER, {})
    is_gone = deleted and root is table
    for key in keys_of(connection, table, spec, rows):
        if (root, key) not in ledger:
            ledger[root, key] = read(connection, root, key, with_falling=is_gone)


def keys_of(
    connection: Connection, table: Table, spec: Audited | Part, rows: Iterable[Mapping[str, Any]]
) -> list[Key]:
    """Return the keys of the things that rows are, or belong to."""
    if isinstance(spec, Audited):
        return [tuple(row[column.name] for column in table.primary_key) for row in rows]
    leading = list(dict.fromkeys(row[spec.by] for row in rows))
    if spec.through is None:
        return [(value,) for value in leading]
    between = table.metadata.tables[spec.through]
    by = part_of(between).by
    found = connection.execute(select(between.c[by]).where(between.c.id.in_(leading)).distinct())
    return [(value,) for value in found.scalars()]


@cache
def spec_of(table: Table) -> Audited | Part | None:
    """Return how a table appears in the audit log; None: it is no configuration."""
    for mapper in Base.registry.mappers:
        if mapper.local_table is table:
            spec: Audited | Part | None = mapper.class_.audited
            return spec
    return None


def part_of(table: Table) -> Part:
    """Return to what the rows of a table belong."""
    spec = spec_of(table)
    assert isinstance(spec, Part)
    return spec


def audited(table: Table) -> Audited:
    """Return how a table of things appears in the audit log."""
    spec = spec_of(table)
    assert isinstance(spec, Audited)
    return spec


def read(
    connection: Connection, root: Table, key: Key, *, with_falling: bool = False
) -> Content | None:
    """Return a thing with its parts; None when there is nothing of it."""
    spec = audited(root)
    where = [column == value for column, value in zip(root.primary_key, key, strict=True)]
    row = connection.execute(select(root).where(*where)).mappings().one_or_none()
    content = {} if row is None else content_of(root, row, SILENT | spec.silent)
    for name in spec.parts:
        content[name] = read_part(connection, root.metadata.tables[name], key)
    if row is None and not any(content.values()):
        return None
    for name in spec.falls if with_falling else ():
        table = root.metadata.tables[name]
        found = connection.execute(select(table).where(column_to(table, root) == key[0]))
        content[name] = [content_of(table, each, SILENT) for each in found.mappings()]
    return content


def read_part(connection: Connection, table: Table, key: Key) -> list[Content]:
    """Return a thing's rows of a table, in their order."""
    spec = part_of(table)
    statement = select(table)
    if spec.through is None:
        statement = statement.where(table.c[spec.by] == key[0]).order_by(table.c[spec.order])
    else:
        between = table.metadata.tables[spec.through]
        outer = part_of(between)
        statement = (
            statement.join(between, between.c.id == table.c[spec.by])
            .where(between.c[outer.by] == key[0])
            .order_by(between.c[outer.order], table.c[spec.order])
        )
    silent = SILENT_IN_PARTS if spec.through else SILENT_IN_PARTS | {spec.by}
    return [content_of(table, row, silent) for row in connection.execute(statement).mappings()]


def column_to(table: Table, root: Table) -> Column[Any]:
    """Return the column that refers to another table."""
    return next(key.parent for key in table.foreign_keys if key.column.table is root)


def content_of(table: Table, row: RowMapping, silent: frozenset[str]) -> Content:
    """Return a row's values as JSON has them; secret ones are not shown."""
    return {
        column.name: as_secret(row[column.name]) if is_secret(column) else plain(row[column.name])
        for column in table.columns
        if column.name not in silent
    }


def is_secret(column: Column[Any]) -> bool:
    """Say whether a column is sealed, or a hash by which a secret could be recognised."""
    return isinstance(column.type, Sealed) or column.name.endswith("_digest")


def as_secret(value: str | None) -> Secret | str | None:
    """Keep a text from being shown, if there is one."""
    return Secret(value) if value else value


def plain(value: Any) -> Any:  # noqa: ANN401 - of any column
    """Return what JSON has for a value of the database."""
    match value:
        case UUID():
            return str(value)
        case StrEnum():
            return value.value
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return value


def shown(value: Any) -> Any:  # noqa: ANN401 - of any column
    """Return a content with every secret masked."""
    match value:
        case Secret():
            return MASKED
        case dict():
            return {name: shown(each) for name, each in value.items()}
        case list():
            return [shown(each) for each in value]
        case _:
            return value


def has_notes(session: Session) -> bool:
    """Say whether anything of the configuration was touched."""
    return LEDGER in session.info


def entries(session: Session, author: Author, at: datetime) -> list[dict[str, Any]]:
    """Return the rows of the audit log that the transaction owes; everything is written by now."""
    ledger: dict[tuple[Table, Key], Content | None] = session.info.pop(LEDGER, {})
    connection = session.connection()
    call = current_call()
    rows = []
    for (root, key), before in ledger.items():
        after = read(connection, root, key)
        if before == after:
            continue
        spec = audited(root)
        content = after or before or {}
        was, is_now = differences(before, after)
        rows.append(
            {
                "id": new_id(),
                "at": at,
                "action": author.action or f"{verb(before, after)}_{spec.name}",
                "actor_type": author.actor.type,
                "actor_id": author.actor.id,
                "actor_name": author.actor.name,
                "resource_type": spec.name,
                "resource_id": key[-1],
                "resource_name": content.get("name"),
                "team_id": team_of(connection, root, content),
                "before": shown(was),
                "after": shown(is_now),
                "call_id": call.request_id if call else None,
            }
        )
    return rows


def verb(before: Content | None, after: Content | None) -> str:
    """Say what became of a thing."""
    if before is None:
        return "create"
    return "delete" if after is None else "update"


def differences(
    before: Content | None, after: Content | None
) -> tuple[Content | None, Content | None]:
    """Leave out what is alike in both, where there are two."""
    if before is None or after is None:
        return before, after
    names = [name for name in before if before[name] != after.get(name)]
    return {name: before[name] for name in names}, {name: after.get(name) for name in names}


def team_of(connection: Connection, root: Table, content: Content) -> UUID | None:
    """Return the team that a thing belongs to."""
    match audited(root).team:
        case None:
            return None
        case str() as column:
            team_id = content.get(column)
        case (column, table):
            owner = root.metadata.tables[table]
            statement = select(owner.c.team_id).where(owner.c.id == UUID(content[column]))
            team_id = connection.execute(statement).scalar_one_or_none()
    return UUID(str(team_id)) if team_id else None
