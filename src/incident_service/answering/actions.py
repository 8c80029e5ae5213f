"""What somebody does by the link in a page. Each verb names its author: the person paged."""

from uuid import UUID

from incident_service.answering import words
from incident_service.answering.offers import is_expired
from incident_service.answering.queries import Asked, Member, find_asked
from incident_service.core.actor import Actor
from incident_service.core.db import Tx
from incident_service.core.errors import Conflict, Forbidden, NotFound
from incident_service.escalation.actions import ClimbAtItsEnd
from incident_service.incidents.lifecycle import Status
from incident_service.incidents.locks import lock
from incident_service.response import actions as response
from incident_service.response.actions import Order
from incident_service.teams.auth import Principal
from incident_service.teams.models import Scope

REASON = "by the link in a page"


class LinkUnknown(NotFound):
    """This link is not valid. Perhaps a part of it was lost on the way; open it from the page itself."""  # noqa: E501 - one sentence


class LinkExpired(NotFound):
    """This link has expired: all that its page was about is over."""


class PersonInactive(Forbidden):
    """You are no longer active here, so this link does nothing. Ask a colleague on call."""


class NotOfThisPage(NotFound):
    """This incident is not one of those that the page was about."""


class ClimbIsAnother(Conflict):
    """Nothing was done: the incident has begun anew since this page was sent. See below what happened meanwhile; whoever is paged now has a newer link."""  # noqa: E501 - what a reader needs


class NoNextLevel(Conflict):
    """Nothing was done: this is the last level of the policy, there is nobody left to page."""


async def get_asked(tx: Tx, page_id: UUID | None) -> Asked:
    """Return the page that a link belongs to.

    Raises:
        LinkUnknown: there is none, or the page asks nobody.
        PersonInactive: whom it asks is out of service.
        LinkExpired: it is old, and nothing is left to answer.
    """
    asked = await find_asked(tx.session, page_id) if page_id else None
    if asked is None:
        raise LinkUnknown
    if not asked.person.is_active:
        raise PersonInactive
    statuses = [member.incident.status for member in asked.members]
    if is_expired(asked.page.created_at, statuses, tx.now):
        raise LinkExpired
    return asked


async def acknowledge(tx: Tx, asked: Asked) -> str:
    """Take all incidents of the page that are still open, and say which.

    What somebody else has, or what is over, stays as it is.
    """
    ids = [member.incident.id for member in asked.members]
    incidents = (await lock(tx.session, ids)).values()
    free = [incident for incident in incidents if incident.status is Status.OPEN]
    if not free:
        return "Nothing was left to acknowledge, so nothing has changed."
    actor = Actor("user", asked.person.id, asked.person.name)
    await response.take(tx, free, actor, REASON)
    return f"You have {words.named(free)} now. Nobody else is paged for that."


async def resolve(tx: Tx, asked: Asked, incident_id: UUID | None) -> str:
    """End one incident of the page.

    Raises:
        NotOfThisPage, ClimbIsAnother: see `lock_member`.
        NotAllowedNow: it is closed.
    """
    member = await lock_member(tx, asked, incident_id)
    done = await response.resolve(tx, order(asked, member))
    if not done.changed:
        return f"#{done.incident.number} was resolved already; nothing has changed."
    return f"#{done.incident.number} is resolved."


async def escalate(
    tx: Tx, asked: Asked, incident_id: UUID | None, *, seen_level: int, seen_repeat: int
) -> str:
    """Page the next level of one incident of the page, from the level that its reader saw.

    Raises:
        NotOfThisPage, ClimbIsAnother: see `lock_member`.
        NotAllowedNow: it is over.
        ClimbHasMoved: another level was paged meanwhile.
        NoNextLevel: the policy has run out.
    """
    member = await lock_member(tx, asked, incident_id)
    try:
        done = await response.escalate(
            tx, order(asked, member), seen_level=seen_level, seen_repeat=seen_repeat
        )
    except ClimbAtItsEnd as end:
        raise NoNextLevel from end
    return f"#{done.incident.number} is escalated: the next level is paged now."


async def lock_member(tx: Tx, asked: Asked, incident_id: UUID | None) -> Member:
    """Lock one incident of the page.

    Raises:
        NotOfThisPage: the page was about others.
        ClimbIsAnother: the incident is in another climb than the page was about.
    """
    member = next((each for each in asked.members if each.incident.id == incident_id), None)
    if member is None:
        raise NotOfThisPage
    await lock(tx.session, [member.incident.id])  # reads it anew, in place
    if not member.is_same_climb:
        raise ClimbIsAnother
    return member


def order(asked: Asked, member: Member) -> Order:
    """Put together who wants it: the person paged, whose key is the page.

    It reaches what the page was about, whatever teams the person is in: a policy may page anybody.
    """
    principal = Principal(
        key_id=asked.page.id,
        name=REASON,
        scopes=frozenset({Scope.RESPOND}),
        user_id=asked.person.id,
        user_name=asked.person.name,
        needed=Scope.RESPOND,
    )
    return Order(member.incident.id, principal, reason=REASON)
