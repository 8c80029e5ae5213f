"""Decide what of a provider's words may be shown: nothing by which an address could be used. Pure.

Providers repeat what they were sent: an address, a token, the code by which an address is verified.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from incident_service.notifications.message import one_line, shortened
from incident_service.observability.redaction import MASK, mask
from incident_service.teams.addresses import masked
from incident_service.teams.models import Channel

# What is shorter may be a word, or a part of one: it is hidden only where it stands alone.
SURE = 7
# A part of a URL that is as long as this may be what makes it secret.
SECRET_PART = 12
# The console's are made by ourselves, and Apprise's are names of the operator's.
OPEN = {Channel.CONSOLE, Channel.APPRISE}

Hide = Callable[[str], str]
"""Replaces what is secret in a text."""


def excerpt(text: str, length: int) -> str:
    """Return the beginning of a text, on one line and masked.

    In this order: half of a secret looks like none.
    """
    return shortened(mask(one_line(text)), length)


def hiding(kind: Channel, address: str, secrets: Iterable[str]) -> Hide:
    """Make what hides an address, however it is written, and `secrets`."""
    shown = dict.fromkeys(filter(None, secrets), MASK)
    if kind not in OPEN:
        shown |= dict.fromkeys(parts_of(address), MASK) | {address: as_shown(kind, address)}
    return replacing(shown)


def as_shown(kind: Channel, address: str) -> str:
    """Return what stands for an address; its masked form may show all of a short one."""
    shown = masked(kind, address)
    return MASK if address in shown else shown


def parts_of(address: str) -> Iterator[str]:
    """Return what of an address tells enough of it."""
    if address[:1] in "+-":
        yield address[1:]
    if "://" not in address:
        return
    yield address.partition("://")[2]
    parts = urlsplit(address)
    if len(parts.path) >= SURE:
        yield parts.path
    values = [value for _, value in parse_qsl(parts.query)]
    for part in (*parts.path.split("/"), parts.query, *values):
        if len(part) >= SECRET_PART:
            yield part
            yield unquote(part)


def replacing(shown: Mapping[str, str]) -> Hide:
    """Make what replaces texts by others, in whatever case and however they are escaped."""
    spelled = {
        spelling.lower(): replacement
        for text, replacement in shown.items()
        for spelling in (quote(text, safe=""), escape(text), text.replace("/", "\\/"), text)
    }
    if not spelled:
        return lambda text: text
    longest_first = sorted(spelled, key=len, reverse=True)
    pattern = re.compile("|".join(map(standing, longest_first)), re.IGNORECASE)
    return lambda text: pattern.sub(lambda found: spelled.get(found[0].lower(), MASK), text)


def standing(text: str) -> str:
    """Return the pattern that finds a text; a short one where it stands alone."""
    found = re.escape(text)
    return found if len(text) >= SURE else rf"(?<!\w){found}(?!\w)"
