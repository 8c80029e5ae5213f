"""HTTP: the rules by which an integration routes alerts to services."""

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from incident_service.catalog import queries
from incident_service.catalog.actions import routing_rules as actions
from incident_service.catalog.models import Integration, Service
from incident_service.catalog.routing import Tried, try_rules
from incident_service.catalog.schemas import (
    RoutingRuleInsert,
    RoutingRulePage,
    RoutingRuleRead,
    RoutingRulesPut,
    RoutingRuleWrite,
    RoutingTest,
    RoutingTestResult,
    TriedRule,
)
from incident_service.core.db import Tx
from incident_service.teams.auth import Manager, Principal, Reader
from incident_service.teams.repeatable import RepeatableRoute
from incident_service.web.conditional import IfMatch, IfNoneMatch
from incident_service.web.lists.pagination import MOST, NUMBER, PageQuery, pages_of, slice_numbered
from incident_service.web.request import InTx

router = APIRouter(
    prefix="/integrations/{integration_id}/routing-rules",
    tags=["integrations"],
    route_class=RepeatableRoute,
)


async def show_all(tx: Tx, integration: Integration) -> RoutingRulePage:
    """Show the rules of an integration, all of them."""
    rows = await queries.list_rules(tx.session, integration.id)
    items = [RoutingRuleRead.model_validate(row) for row in rows]
    return RoutingRulePage(items=items, next_cursor=None, default_service_id=integration.service_id)


async def locked(tx: Tx, integration_id: UUID, principal: Principal) -> RoutingRulePage:
    """Lock the integration, which stands for its rules, and show them."""
    found = await queries.get_integration(tx.session, integration_id, principal, lock=True)
    return await show_all(tx, found)


@router.get("")
async def list_routing_rules(
    tx: InTx,
    principal: Reader,
    integration_id: UUID,
    page: Annotated[PageQuery, Depends(pages_of(MOST))],
    known: IfNoneMatch,
) -> RoutingRulePage:
    """List the rules in the order in which they are tried: at most 100, usually on one page."""
    integration = await queries.get_integration(tx.session, integration_id, principal)
    place = page.place(NUMBER)
    rows = await queries.list_rules(tx.session, integration.id, after=place[0] if place else 0)
    shown, next_cursor = slice_numbered(rows, "position", page)
    return known.show(
        RoutingRulePage(
            items=[RoutingRuleRead.model_validate(row) for row in shown],
            next_cursor=next_cursor,
            default_service_id=integration.service_id,
        )
    )


@router.put("")
async def replace_routing_rules(
    tx: InTx, principal: Manager, integration_id: UUID, body: RoutingRulesPut, seen: IfMatch
) -> RoutingRulePage:
    """Replace all rules. Incidents that are active keep their alerts."""
    await seen.require(locked, tx, integration_id, principal)
    integration = await actions.replace_rules(tx, integration_id, body.rules, by=principal)
    return seen.show(await show_all(tx, integration))


@router.post("", status_code=201)
async def add_routing_rule(
    tx: InTx, principal: Manager, integration_id: UUID, body: RoutingRuleInsert, seen: IfMatch
) -> RoutingRulePage:
    """Add a rule, at the end or at a position; the rules from there on move back."""
    await seen.require(locked, tx, integration_id, principal)
    integration = await actions.add_rule(tx, integration_id, body, by=principal)
    return seen.show(await show_all(tx, integration))


@router.put("/{rule_id}")
async def replace_routing_rule(
    tx: InTx,
    principal: Manager,
    integration_id: UUID,
    rule_id: UUID,
    body: RoutingRuleWrite,
    seen: IfMatch,
) -> RoutingRulePage:
    """Replace one rule; it keeps its position. `If-Match` is about the whole list."""
    await seen.require(locked, tx, integration_id, principal)
    integration = await actions.replace_rule(tx, integration_id, rule_id, body, by=principal)
    return seen.show(await show_all(tx, integration))


@router.delete("/{rule_id}")
async def remove_routing_rule(
    tx: InTx, principal: Manager, integration_id: UUID, rule_id: UUID, seen: IfMatch
) -> RoutingRulePage:
    """Remove one rule; the rules after it move forward. `If-Match` is about the whole list."""
    await seen.require(locked, tx, integration_id, principal)
    integration = await actions.remove_rule(tx, integration_id, rule_id, by=principal)
    return seen.show(await show_all(tx, integration))


@router.post("/test")
async def test_routing_rules(
    tx: InTx, principal: Reader, integration_id: UUID, body: RoutingTest
) -> RoutingTestResult:
    """Say which rule an alert with these labels meets, and why not those before it."""
    integration = await queries.get_integration(tx.session, integration_id, principal)
    tried = try_rules(await queries.load_rules(tx.session, integration.id), body.labels)
    met = tried[-1] if tried and tried[-1].failed is None else None
    service_id = met.rule.service_id if met else integration.service_id
    services = await queries.load_services(tx.session, [service_id])
    return RoutingTestResult(
        service_id=service_id,
        service_name=name_for(principal, services[service_id]),
        rule_id=met.rule.id if met else None,
        why=why(tried),
        tried=[
            shown_tried(position, item, body.labels) for position, item in enumerate(tried, start=1)
        ],
    )


def name_for(principal: Principal, service: Service) -> str:
    """Return a service's name for those who see its team."""
    return service.name if principal.sees(service.team_id) else "a service of another team"


def why(tried: Sequence[Tried]) -> str:
    """Say in a sentence where the alert goes."""
    if not tried:
        return "The integration has no rules: its own service gets every alert."
    if tried[-1].failed is not None:
        return f"None of the {len(tried)} rules is met: the integration's own service gets it."
    matchers = ", ".join(map(str, tried[-1].rule.matchers))
    return f"Rule {len(tried)} is the first that is met: {matchers}."


def shown_tried(position: int, item: Tried, labels: Mapping[str, str]) -> TriedRule:
    """Show a rule that was tried."""
    return TriedRule(
        rule_id=item.rule.id,
        position=position,
        is_met=item.failed is None,
        failed_matcher=str(item.failed) if item.failed else None,
        found=labels.get(item.failed.name) if item.failed else None,
    )
