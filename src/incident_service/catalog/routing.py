"""Decide which service an alert goes to. Pure.

Rules are tried in order, and the first one all of whose matchers hold wins. When none does, the
integration's own service gets the alert: none is ever lost on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from incident_service.catalog.matchers import Matcher, first_that_fails


@dataclass(frozen=True, slots=True)
class Rule:
    """Where alerts go whose labels all of `matchers` hold for."""

    id: UUID
    matchers: tuple[Matcher, ...]
    service_id: UUID


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule, and the first of its matchers that does not hold; None: the rule is met."""

    rule: Rule
    failed: Matcher | None


def try_rules(rules: Sequence[Rule], labels: Mapping[str, str]) -> list[Tried]:
    """Try rules up to the first that is met, which is then the last of the answer."""
    tried = []
    for rule in rules:
        tried.append(Tried(rule, first_that_fails(rule.matchers, labels)))
        if tried[-1].failed is None:
            break
    return tried


def route(rules: Sequence[Rule], labels: Mapping[str, str], otherwise: UUID) -> UUID:
    """Return the id of the service that labels lead to."""
    tried = try_rules(rules, labels)
    return tried[-1].rule.service_id if tried and tried[-1].failed is None else otherwise
