"""What the demo says. Pure."""

from collections.abc import Sequence

HEAD = "── page to "


def heading(number: int, title: str) -> str:
    """Return the title of a chapter."""
    return f"\n{number}. {title}"


def fact(text: str) -> str:
    """Return something that happens."""
    return f"     {text}"


def verdict(text: str, *, holds: bool) -> str:
    """Return what was expected, and whether it came true."""
    return f"   {'✓' if holds else '✗'} {text}"


def page_head(line: str) -> str | None:
    """Return what the first line of a page on the console says; None for any other line."""
    return line.removeprefix(HEAD).strip() if line.startswith(HEAD) else None


def counted(count: int, noun: str) -> str:
    """Return a number and its noun, in the plural when it takes that."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def summary(kept: Sequence[str], broken: Sequence[str], took_s: float) -> str:
    """Return how it went."""
    total = len(kept) + len(broken)
    if not broken:
        return f"\nAll {total} expectations came true, in {took_s:.0f} s."
    listed = "\n".join(f"  ✗ {text}" for text in broken)
    return f"\n{len(broken)} of {total} expectations did not come true:\n{listed}"
