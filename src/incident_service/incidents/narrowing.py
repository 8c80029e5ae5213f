"""What lists of incidents and of alerts are narrowed and sorted by alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from incident_service.catalog import label_search, text_search
from incident_service.catalog.label_search import Labels, MatcherQuery, read_matchers
from incident_service.catalog.matchers import Matcher
from incident_service.catalog.priority import Priority
from incident_service.catalog.text_search import TextQuery, words_of
from incident_service.incidents.models import Incident


class Sort(StrEnum):
    """What comes first in a list.

    `urgent`: what is open or firing before what is acknowledged, resolved and closed, then by
    priority, then whatever has waited longest.
    """

    NEWEST = "newest"
    URGENT = "urgent"


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which incidents, or alerts, are wanted; an empty field does not narrow the list.

    Of an alert, assignee, quiet and exhaustion are its incident's.
    """

    priorities: Sequence[Priority] = ()
    service_id: UUID | None = None
    assigned_user_id: UUID | None = None
    is_quiet: bool | None = None
    is_exhausted: bool | None = None
    matchers: Sequence[Matcher] = ()
    words: Sequence[str] = ()


ANYTHING = Narrowing()


def narrowing(
    *,
    priority: Annotated[list[Priority] | None, Query()] = None,
    service_id: UUID | None = None,
    assigned_user_id: Annotated[UUID | None, Query(description="Of the incident.")] = None,
    is_quiet: Annotated[bool | None, Query(description="Whether the incident is.")] = None,
    is_exhausted: Annotated[bool | None, Query(description="Whether the incident is.")] = None,
    matchers: MatcherQuery = None,
    text: TextQuery = None,
) -> Narrowing:
    """Read the filters of the query string; several values of one filter mean "any of"."""
    return Narrowing(
        priorities=priority or (),
        service_id=service_id,
        assigned_user_id=assigned_user_id,
        is_quiet=is_quiet,
        is_exhausted=is_exhausted,
        matchers=read_matchers(matchers),
        words=words_of(text),
    )


Narrowed = Annotated[Narrowing, Depends(narrowing)]


def of_row(
    wanted: Narrowing,
    *,
    labels: Labels,
    priority: InstrumentedAttribute[Priority],
    service_id: InstrumentedAttribute[UUID],
) -> list[ColumnElement[bool]]:
    """Say in SQL what is asked of the row itself, by its columns."""
    conditions = [
        *label_search.in_sql(labels, wanted.matchers),
        *text_search.occur(wanted.words),
    ]
    if wanted.priorities:
        conditions.append(priority.in_(wanted.priorities))
    if wanted.service_id is not None:
        conditions.append(service_id == wanted.service_id)
    return conditions


def of_incident(wanted: Narrowing) -> list[ColumnElement[bool]]:
    """Say in SQL what is asked of the incident: the row itself, or an alert's."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.assigned_user_id is not None:
        conditions.append(Incident.assigned_user_id == wanted.assigned_user_id)
    facts = {
        Incident.is_quiet.expression: wanted.is_quiet,
        Incident.exhausted_at.is_not(None): wanted.is_exhausted,
    }
    conditions += [fact if is_so else ~fact for fact, is_so in facts.items() if is_so is not None]
    return conditions
