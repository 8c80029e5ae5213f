"""Say a page in the length of a text message."""

from incident_service.notifications.message import (
    OutgoingPage,
    clock_time,
    counted,
    headline,
    one_line,
    shortened,
)

# Two parts of 160 characters; a phone joins them.
TEXT_LENGTH = 320
SERVICE_LENGTH = 40
SHORTEST_WHAT = 40


def short_text(page: OutgoingPage) -> str:
    """Return how urgent, how many, what, where, since when, and the link, in 320 characters.

    What is wrong is shortened first. A link that does not fit is left out: half of one is none.
    """
    if page.note:
        return shortened(one_line(page.note), TEXT_LENGTH)
    first = page.incidents[0]
    service = shortened(one_line(first.service), SERVICE_LENGTH)
    how_many = f" {counted(page)}, first" if len(page.incidents) > 1 else ""
    begin = f"{page.priority.upper()}{how_many} "
    end = f" ({service}, since {clock_time(first.created_at)})"
    link = f" {page.answer_url or first.url}"
    room = TEXT_LENGTH - len(begin) - len(end)
    if room - len(link) < SHORTEST_WHAT:
        link = ""
    return begin + shortened(headline(first), room - len(link)) + end + link
