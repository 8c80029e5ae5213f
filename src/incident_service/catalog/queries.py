"""Reads of services and integrations."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.matchers import MatcherWrong, parse
from incident_service.catalog.models import Integration, RoutingRule, Service
from incident_service.catalog.routing import Rule
from incident_service.core import tokens
from incident_service.core.db import Tx
from incident_service.core.errors import NotFound
from incident_service.core.rows import get_row
from incident_service.policies.models import EscalationPolicy
from incident_service.teams.auth import Principal
from incident_service.teams.queries import visible
from incident_service.web.lists.pagination import PageQuery, fetch_page

log = structlog.get_logger()
MOST_NAMED = 5


class ServiceNotFound(NotFound):
    """There is no such service, or it belongs to a team that the key cannot see."""


class IntegrationNotFound(NotFound):
    """There is no such integration, or it belongs to a team that the key cannot see."""


async def find_integration(session: AsyncSession, key: str, now: datetime) -> Integration | None:
    """Return the integration that a sender's key belongs to, be it enabled or not.

    The key before the last rotation counts until its time is over.
    """
    digest = tokens.digest(key)
    rows = await session.scalars(
        select(Integration).where(
            or_(
                Integration.key_digest == digest,
                and_(
                    Integration.previous_key_digest == digest,
                    Integration.previous_key_expires_at > now,
                ),
            )
        )
    )
    return rows.one_or_none()


async def load_integration_names(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of integrations."""
    if not ids:
        return {}
    rows = await session.execute(
        select(Integration.id, Integration.name).where(Integration.id.in_(ids))
    )
    return {row.id: row.name for row in rows}


async def list_rules(
    session: AsyncSession, integration_id: UUID, *, after: int = 0
) -> Sequence[RoutingRule]:
    """Return the integration's rules after a position, in the order in which they are tried."""
    rows = await session.scalars(
        select(RoutingRule)
        .where(RoutingRule.integration_id == integration_id, RoutingRule.position > after)
        .order_by(RoutingRule.position)
    )
    return rows.all()


async def load_rules(session: AsyncSession, integration_id: UUID) -> tuple[Rule, ...]:
    """Return the integration's rules, ready to be tried.

    All were readable when they were stored. One that another release of RE2 no longer takes is
    passed over: its alerts go on to the next rule, or to the integration's own service.
    """
    rules = map(read_rule, await list_rules(session, integration_id))
    return tuple(rule for rule in rules if rule)


def read_rule(row: RoutingRule) -> Rule | None:
    """Make a rule that can be tried; None, and a line in the log, when it cannot be read."""
    try:
        matchers = tuple(matcher for text in row.matchers for matcher in parse(text))
    except MatcherWrong as error:
        log.error("routing.rule_unreadable", rule_id=str(row.id), error=str(error))  # noqa: TRY400
        return None
    return Rule(row.id, matchers, row.service_id)


async def load_services(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Service]:
    """Return the services by id; those that do not exist are missing."""
    rows = await session.scalars(select(Service).where(Service.id.in_(ids)))
    return {service.id: service for service in rows}


async def get_service(
    session: AsyncSession, service_id: UUID, principal: Principal, *, lock: bool = False
) -> Service:
    """Return the service.

    Raises:
        ServiceNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = select(Service).where(Service.id == service_id)
    statement = visible(statement, Service.team_id, principal)
    service = await get_row(session, statement, ServiceNotFound, lock=lock)
    principal.require_role(service.team_id)
    return service


async def say_which_services_use(tx: Tx, policy: EscalationPolicy) -> str | None:
    """Say which services page by a policy: by name, or because it is their team's default."""
    uses = Service.escalation_policy_id == policy.id
    if policy.is_default:
        by_default = and_(Service.team_id == policy.team_id, Service.escalation_policy_id.is_(None))
        uses = or_(uses, by_default)
    statement = select(Service.name).where(uses).order_by(Service.name).limit(MOST_NAMED)
    names = (await tx.session.scalars(statement)).all()
    return f"Services page by this policy: {', '.join(names)}." if names else None


async def list_services(
    session: AsyncSession, principal: Principal, page: PageQuery, *, team_id: UUID | None
) -> tuple[Sequence[Service], str | None]:
    """Return a page of the services that the caller sees: all, or one team's."""
    statement = visible(select(Service), Service.team_id, principal)
    if team_id:
        statement = statement.where(Service.team_id == team_id)
    return await fetch_page(session, statement, Service.id, page)


async def get_integration(
    session: AsyncSession, integration_id: UUID, principal: Principal, *, lock: bool = False
) -> Integration:
    """Return the integration; it belongs to the team of its service.

    Raises:
        IntegrationNotFound: it does not exist for this caller.
        RoleTooLow: the person behind the key may not do this in the team.
    """
    statement = select(Integration).where(
        Integration.id == integration_id,
        Integration.service_id.in_(visible(select(Service.id), Service.team_id, principal)),
    )
    integration = await get_row(session, statement, IntegrationNotFound, lock=lock)
    await get_service(session, integration.service_id, principal)
    return integration


async def list_integrations(
    session: AsyncSession, principal: Principal, page: PageQuery, *, service_id: UUID | None
) -> tuple[Sequence[Integration], str | None]:
    """Return a page of the integrations that the caller sees: all, or one service's."""
    statement = select(Integration).where(
        Integration.service_id.in_(visible(select(Service.id), Service.team_id, principal))
    )
    if service_id:
        statement = statement.where(Integration.service_id == service_id)
    return await fetch_page(session, statement, Integration.id, page)
