"""The documents: every link leads somewhere, every command exists."""

import re
from pathlib import Path

import pytest
import typer
from tests.packaging.checkout import ROOT, project_files

from incident_service.cli import app
from incident_service.settings import PREFIX, Settings

DOCUMENTS = project_files("*.md")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"^([a-z0-9]+):", re.MULTILINE)


def title(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ +(.+)$", CODE.sub("", path.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_every_link_within_the_project_leads_somewhere(document):
    links = LINK.findall(CODE.sub("", document.read_text()))
    inner = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [link for link in inner if not leads_somewhere(document, link)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_every_make_command_exists(document):
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    named = set(re.findall(r"(?:`|^ *\$? *)make ([a-z0-9]+)", document.read_text(), re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_every_command_of_the_program_exists(document):
    program = typer.main.get_command(app)
    named = re.findall(
        r"(?:`|^ *\$ *)incident-service ([a-z]+)", document.read_text(), re.MULTILINE
    )

    assert set(named) <= set(program.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_every_setting_exists(document):
    named = re.findall(rf"\b{PREFIX}([A-Z_]*[A-Z])\b", document.read_text())

    assert {name.removesuffix("_FILE").lower() for name in named} <= Settings.model_fields.keys()
