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
from sqlalchemy import ColumnElement, Text, func, literal_column, or_

from incident_service.web.fields import Sought

# The index holds exactly this expression, and is used for no other.
SEARCHED = "((title || ' ') || jsonb_path_query_array(labels, '$.*')::text)"
SEARCHED_TEXT = literal_column(SEARCHED, Text())
INDEXED_RUN = re.compile(r"[^\W_]{3}")
# What the index finds by: three of them, or two and where a word ends, or where one begins.
INDEXED = re.compile(r"[^\W_]{3}|[^\W_]{2}[\W_]|[\W_][^\W_]")
# Of a run of letters, its beginning: five tell nearly as much as all, and are looked up sooner.
RUN = re.compile(r"(?<![^\W_])[^\W_]{1,5}")
DIGIT = re.compile(r"[0-9]")
# Digits near each other, with the letters that share a run of three with them.
AROUND_DIGITS = re.compile(r"[^\W_]{0,2}[0-9](?:.{0,4}[0-9])*[^\W_]{0,2}")
WITH_DIGITS = re.compile(r"[^\W_]*[0-9](?:.{0,4}[0-9])*[^\W_]*")


def _indexed(text: str) -> str:
    """Refuse what the index does not help with: it holds runs of three letters or digits."""
    if not INDEXED_RUN.search(text):
        raise ValueError("needs a word with three letters or digits in a row")
    return text


TextQuery = Annotated[
    Annotated[Sought, AfterValidator(_indexed)] | None,
    Query(
        alias="q",
        description="Words, parted by spaces: all of them have to occur in the title or in the "
        "values of the labels, also within other words, in whatever case. One of them needs three "
        "letters or digits in a row.",
    ),
]


def words_of(text: str | None) -> tuple[str, ...]:
    """Return the words to look for."""
    return tuple((text or "").split())


def occur(words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Say in SQL that each word occurs: the index finds their parts, the rows show the wholes.

    The index looks for the parts in the order given, and for a later one only where all before it
    are: numbers lead to fewer rows than letters do.
    """
    parts = [part for word in words for part in parts_of(word)]
    numbers_first = sorted(parts, key=lambda part: DIGIT.search(part) is None)
    in_parts = [word for word in words if parts_of(word) != [word]]
    return [*map(is_found, numbers_first), *map(is_shown, in_parts)]


def is_found(part: str) -> ColumnElement[bool]:
    """Say in SQL, so that the index finds it, that a part of a word occurs."""
    return or_(*(SEARCHED_TEXT.ilike(f"%{as_pattern(each)}%") for each in spellings(part)))


def is_shown(word: str) -> ColumnElement[bool]:
    """Say in SQL that a word occurs, not by LIKE: the index would be asked for it as well.

    PostgreSQL takes `<> 0` for true of nearly all rows, and `> 0` for true of a third.
    """
    lower = func.lower(SEARCHED_TEXT)
    return or_(*(func.strpos(lower, func.lower(each)) != 0 for each in spellings(word)))


def spellings(text: str) -> list[str]:
    """Return how a text may be written: in values of labels, quotes and backslashes are escaped."""
    return sorted({text, json.dumps(text, ensure_ascii=False)[1:-1]})


def parts_of(text: str) -> list[str]:
    """Return the parts of a text to ask the index for: its numbers first, then its letters.

    For `host-4711.example:9100` in one piece the index would look up `hos`, `ost`, `exa` … wherever
    `471` is, and most rows have them. Part by part it comes to them only where `4711` is as well.
    """
    numbers = [found.span() for found in AROUND_DIGITS.finditer(text)]
    others = [found.span() for found in RUN.finditer(WITH_DIGITS.sub(blanks, text))]
    parts = [with_its_ends(text, *span) for span in (*numbers, *others)]
    usable = [part for part in parts if INDEXED.search(part)]
    return usable if numbers and usable else [text]


def with_its_ends(text: str, start: int, end: int) -> str:
    """Return a part of a text; a short one with its neighbours, so that it is in the index."""
    part = text[start:end]
    return part if INDEXED_RUN.search(part) else text[max(start - 1, 0) : end + 1]


def blanks(found: re.Match[str]) -> str:
    """Return as many blanks as were found."""
    return " " * len(found.group())


def as_pattern(text: str) -> str:
    """Return the pattern of LIKE that stands for a text."""
    return re.sub(r"([\\%_])", r"\\\1", text)
