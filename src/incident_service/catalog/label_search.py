"""Search by labels: what an index finds of matchers, and what is decided on top of that.

An index finds a label that is one of some texts. Everything else may hold for no row of a large
table, and would be looked for until its end. Besides, PostgreSQL's regular expressions mean
something else than RE2's in places, and may take a time that nobody can foresee.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import ColumnElement, Row, or_
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.catalog.matchers import Matcher, first_that_fails, parse
from incident_service.catalog.schemas import MatcherText

Labels = InstrumentedAttribute[dict[str, str]]

CHOICE = re.compile(r"(?:[^\\.+*?()\[\]{}^$]|\\[!-/:-@\[-^`{-~])*")
CHARACTER = re.compile(r"\\?(.)", re.DOTALL)

MatcherQuery = Annotated[
    list[MatcherText] | None,
    Query(
        alias="matcher",
        max_length=20,
        description="Of labels, in Alertmanager's syntax; may be repeated, all have to hold. "
        "Regular expressions match the whole value, and a missing label is the empty text. An "
        'index finds `=`, and choices such as `=~"critical|high"`. With any other, a page looks '
        "at 1,000 incidents or alerts at most: it may hold fewer items than `limit`, even none, "
        "and still a `next_cursor`.",
        examples=[['severity=~"critical|high"', 'team!="db"']],
    ),
]


def read_matchers(texts: Sequence[str] | None) -> tuple[Matcher, ...]:
    """Return all matchers of texts that were found to be readable."""
    return tuple(matcher for text in texts or () for matcher in parse(text))


def choices(pattern: str) -> list[str] | None:
    """Return the texts that a regular expression matches; None: it is not a choice of texts."""
    if not CHOICE.fullmatch(pattern):
        return None
    texts = [""]
    for found in CHARACTER.finditer(pattern):
        if found[0] == "|":
            texts.append("")
        else:
            texts[-1] += found[1]
    return texts


def in_sql(labels: Labels, matchers: Sequence[Matcher]) -> list[ColumnElement[bool]]:
    """Say in SQL what an index finds of the matchers."""
    found = map(texts_of, matchers)
    return [
        or_(*(labels.contains({matcher.name: text}) for text in texts))
        for matcher, texts in zip(matchers, found, strict=True)
        if texts
    ]


def texts_of(matcher: Matcher) -> list[str] | None:
    """Return the texts of which a label has to be one; None: that is not what the matcher asks."""
    if matcher.operator.is_negative:
        return None
    texts = choices(matcher.value) if matcher.operator.takes_pattern else [matcher.value]
    return texts if texts and all(texts) else None


def left_over(
    labels: Labels, matchers: Sequence[Matcher]
) -> tuple[list[ColumnElement[Any]], Callable[[Row[Any]], bool] | None]:
    """Return what to read of a row, and how to decide on it, for matchers that no index finds."""
    rest = [matcher for matcher in matchers if texts_of(matcher) is None]
    if not rest:
        return [], None
    names = list(dict.fromkeys(matcher.name for matcher in rest))

    def holds(row: Row[Any]) -> bool:
        found = {name: row[place] or "" for place, name in enumerate(names)}
        return first_that_fails(rest, found) is None

    return [labels[name].astext for name in names], holds
