"""Checks of who is told: keys, teams, policies, contact methods."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from itertools import chain
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from incident_service.catalog.models import Service
from incident_service.cli.doctor.finding import Finding, Patient, named, ok, problem, warning
from incident_service.core.addresses import refusal
from incident_service.core.outbound import OutboundRefused, port_of, read_url, resolve_by_system
from incident_service.notifications.channels.apprise import can_be_used
from incident_service.notifications.channels.requirements import missing_variables
from incident_service.policies.plan import NO_PLAN, Plan
from incident_service.policies.queries import default_policies, load_plans
from incident_service.policies.targets import Reach, load_reach
from incident_service.settings import Network
from incident_service.teams.models import (
    ApiKey,
    Channel,
    ContactMethod,
    Role,
    Scope,
    Team,
    TeamMembership,
    User,
)

RESOLVE_S = 3.0
BY_PROVIDER = (Channel.TELEGRAM, Channel.SMS, Channel.VOICE, Channel.APPRISE)


async def check_admin_key(patient: Patient) -> Finding:
    """Can anybody administer the installation?"""
    now = patient.runtime.clock()
    async with patient.runtime.transactions.sessions() as session:
        count = await session.scalar(
            select(func.count())
            .select_from(ApiKey)
            .outerjoin(User, User.id == ApiKey.user_id)
            .where(
                ApiKey.scopes.contains([Scope.ADMIN.value]),
                ApiKey.team_ids.is_(None),
                ApiKey.revoked_at.is_(None),
                or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now),
                or_(ApiKey.user_id.is_(None), User.is_active),
            )
        )
    if count:
        return ok("there is an admin API key")
    return problem(
        "no API key has the scope admin: nobody can change anything",
        "set INCIDENT_SERVICE_BOOTSTRAP_API_KEY and restart the API; "
        "if that key has been revoked, insert one into api_keys",
    )


async def check_managers(patient: Patient) -> Finding:
    """Has every team somebody who is told when its policy runs out?"""
    is_manager = (TeamMembership.team_id == Team.id, TeamMembership.role == Role.MANAGER)
    async with patient.runtime.transactions.sessions() as session:
        names = await session.scalars(
            select(Team.name)
            .where(~select(TeamMembership.team_id).where(*is_manager).exists())
            .order_by(Team.name)
        )
        without = names.all()
    if not without:
        return ok("every team has a manager")
    return warning(
        f"teams without a manager: {named(without)}",
        "give each a member with the role manager: they are told when nobody else answers",
    )


@dataclass(frozen=True, slots=True)
class Paging:
    """Whom each service pages: its plan, or none when no active policy is behind it."""

    services: list[Service]
    plans: Mapping[UUID, Plan]
    reach: Reach

    def levels_without_anybody(self) -> Iterator[tuple[Service, list[int]]]:
        """Return for each service the levels that would page nobody now."""
        for service in self.services:
            plan = self.plans.get(service.id, NO_PLAN)
            yield (
                service,
                [
                    number
                    for number, level in enumerate(plan.levels, start=1)
                    if not self.reach.meant_by(service.team_id, level.targets)
                ],
            )

    def is_silent(self, service: Service, empty_levels: list[int]) -> bool:
        """Say whether no level, no manager and no fallback contact can be told."""
        has_levels = len(empty_levels) < len(self.plans.get(service.id, NO_PLAN).levels)
        return not (
            has_levels
            or self.reach.managers(service.team_id)
            or self.reach.fallback_contact_method_id
        )


async def load_paging(session: AsyncSession, now: datetime) -> Paging:
    """Read whom every service pages at this moment."""
    services = list(await session.scalars(select(Service).order_by(Service.name)))
    teams = {service.team_id for service in services}
    defaults = await default_policies(session, teams)
    policies = {
        service.id: service.escalation_policy_id or defaults.get(service.team_id)
        for service in services
    }
    by_policy = await load_plans(session, {policy for policy in policies.values() if policy})
    plans = {
        service_id: by_policy[policy]
        for service_id, policy in policies.items()
        if policy in by_policy
    }
    targets = {
        target for plan in plans.values() for level in plan.levels for target in level.targets
    }
    return Paging(services, plans, await load_reach(session, teams, targets, now))


async def check_services(patient: Patient) -> Finding:
    """Does every service page somebody?"""
    async with patient.runtime.transactions.sessions() as session:
        paging = await load_paging(session, patient.runtime.clock())
    silent = [
        service.name
        for service, empty in paging.levels_without_anybody()
        if paging.is_silent(service, empty)
    ]
    if silent:
        return problem(
            f"services whose incidents would reach nobody: {named(silent)}",
            "give them an active policy whose people have contact methods",
        )
    planless = [service.name for service in paging.services if service.id not in paging.plans]
    if planless:
        return warning(
            f"services without an active policy: {named(planless)}",
            "give each one, or its team a default: until then only managers and the fallback "
            "contact are told",
        )
    return ok(f"whoever is behind the {len(paging.services)} services can be reached")


async def check_levels(patient: Patient) -> Finding:
    """Does every level of a policy in use page somebody?"""
    async with patient.runtime.transactions.sessions() as session:
        paging = await load_paging(session, patient.runtime.clock())
    empty = [
        f"{service.name} level {number}"
        for service, numbers in paging.levels_without_anybody()
        for number in numbers
    ]
    if not empty:
        return ok("every level of the policies in use pages somebody")
    return warning(
        f"levels that page nobody and are skipped: {named(empty)}",
        "give their people contact methods, or take them out of the policies",
    )


async def check_mail_contacts(patient: Patient) -> Finding:
    """Can mails be sent, where somebody expects some?"""
    async with patient.runtime.transactions.sessions() as session:
        addresses = await enabled_addresses(session, Channel.EMAIL)
    if not addresses or patient.settings.smtp_url:
        return ok(f"{len(addresses)} contact methods are mail addresses")
    return problem(
        f"{len(addresses)} contact methods are mail addresses, and no mail server is set",
        "set INCIDENT_SERVICE_SMTP_URL",
    )


async def check_provider_contacts(patient: Patient) -> Finding:
    """Can pages go out by the providers that people are to be reached through?"""
    async with patient.runtime.transactions.sessions() as session:
        in_use = {each: len(await enabled_addresses(session, each)) for each in BY_PROVIDER}
    missing = {
        channel: variables
        for channel, count in in_use.items()
        if count and (variables := missing_variables(patient.settings, channel))
    }
    if not missing:
        return ok(f"{sum(in_use.values())} contact methods are chats, numbers or Apprise names")
    return problem(
        f"contact methods that nothing can be sent to: {named([*missing])}",
        f"set {', '.join(dict.fromkeys(chain.from_iterable(missing.values())))}",
    )


async def check_apprise_contacts(patient: Patient) -> Finding:
    """Is each Apprise URL that somebody names set, and one that Apprise can use?"""
    async with patient.runtime.transactions.sessions() as session:
        names = await enabled_addresses(session, Channel.APPRISE)
    urls = patient.settings.named_apprise_urls
    unusable = [name for name in dict.fromkeys(names) if not can_be_used(urls.get(name, ""))]
    if unusable:
        return problem(
            f"Apprise names without a URL that Apprise can use: {named(unusable)}",
            "add or correct them in INCIDENT_SERVICE_APPRISE_URLS",
        )
    return ok(f"{len(names)} contact methods name an Apprise URL")


async def check_webhook_contacts(patient: Patient) -> Finding:
    """Are there webhooks, Slack's among them, that the service refuses to call?"""
    async with patient.runtime.transactions.sessions() as session:
        addresses = [
            *await enabled_addresses(session, Channel.WEBHOOK),
            *await enabled_addresses(session, Channel.SLACK),
        ]
    hosts = {host_of(address): address for address in addresses}
    allow = patient.settings.outbound_allow
    reasons = await asyncio.gather(*(why_refused(url, allow) for url in hosts.values()))
    refused = [f"{host} ({reason})" for host, reason in zip(hosts, reasons, strict=True) if reason]
    if refused:
        return problem(
            f"webhooks that are never called: {named(refused)}",
            "allow their networks by INCIDENT_SERVICE_OUTBOUND_ALLOW, or correct the addresses",
        )
    return ok(f"{len(addresses)} contact methods are webhooks that may be called")


async def enabled_addresses(session: AsyncSession, channel: Channel) -> list[str]:
    """Return the addresses of a channel that are in use."""
    rows = await session.scalars(
        select(ContactMethod.address)
        .outerjoin(User, User.id == ContactMethod.user_id)
        .where(
            ContactMethod.kind == channel,
            ContactMethod.is_enabled,
            or_(ContactMethod.user_id.is_(None), User.is_active),
        )
        .order_by(ContactMethod.address)
    )
    return list(rows)


def host_of(address: str) -> str:
    """Return what of a webhook's address may be shown: the rest is often a secret."""
    try:
        return read_url(address).host
    except OutboundRefused:
        return "an address that is none"


async def why_refused(address: str, allow: tuple[Network, ...]) -> str | None:
    """Say why the outbound guard would not call the address; None: it would."""
    try:
        target = read_url(address)
        async with asyncio.timeout(RESOLVE_S):
            found = await resolve_by_system(target.host, port_of(target))
    except OutboundRefused as refused:
        return str(refused)
    except (OSError, UnicodeError, TimeoutError):
        return "its name cannot be resolved here"
    reasons = [refusal(ip_address(each), allow) for each in found]
    return None if None in reasons else ", ".join(sorted({each or "" for each in reasons}))
