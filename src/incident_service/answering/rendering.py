"""Write the small HTML pages that a link opens. Pure, once the template is read.

They need no script and load nothing: they work on any phone, and nobody else learns of the link.
"""

from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from incident_service.answering import words
from incident_service.answering.offers import offered
from incident_service.answering.queries import Asked, Member
from incident_service.incidents.lifecycle import Verb
from incident_service.notifications.message import one_line

TEMPLATES = Environment(
    loader=PackageLoader("incident_service.answering", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATE = "answer.html"


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as the page shows it; `is_stale`: it is in another climb than the page's."""

    id: UUID
    number: int
    title: str
    service: str
    status: str
    priority: str
    since: str
    level: int
    repeat: int
    standing: str
    meanwhile: tuple[str, ...]
    offers: frozenset[Verb]
    is_stale: bool


def write_page(asked: Asked, said: str = "", *, is_refusal: bool = False) -> str:
    """Write what the link offers, under what was `said` about an attempt to act."""
    zone = ZoneInfo(asked.person.time_zone)
    incidents = [shown(member, str(asked.person.id), zone) for member in asked.members]
    free = [incident for incident in incidents if Verb.ACKNOWLEDGE in incident.offers]
    return TEMPLATES.get_template(TEMPLATE).render(
        person=one_line(asked.person.name),
        zone=asked.person.time_zone,
        said=said,
        is_refusal=is_refusal,
        incidents=incidents,
        free=len(free),
    )


def write_refusal(said: str) -> str:
    """Write a page that shows nothing but why."""
    return TEMPLATES.get_template(TEMPLATE).render(
        person="", zone="", said=said, is_refusal=True, incidents=[], free=0
    )


def shown(member: Member, reader: str, zone: ZoneInfo) -> Shown:
    """Describe one incident to whom the page was sent."""
    incident = member.incident
    return Shown(
        id=incident.id,
        number=incident.number,
        title=one_line(incident.title),
        service=one_line(member.service),
        status=incident.status.value,
        priority=incident.priority.value,
        since=words.clock(incident.created_at, zone),
        level=incident.current_level,
        repeat=incident.current_repeat,
        standing=words.standing(incident, member.acknowledged, reader=reader, zone=zone),
        meanwhile=words.history(member.meanwhile, reader=reader, zone=zone),
        offers=offered(incident.status, is_same_climb=member.is_same_climb),
        is_stale=incident.status.is_active and not member.is_same_climb,
    )
