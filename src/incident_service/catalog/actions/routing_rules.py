"""Say where an integration's alerts go. Every edit writes the whole list, which keeps its order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from incident_service.catalog import queries
from incident_service.catalog.models import Integration, RoutingRule, Service
from incident_service.catalog.schemas import MOST_RULES, RoutingRuleInsert, RoutingRuleWrite
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Invalid, NotFound
from incident_service.core.ids import new_id
from incident_service.teams.auth import Principal
from incident_service.teams.queries import visible


class RoutingRuleNotFound(NotFound):
    """The integration has no such rule."""


class TooManyRules(Conflict):
    """An integration has at most 100 rules."""


class TargetServiceUnknown(Invalid):
    """There is no such service that the caller manages."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule on its way into the list. `pointer` is where the request names its service."""

    id: UUID
    matchers: list[str]
    service_id: UUID
    created_at: datetime
    pointer: str | None = None


def entry_of(row: RoutingRule) -> Entry:
    """Keep a rule as it is."""
    return Entry(row.id, row.matchers, row.service_id, row.created_at)


def new_entry(tx: Tx, wanted: RoutingRuleWrite, pointer: str, rule_id: UUID | None = None) -> Entry:
    """Make a rule of what the caller wrote."""
    return Entry(rule_id or new_id(), wanted.matchers, wanted.service_id, tx.now, pointer)


async def replace_rules(
    tx: Tx, integration_id: UUID, wanted: Sequence[RoutingRuleWrite], *, by: Principal
) -> Integration:
    """Replace all rules.

    Raises:
        IntegrationNotFound, RoleTooLow: see `queries.get_integration`.
        TargetServiceUnknown: the caller manages no such service.
    """
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    entries = [
        new_entry(tx, rule, f"/rules/{index}/service_id") for index, rule in enumerate(wanted)
    ]
    await write(tx, integration, entries, by)
    return integration


async def add_rule(
    tx: Tx, integration_id: UUID, wanted: RoutingRuleInsert, *, by: Principal
) -> Integration:
    """Add a rule at its position, or at the end.

    Raises:
        TooManyRules: there is no room for one more.
        IntegrationNotFound, RoleTooLow, TargetServiceUnknown: see `replace_rules`.
    """
    integration, entries = await lock_rules(tx, integration_id, by)
    if len(entries) >= MOST_RULES:
        raise TooManyRules
    place = len(entries) if wanted.position is None else wanted.position - 1
    entries.insert(place, new_entry(tx, wanted, "/service_id"))
    await write(tx, integration, entries, by)
    return integration


async def replace_rule(
    tx: Tx, integration_id: UUID, rule_id: UUID, wanted: RoutingRuleWrite, *, by: Principal
) -> Integration:
    """Replace one rule in its place.

    Raises:
        RoutingRuleNotFound: the integration has no such rule.
        IntegrationNotFound, RoleTooLow, TargetServiceUnknown: see `replace_rules`.
    """
    integration, entries = await lock_rules(tx, integration_id, by)
    entries[place_of(rule_id, entries)] = new_entry(tx, wanted, "/service_id", rule_id)
    await write(tx, integration, entries, by)
    return integration


async def remove_rule(tx: Tx, integration_id: UUID, rule_id: UUID, *, by: Principal) -> Integration:
    """Remove one rule.

    Raises:
        RoutingRuleNotFound: the integration has no such rule.
        IntegrationNotFound, RoleTooLow: see `replace_rules`.
    """
    integration, entries = await lock_rules(tx, integration_id, by)
    del entries[place_of(rule_id, entries)]
    await write(tx, integration, entries, by)
    return integration


async def lock_rules(
    tx: Tx, integration_id: UUID, by: Principal
) -> tuple[Integration, list[Entry]]:
    """Lock the integration, which stands for its list of rules, and read that."""
    integration = await queries.get_integration(tx.session, integration_id, by, lock=True)
    rows = await queries.list_rules(tx.session, integration_id)
    return integration, [entry_of(row) for row in rows]


def place_of(rule_id: UUID, entries: Sequence[Entry]) -> int:
    """Return where in the list a rule is.

    Raises:
        RoutingRuleNotFound: nowhere.
    """
    for place, entry in enumerate(entries):
        if entry.id == rule_id:
            return place
    raise RoutingRuleNotFound


async def write(tx: Tx, integration: Integration, entries: Sequence[Entry], by: Principal) -> None:
    """Write the list of a locked integration anew."""
    await require_services(tx, integration.id, entries, by)
    integration.rules_version += 1
    await tx.session.execute(
        delete(RoutingRule).where(RoutingRule.integration_id == integration.id)
    )
    if entries:
        await tx.session.execute(
            insert(RoutingRule),
            [
                {
                    "id": entry.id,
                    "integration_id": integration.id,
                    "position": position,
                    "matchers": entry.matchers,
                    "service_id": entry.service_id,
                    "created_at": entry.created_at,
                    "updated_at": tx.now,
                }
                for position, entry in enumerate(entries, start=1)
            ],
        )
    await tx.flush()


async def require_services(
    tx: Tx, integration_id: UUID, entries: Sequence[Entry], by: Principal
) -> None:
    """Refuse to send alerts to a service whose team the caller does not manage.

    One that the integration sends to already may stay: an admin has put it there.

    Raises:
        TargetServiceUnknown: a rule that the caller wrote does.
    """
    written = {entry.service_id: entry for entry in entries if entry.pointer}
    statement = select(Service).where(Service.id.in_(written)).order_by(Service.id)
    statement = visible(statement, Service.team_id, by).with_for_update(read=True)
    found = {row.id for row in await tx.session.scalars(statement) if by.may_in(row.team_id)}
    found |= {row.service_id for row in await queries.list_rules(tx.session, integration_id)}
    for entry in entries:
        if entry.pointer and entry.service_id not in found:
            raise TargetServiceUnknown("", entry.pointer)
