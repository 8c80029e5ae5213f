"""Search by text: every word has to occur in the title or in the value of a label.

Words are found inside of others, whatever their case: names of alerts are written in one
(`KubePodCrashLooping`). See docs/decisions/0021-search-by-trigrams.md.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator
from sqlalchemy import ColumnElement, Text, and_, func, literal_column, or_

from incident_service.web.fields import Text as StorableText

# The index holds exactly this expression, and is used for no other.
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
INDEXED_RUN = re.compile(r"[^\W_]{3}")
# Digits near each other, with the letters that share a run of three with them.
AROUND_DIGITS = re.compile(r"[^\W_]{0,2}[0-9](?:.{0,4}[0-9])*[^\W_]{0,2}")


def _indexed(text: str) -> str:
    """Refuse what the index does not help with: it holds runs of three letters or digits."""
    if not INDEXED_RUN.search(text):
        raise ValueError("needs a word with three letters or digits in a row")
    return text


TextQuery = Annotated[
    Annotated[StorableText, AfterValidator(_indexed)] | None,
    Query(
        alias="q",
        max_length=200,
        description="Words, parted by spaces: all of them have to occur in the title or in the "
        "values of the labels, also within other words, in whatever case. One of them needs three "
        "letters or digits in a row.",
    ),
]


def words_of(text: str | None) -> tuple[str, ...]:
    """Return the words to look for."""
    return tuple((text or "").split())


def occur(words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Say in SQL that each word occurs in a row."""
    return [occurs(word) for word in words]


def occurs(word: str) -> ColumnElement[bool]:
    """Say in SQL that a word occurs; in values of labels, quotes and backslashes are escaped."""
    spellings = {word, json.dumps(word, ensure_ascii=False)[1:-1]}
    return or_(*(occurs_as(spelling) for spelling in sorted(spellings)))


def occurs_as(text: str) -> ColumnElement[bool]:
    """Say in SQL that a text occurs: the index finds its telling parts, the rows show the rest."""
    searched = literal_column(SEARCHED, Text())
    parts = telling_parts(text)
    found: list[ColumnElement[bool]] = [searched.ilike(f"%{as_pattern(part)}%") for part in parts]
    if parts != [text]:
        # Not by LIKE, which the index would be asked for as well.
        found.append(func.strpos(func.lower(searched), func.lower(text)) > 0)
    return and_(*found)


def telling_parts(text: str) -> list[str]:
    """Return the parts of a text to ask the index for: those around its digits, or all of it.

    For `host-4711.example:9100` the index would go through every row that has `hos`, `ost`, `exa`
    …, which are most rows; `471` and `711` alone lead to the few.
    """
    parts: list[str] = AROUND_DIGITS.findall(text)
    return parts if any(map(INDEXED_RUN.search, parts)) else [text]


def as_pattern(text: str) -> str:
    """Return the pattern of LIKE that stands for a text."""
    return re.sub(r"([\\%_])", r"\\\1", text)
