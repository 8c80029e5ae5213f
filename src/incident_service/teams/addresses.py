"""Decide whether an address is one that its channel can use. Pure."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from incident_service.core.sealing import is_sealed
from incident_service.teams.models import Channel

LONGEST_EMAIL = 254  # RFC 5321, with its erratum 1690
LONGEST_URL = 2048
LONGEST_TOPIC = 64
SHOWN = 4
MASKING = "…"
# They would turn one recipient of a mail header into several, or into a display name.
MEANINGFUL_IN_MAIL_HEADERS = set('<>,;"')
TOPIC_CHARACTERS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
# E.164 has 15 digits at most, and no country code begins with 0; the shortest numbers have 7.
PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
# A private chat or a group by its number (groups' are negative), a public channel by its name.
TELEGRAM_CHAT = re.compile(r"-?[1-9][0-9]{0,15}|@[A-Za-z][A-Za-z0-9_]{3,31}")
APPRISE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

CONTACT_PREFIXES = {
    "mailto:": Channel.EMAIL,
    "ntfy:": Channel.NTFY,
    "slack:": Channel.SLACK,
    "telegram:": Channel.TELEGRAM,
    "sms:": Channel.SMS,
    "voice:": Channel.VOICE,
    "apprise:": Channel.APPRISE,
    "https://": Channel.WEBHOOK,
    "http://": Channel.WEBHOOK,
}


def problem_with(kind: Channel, address: str) -> str | None:
    """Say in a sentence why the channel cannot use the address; None when it can."""
    if is_sealed(address):
        return "No address begins with `sealed:`."
    return CHECKS[kind](address)


def problem_with_email(address: str) -> str | None:
    """Check the shape only: whether mail arrives is shown by the first page."""
    local, _, domain = address.partition("@")
    usable = local and domain and "@" not in domain and is_plain(address)
    if not usable or MEANINGFUL_IN_MAIL_HEADERS & set(address):
        return "This is not a mail address like name@example.org."
    if len(address) > LONGEST_EMAIL:
        return f"A mail address has at most {LONGEST_EMAIL} characters."
    return None


def problem_with_url(address: str) -> str | None:
    """Check that it is an absolute http(s) URL with a host and without credentials."""
    if len(address) > LONGEST_URL:
        return f"A URL has at most {LONGEST_URL} characters."
    try:
        parts = urlsplit(address)
        well_formed = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        well_formed = False
    # Clients disagree on a backslash: some read it as a slash, and would call another host.
    if not well_formed or not is_plain(address) or "\\" in address:
        return "This is not an absolute http or https URL."
    if MASKING in address:
        return "This is a masked URL, as it is shown; give the whole one."
    if "@" in parts.netloc:
        return "The URL must not carry a user name or a password."
    return None


def problem_with_ntfy(address: str) -> str | None:
    """Check a topic of the installation's ntfy server, or a topic's full URL."""
    if "://" in address:
        return problem_with_url(address)
    if 1 <= len(address) <= LONGEST_TOPIC and TOPIC_CHARACTERS.issuperset(address):
        return None
    return (
        f"An ntfy topic has 1 to {LONGEST_TOPIC} letters, digits, _ or -; "
        "a topic of another server is given as its full URL."
    )


def problem_with_telegram(address: str) -> str | None:
    """Check the shape of a chat's id, or of a public channel's name."""
    if TELEGRAM_CHAT.fullmatch(address):
        return None
    return "This is not the id of a Telegram chat, like 123456789, -1001234567890 or @channel."


def problem_with_phone_number(address: str) -> str | None:
    """Check that it is a number as E.164 writes it."""
    if PHONE_NUMBER.fullmatch(address):
        return None
    return "This is not a phone number like +4915112345678: +, country code, number, no spaces."


def problem_with_apprise(address: str) -> str | None:
    """Check that it can be a name. It is never a URL: only the operator says what is called."""
    if APPRISE_NAME.fullmatch(address):
        return None
    return (
        "This is not the name of an Apprise URL; the URLs themselves are set by the operator, "
        "in INCIDENT_SERVICE_APPRISE_URLS."
    )


def problem_with_console(address: str) -> str:  # noqa: ARG001 - as the others
    """Refuse every one."""
    return "The console is made by `dev` only; use another channel."


def is_plain(text: str) -> bool:
    """Say whether it has neither spaces nor characters that cannot be seen."""
    return all(char.isprintable() and not char.isspace() for char in text)


def read_contact(text: str) -> tuple[Channel, str] | None:
    """Read `mailto:a@b`, `ntfy:topic`, `sms:+49…`, `https://…`; None when it is none of these."""
    for prefix, kind in CONTACT_PREFIXES.items():
        if text.startswith(prefix):
            return kind, text if kind is Channel.WEBHOOK else text.removeprefix(prefix)
    return None


CHECKS: dict[Channel, Callable[[str], str | None]] = {
    Channel.EMAIL: problem_with_email,
    Channel.WEBHOOK: problem_with_url,
    Channel.NTFY: problem_with_ntfy,
    Channel.SLACK: problem_with_url,
    Channel.TELEGRAM: problem_with_telegram,
    Channel.SMS: problem_with_phone_number,
    Channel.VOICE: problem_with_phone_number,
    Channel.APPRISE: problem_with_apprise,
    Channel.CONSOLE: problem_with_console,
}


def masked(kind: Channel, address: str) -> str:
    """Show an address so that its owner knows it and nobody else can use it."""
    match kind:
        case Channel.EMAIL:
            local, _, domain = address.partition("@")
            return f"{local[:1]}…@{domain}"
        case Channel.SMS | Channel.VOICE:
            return f"{address[:2]}…{address[-SHOWN:]}"
        case Channel.CONSOLE | Channel.APPRISE:
            return address
        case Channel.WEBHOOK | Channel.SLACK | Channel.NTFY | Channel.TELEGRAM:
            return masked_url(address) if "://" in address else masked_text(address)


def masked_url(url: str) -> str:
    """Show where a URL leads, and how it ends."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…{ending(parts.path + parts.query)}"


def masked_text(text: str) -> str:
    """Show how a topic or a chat's id begins and ends."""
    return f"{text[:SHOWN]}…{ending(text[SHOWN:])}"


def ending(text: str) -> str:
    """Return the last few characters of what is long enough to stay secret without them."""
    return text[-SHOWN:] if len(text) >= 3 * SHOWN else ""
