"""Write server-sent events. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re

# The only ends of a line that the format knows; U+2028 and the like are text.
END_OF_LINE = re.compile(r"\r\n|\r|\n")


def event(id_: str, kind: str, data: str) -> bytes:
    """Write one event. `id_` and `kind` are words without spaces; `data` may have many lines."""
    lines = [f"id: {id_}", f"event: {kind}", *(f"data: {line}" for line in lines_of(data))]
    return block(lines)


def opening(id_: str, retry_ms: int) -> bytes:
    """Write what tells nothing yet, but from where to resume and how soon."""
    return block([f"retry: {retry_ms}", f"id: {id_}"])


def heartbeat(id_: str) -> bytes:
    """Write a comment that keeps the connection alive, and the id to resume from.

    Without data nothing is dispatched, but the last event id is taken over.
    """
    return block([": alive", f"id: {id_}"])


def comment(words: str) -> bytes:
    """Write what readers pass over."""
    return block([f": {line}" for line in lines_of(words)])


def lines_of(text: str) -> list[str]:
    """Part a text as the format does."""
    return END_OF_LINE.split(text)


def block(lines: list[str]) -> bytes:
    """End each line, and the block."""
    return "".join(f"{line}\n" for line in (*lines, "")).encode()
