"""Say a page in the room that a provider gives."""

from bisect import bisect_right
from collections.abc import Callable, Iterator

from incident_service.notifications.message import OutgoingPage, assembled, counted, paragraph, text

Size = Callable[[str], int]
"""How long a text is, as a provider counts."""

# What values of an incident are shortened to before another incident is left out.
SHORTER = (400, 100)
SHORTEST = 25


def in_bytes(said: str) -> int:
    """Count bytes of UTF-8."""
    return len(said.encode())


def in_units(said: str) -> int:
    """Count units of UTF-16, of which a character beyond the first 65,536 takes two."""
    return len(said.encode("utf-16-le")) // 2


def text_within(limit: int, size: Size, page: OutgoingPage, head: str = "") -> str:
    """Return `head`, and of what `message.text` says what fits, with its links whole.

    Long values are shortened first; then the least urgent incidents are only counted. A link that
    does not fit even so is left out: half of one is none.
    """
    if page.note:
        return cut(head + text(page), limit, size)
    fitting = (head + version for version in versions(page) if size(head + version) <= limit)
    return next(fitting, None) or cut(f"{head}{counted(page)}\n", limit, size)


def versions(page: OutgoingPage) -> Iterator[str]:
    """Return ways to say a page, the longest one first."""
    yield text(page)
    said: list[str] = []
    for length in SHORTER:
        said = [paragraph(incident, length) for incident in page.incidents]
        yield assembled(page, said)
    for shown in range(len(said) - 1, 0, -1):
        yield assembled(page, said[:shown])
    yield assembled(page, [paragraph(page.incidents[0], SHORTEST)])
    yield assembled(page, [])


def cut(said: str, limit: int, size: Size) -> str:
    """Cut text that is too long between two characters, visibly."""
    if size(said) <= limit:
        return said
    kept = bisect_right(range(len(said)), limit, key=lambda length: size(said[:length] + "…")) - 1
    return said[: max(kept, 0)] + "…"
