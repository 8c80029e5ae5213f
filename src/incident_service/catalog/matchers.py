r"""Read and apply matchers of labels, in Alertmanager's syntax. Pure.

    severity="critical"    is exactly this            severity!=info         is not
    team=~"db|storage"     matches all of it          team!~"test-.*"        does not

Quotes are needed around what contains a comma or a quote; in them, `\"`, `\\` and `\n` are
escapes, and any other backslash stands for itself. Several matchers are joined by commas, with or
without braces around them. A label name may be quoted, and may then be any text. A label that is
missing is the empty text.

Source: Alertmanager's documentation of matchers, its classic parser where the two disagree
(Alertmanager does the same by default). Regular expressions are RE2's, which Alertmanager uses
too: they take a time that grows with the text only, whatever is written in them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

import re2

LONGEST = 1_000
"""Code points of one text of matchers."""
MOST_MEMORY = 256 * 1024
"""Bytes that one regular expression may take, once it is compiled."""

QUOTED = r'"(?:[^"\\]|\\.)*"'
PIECE = re.compile(rf"(?:{QUOTED}|[^,\"])*", re.DOTALL)
MATCHER = re.compile(
    rf"(?P<name>{QUOTED}|[^\s{{}}!=~,\\\"'`]+)\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*)",
    re.DOTALL,
)
ESCAPE = re.compile(r'\\([\\"n])')


class MatcherWrong(ValueError):
    """The text is not a matcher; the message says where and why."""


class Operator(StrEnum):
    """How a label's value is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"

    @property
    def takes_pattern(self) -> bool:
        """Say whether the value is a regular expression."""
        return self in (Operator.MATCHES, Operator.NOT_MATCHES)

    @property
    def is_negative(self) -> bool:
        """Say whether it holds for what is not the value."""
        return self in (Operator.NOT_EQUAL, Operator.NOT_MATCHES)


class Pattern(Protocol):
    """A compiled regular expression."""

    def fullmatch(self, text: str) -> object | None:
        """Return something when all of the text matches."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label's name, an operator and a value; `str` writes it in its usual form."""

    name: str
    operator: Operator
    value: str

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Say whether the labels match."""
        text = labels.get(self.name, "")
        if self.operator.takes_pattern:
            is_it = compiled(self.value).fullmatch(text) is not None
        else:
            is_it = text == self.value
        return is_it is not self.operator.is_negative

    def __str__(self) -> str:
        """Write the matcher so that it can be read back."""
        is_plain = re.fullmatch(r"[A-Za-z_:][A-Za-z0-9_:]*", self.name)
        return f"{self.name if is_plain else quote(self.name)}{self.operator}{quote(self.value)}"


def parse(text: str) -> tuple[Matcher, ...]:
    """Read one or more matchers.

    Raises:
        MatcherWrong: it cannot be read, or a regular expression in it is wrong or too large.
    """
    if len(text) > LONGEST:
        raise MatcherWrong(f"is longer than {LONGEST} characters")
    pieces = split(within_braces(text.strip()))
    if not pieces:
        raise MatcherWrong('holds no matcher; write one such as severity="critical"')
    return tuple(parse_one(piece) for piece in pieces)


def within_braces(text: str) -> str:
    """Return what the optional braces hold."""
    if not text.startswith("{"):
        return text
    if not text.endswith("}"):
        raise MatcherWrong("has no closing brace")
    return text[1:-1]


def split(text: str) -> list[str]:
    """Part the text at its commas, those in quotes excepted; a comma may end it."""
    pieces = []
    rest = text
    while rest.strip():
        found = PIECE.match(rest)
        end = found.end() if found else 0
        if end < len(rest) and rest[end] == '"':
            raise MatcherWrong(f"has no closing quote in {rest[end:]!r}")
        pieces.append(rest[:end].strip())
        rest = rest[end + 1 :]
    return pieces


def parse_one(piece: str) -> Matcher:
    """Read one matcher."""
    found = MATCHER.fullmatch(piece)
    if found is None:
        raise MatcherWrong(
            f"is not a matcher: {piece!r}; write a label, one of = != =~ !~, and a value, "
            'such as severity="critical"'
        )
    operator = Operator(found["operator"])
    value = unquote(found["value"])
    if operator.takes_pattern:
        compiled(value)
    return Matcher(unquote(found["name"]), operator, value)


def unquote(text: str) -> str:
    """Return what a quoted text means; one without quotes means itself."""
    if not text.startswith('"'):
        if '"' in text:
            raise MatcherWrong(f"has a quote in the middle of {text!r}; put it all in quotes")
        return text
    if not re.fullmatch(QUOTED, text, re.DOTALL):
        raise MatcherWrong(f"goes on after the closing quote in {text!r}")
    return ESCAPE.sub(lambda found: {"n": "\n"}.get(found[1], found[1]), text[1:-1])


def quote(text: str) -> str:
    """Put a text in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> Pattern:
    """Compile a regular expression, once.

    Raises:
        MatcherWrong: it is not one, or would take too much memory.
    """
    options = re2.Options()
    options.max_mem = MOST_MEMORY
    options.log_errors = False
    try:
        found: Pattern = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args else "unknown"
        raise MatcherWrong(f"has a regular expression that is wrong: {reason}") from error
    return found


def first_that_fails(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> Matcher | None:
    """Return the first matcher that does not hold; None: all do."""
    return next((matcher for matcher in matchers if not matcher.holds(labels)), None)
