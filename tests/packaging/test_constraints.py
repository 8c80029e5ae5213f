"""constraints.txt pins everything, and no file says where packages come from."""

import re
from collections.abc import Iterator
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.packaging.checkout import ROOT, project_files

PINS = dict(
    line.split("==", 1) for line in (ROOT / "constraints.txt").read_text().splitlines() if line
)
PINNED = {canonicalize_name(name): version for name, version in PINS.items()}


def required(
    name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]
) -> Iterator[str]:
    """Yield the name of everything that is installed because of a package and its extras."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    for line in distribution(name).requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        yield canonicalize_name(requirement.name)
        yield from required(requirement.name, frozenset(requirement.extras), seen)


@pytest.fixture(scope="module")
def installed() -> set[str]:
    return set(required("incident-service", frozenset({"embedded", "otel", "dev"}), set()))


def test_every_package_that_is_installed_is_pinned(installed):
    assert installed - PINNED.keys() == set()


def test_what_is_installed_is_what_is_pinned(installed):
    versions = {name: distribution(name).version for name in installed}

    assert versions == {name: PINNED[name] for name in installed}


def test_a_pin_is_a_name_and_a_version():
    line = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")

    wrong = [
        each
        for each in (ROOT / "constraints.txt").read_text().split("\n")[:-1]
        if not line.fullmatch(each)
    ]

    assert wrong == []


# In pieces, so that this file does not tell either.
TELLING = tuple(
    "-".join(pieces) for pieces in (("index", "url"), ("find", "links"), ("trusted", "host"))
)


def test_no_file_says_where_packages_come_from():
    telling = [
        (str(path.relative_to(ROOT)), word)
        for path in project_files()
        for word in TELLING
        if word in path.read_text(errors="replace").lower()
    ]

    assert telling == []
