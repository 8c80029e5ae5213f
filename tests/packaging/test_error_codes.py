"""docs/errors.md lists the code of every error that a caller can get."""

import re
from collections.abc import Iterator

from tests.packaging.checkout import ROOT

from incident_service.core.errors import DomainError
from incident_service.main import all_conflicts
from incident_service.web.problems import STATUS

ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| \S", re.MULTILINE)
# These answer with pages for people or with words of commands, not with problems.
FOR_PEOPLE = tuple(
    f"incident_service.{name}" for name in ("answering", "cli", "configuration", "teams.bootstrap")
)


def listed() -> set[tuple[str, int]]:
    rows = ROW.findall((ROOT / "docs" / "errors.md").read_text())
    return {(code, int(status)) for code, status in rows}


def kinds(family: type[DomainError]) -> Iterator[type[DomainError]]:
    for kind in family.__subclasses__():
        yield kind
        yield from kinds(kind)


def code_of(kind: type[DomainError]) -> str:
    return kind.__new__(kind).code


def find_status(kind: type[DomainError]) -> int | None:
    """Return the status; None: it is no family that is answered, such as those of commands."""
    return next((status for family, status in STATUS.items() if issubclass(kind, family)), None)


def test_every_error_is_listed_with_its_status():
    ours = [kind for kind in kinds(DomainError) if kind.__module__.startswith("incident_service.")]
    given = {
        (code_of(kind), status)
        for kind in ours
        if (status := find_status(kind)) and not kind.__module__.startswith(FOR_PEOPLE)
    }

    assert given - listed() == set()


def test_every_rule_of_the_database_is_listed():
    names = {name for name in all_conflicts() if name.startswith("uq_")}

    assert {(name.removeprefix("uq_"), 409) for name in names} - listed() == set()
