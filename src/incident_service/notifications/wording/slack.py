"""Say a page to Slack, or to a chat that takes the same."""

import json

from incident_service.notifications.message import OutgoingPage, subject
from incident_service.notifications.wording.fitted import text_within

# Slack cuts at 40,000 characters and asks for 4,000.
TEXT_LENGTH = 3800
# Without `<` nothing is a mention, a link or a command: `<!channel>`, `<@U…>`, `<https://…|here>`.
ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def as_message(page: OutgoingPage) -> bytes:
    """Return the body for an incoming webhook.

    `mrkdwn` is off, so `*`, `_`, `~` and backquotes of an alert stay what they are; `parse` and
    `link_names` are off, so `@here` is a word; nothing is unfurled, so nothing fetches the links.

    Source: https://docs.slack.dev/messaging/formatting-message-text
    """
    head = "" if page.note else f"{subject(page)}\n"
    said = text_within(TEXT_LENGTH, as_sent, page, head).rstrip("\n")
    message = {
        "text": escaped(said),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(message).encode()


def as_sent(said: str) -> int:
    """Count characters, those of what is escaped as well."""
    return len(escaped(said))


def escaped(said: str) -> str:
    """Escape the three characters by which Slack tells its own syntax from text."""
    return said.translate(ESCAPED)
