"""Tell the people in charge that the service has paused a subscription."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import select

from incident_service.core.db import Tx
from incident_service.notifications.message import clock_time, one_line, shortened
from incident_service.notifications.notes import send_note
from incident_service.policies.targets import load_reach
from incident_service.subscriptions.models import WebhookSubscription
from incident_service.teams.addresses import masked
from incident_service.teams.models import Channel, ContactMethod, Team

log = structlog.get_logger()
SHOWN = 60


async def tell_of_pause(tx: Tx, subscription: WebhookSubscription, error: str) -> None:
    """Send a note to the team's managers, or else to the fallback contact.

    A subscription of every team has no managers. Quiet hours are not kept to.
    """
    methods = await find_addresses(tx, subscription.team_id)
    note = words(subscription, await find_team_name(tx, subscription.team_id), error)
    pages = [(await send_note(tx, method, note)).id for method in methods]
    tx.after_commit(partial(say_who_was_told, subscription.id, pages))


def say_who_was_told(subscription_id: UUID, pages: Sequence[UUID]) -> None:
    """Log the pages by which `GET /v1/pages/{page_id}` shows how the notice fares."""
    if pages:
        log.info("webhooks.pause_told", subscription_id=subscription_id, pages=pages)
    else:
        log.error("webhooks.pause_untold", subscription_id=subscription_id)


async def find_team_name(tx: Tx, team_id: UUID | None) -> str | None:
    """Return the name of the team; None: it is every team."""
    name: str | None = await tx.session.scalar(select(Team.name).where(Team.id == team_id))
    return name


async def find_addresses(tx: Tx, team_id: UUID | None) -> Sequence[ContactMethod]:
    """Return every address of those who are told; a telephone rings only if there is no other."""
    reach = await load_reach(tx.session, [team_id] if team_id else [], (), tx.now)
    managers = reach.managers(team_id) if team_id else []
    ids = {id_ for manager in managers for id_ in manager.contact_method_ids}
    if not ids and reach.fallback_contact_method_id:
        ids = {reach.fallback_contact_method_id}
    rows = await tx.session.scalars(
        select(ContactMethod).where(ContactMethod.id.in_(ids)).order_by(ContactMethod.id)
    )
    methods = rows.all()
    return [method for method in methods if method.kind is not Channel.VOICE] or methods


def words(subscription: WebhookSubscription, team: str | None, error: str) -> str:
    """Say which subscription, since when, how to resume it, and why; all of it on one line.

    The error comes last: it is what a text message may cut off.
    """
    assert subscription.failing_since is not None
    name = shortened(one_line(subscription.name), SHOWN)
    whose = f"team {shortened(one_line(team), SHOWN)}" if team else "every team"
    return (
        f"Webhook subscription {name} of {whose} is paused: "
        f"{shortened(masked(Channel.WEBHOOK, subscription.url), SHOWN)} has failed since "
        f"{clock_time(subscription.failing_since)}. To resume it, with every event since: "
        f'PATCH /v1/webhook-subscriptions/{subscription.id} with {{"is_enabled": true}}. '
        f"The last error: {one_line(error)}"
    )
