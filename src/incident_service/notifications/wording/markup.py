"""Say a page as the HTML part of a mail."""

from html import escape

from incident_service.notifications.message import (
    OutgoingPage,
    PagedIncident,
    counted,
    facts,
    headline,
    subject,
)

PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    '<body style="margin:0;padding:16px;font:15px/1.5 sans-serif;color:#1a1a1a">'
    "{parts}</body></html>\n"
)
INCIDENT = (
    '<div style="margin:0 0 16px;padding:8px 12px;border-left:4px solid #b3261e">'
    '<p style="margin:0 0 4px"><a href="{url}" style="font-weight:bold;color:#1a1a1a">{what}</a> '
    '<span style="color:#5f5f5f">{standing}</span></p>{facts}</div>'
)
FACT = '<p style="margin:0"><span style="color:#5f5f5f">{name}:</span> {value}</p>'
COUNT = '<p style="margin:0 0 16px">{count}</p>'
ANSWER = (
    '<p style="margin:0 0 16px"><a href="{url}" style="display:inline-block;padding:8px 16px;'
    'background:#b3261e;color:#ffffff;text-decoration:none">Answer</a></p>'
)


def as_html(page: OutgoingPage) -> str:
    """Return what `message.text` says, as a document that loads nothing from anywhere.

    Every value is escaped before it is put into a constant template, and never read as one.
    """
    if page.note:
        return PAGE.format(title=escape(subject(page)), parts=COUNT.format(count=escape(page.note)))
    parts = [
        COUNT.format(count=counted(page)) if len(page.incidents) > 1 else "",
        ANSWER.format(url=escape(page.answer_url)) if page.answer_url else "",
        *map(incident_as_html, page.incidents),
    ]
    return PAGE.format(title=escape(subject(page)), parts="".join(parts))


def incident_as_html(incident: PagedIncident) -> str:
    """Return the block of one incident."""
    return INCIDENT.format(
        url=escape(incident.url),
        what=escape(headline(incident)),
        standing=escape(f"{incident.priority.value}, {incident.status.value}"),
        facts="".join(
            FACT.format(name=escape(name), value=escape(value)) for name, value in facts(incident)
        ),
    )
