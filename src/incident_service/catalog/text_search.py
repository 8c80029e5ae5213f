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
from sqlalchemy import ColumnElement, Text, literal_column, or_

from incident_service.web.fields import Text as StorableText

# The index holds exactly this expression, and is used for no other.
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
INDEXED_RUN = re.compile(r"[^\W_]{3}")


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
    searched = literal_column(SEARCHED, Text())
    spellings = {word, json.dumps(word, ensure_ascii=False)[1:-1]}
    return or_(*(searched.ilike(f"%{as_pattern(each)}%") for each in sorted(spellings)))


def as_pattern(text: str) -> str:
    """Return the pattern of LIKE that stands for a text."""
    return re.sub(r"([\\%_])", r"\\\1", text)
