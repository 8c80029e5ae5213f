"""Say a page aloud, as TwiML."""

import html
from datetime import UTC

from incident_service.notifications.message import OutgoingPage, counted, one_line, shortened

# TwiML that comes with the call has at most 4,000 characters; an escaped one takes up to 6.
WHAT_LENGTH = 300
NAME_LENGTH = 60
TIMES = 2


def as_twiml(page: OutgoingPage) -> str:
    """Return a document that says the page twice: who is woken misses the beginning.

    Source: https://www.twilio.com/docs/voice/twiml/say
    """
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<Response><Say loop="{TIMES}">{html.escape(spoken(page))}</Say></Response>'
    )


def spoken(page: OutgoingPage) -> str:
    """Return what is said: how urgent, how many, what, where, since when. Links are for eyes."""
    if page.note:
        return shortened(one_line(page.note), WHAT_LENGTH)
    first = page.incidents[0]
    service, team = (shortened(one_line(name), NAME_LENGTH) for name in (first.service, first.team))
    what = shortened(one_line(first.title), WHAT_LENGTH)
    return (
        f"This is a {page.priority.value} page, about {counted(page)}. "
        f"Incident {first.number}: {what}. Service {service}, team {team}, "
        f"since {first.created_at.astimezone(UTC):%H:%M} U T C. "
        "Acknowledge it, or it will be escalated. "
    )
