"""Search by labels: what SQL can say of matchers, so that an index finds it, and what it cannot.

A regular expression that is a choice of plain texts is said in SQL. Any other is not: PostgreSQL's
mean something else than RE2's in places, and may take a time that nobody can foresee.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import ColumnElement, Row, func, not_, or_
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
        "Regular expressions match the whole value, and a missing label is the empty text. With a "
        "regular expression that is more than a choice of plain texts, a page looks at 2,000 "
        "incidents or alerts at most: it may hold fewer items than `limit`, even none, and still "
        "a `next_cursor`.",
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
    """Say in SQL what it can say of the matchers."""
    said = (condition(labels, matcher) for matcher in matchers)
    return [each for each in said if each is not None]


def condition(labels: Labels, matcher: Matcher) -> ColumnElement[bool] | None:
    """Say in SQL that a matcher holds; None: SQL cannot."""
    texts = choices(matcher.value) if matcher.operator.takes_pattern else [matcher.value]
    if texts is None:
        return None
    found = or_(*(has(labels, matcher.name, text) for text in texts))
    return not_(found) if matcher.operator.is_negative else found


def has(labels: Labels, name: str, text: str) -> ColumnElement[bool]:
    """Say in SQL that a label is exactly this; never NULL."""
    if text:
        return labels.contains({name: text})
    return func.coalesce(labels[name].astext, "") == ""


def left_over(
    labels: Labels, matchers: Sequence[Matcher]
) -> tuple[list[ColumnElement[Any]], Callable[[Row[Any]], bool] | None]:
    """Return what to read of a row, and how to decide on it, for matchers that SQL cannot say."""
    rest = [matcher for matcher in matchers if condition(labels, matcher) is None]
    if not rest:
        return [], None
    names = list(dict.fromkeys(matcher.name for matcher in rest))

    def holds(row: Row[Any]) -> bool:
        found = {name: row[place] or "" for place, name in enumerate(names)}
        return first_that_fails(rest, found) is None

    return [labels[name].astext for name in names], holds
