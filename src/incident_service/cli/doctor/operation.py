"""Checks of how it goes: what is late, what failed, who is quiet."""

from datetime import timedelta

from sqlalchemy import exists, func, select

from incident_service.alerts.models import Alert
from incident_service.catalog.models import Integration
from incident_service.cli.doctor.finding import Finding, Patient, named, ok, problem, warning
from incident_service.escalation.queries import oldest_overdue
from incident_service.heartbeat.fitness import OVERDUE
from incident_service.notifications.models import Page, PageStatus
from incident_service.notifications.queries import find_overdue_addresses

DAY = timedelta(days=1)
ENOUGH = 1000


async def check_timers(patient: Patient) -> Finding:
    """Does anybody work on what is due?"""
    now = patient.runtime.clock()
    async with patient.runtime.transactions.sessions() as session:
        due_at = await oldest_overdue(session, now - OVERDUE)
    if due_at is None:
        return ok("no escalation is late")
    return problem(
        f"escalations are late, one by {(now - due_at).total_seconds():.0f} s",
        "start a worker, or read its log: `incident-service worker`",
    )


async def check_pages(patient: Patient) -> Finding:
    """Are pages waiting that should be on their way?"""
    async with patient.runtime.transactions.sessions() as session:
        addresses = await find_overdue_addresses(
            session, patient.runtime.clock(), grace=OVERDUE, limit=ENOUGH
        )
    if not addresses:
        return ok("no page is late")
    return problem(
        f"pages for {len(addresses)} addresses are late by more than "
        f"{OVERDUE.total_seconds():.0f} s",
        "start a worker, or read its log: `incident-service worker`",
    )


async def check_failed_pages(patient: Patient) -> Finding:
    """Did pages not get through lately?"""
    since = patient.runtime.clock() - DAY
    async with patient.runtime.transactions.sessions() as session:
        rows = await session.execute(
            select(Page.channel, func.count(), func.max(Page.last_error))
            .where(Page.status == PageStatus.FAILED, Page.created_at > since)
            .group_by(Page.channel)
            .order_by(Page.channel)
        )
        failed = [f"{count} by {channel} ({error})" for channel, count, error in rows]
    if not failed:
        return ok("no page failed within a day")
    return warning(
        f"pages that failed within a day: {named(failed)}",
        "correct the contact methods, or what stands between them and us",
    )


async def check_integrations(patient: Patient) -> Finding:
    """Are there senders that never sent anything?"""
    created_before = patient.runtime.clock() - DAY
    async with patient.runtime.transactions.sessions() as session:
        names = await session.scalars(
            select(Integration.name)
            .where(
                Integration.is_enabled,
                Integration.created_at < created_before,
                ~exists().where(Alert.integration_id == Integration.id),
            )
            .order_by(Integration.name)
        )
        quiet = names.all()
    if not quiet:
        return ok("every integration that is older than a day has sent something")
    return warning(
        f"integrations that never sent an alert: {named(quiet)}",
        "send a test alert through each: a wrong key or address shows only then",
    )
