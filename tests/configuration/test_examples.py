"""The documentation's files do what they say."""

from pathlib import Path

import httpx
import pytest
from tests.configuration.test_apply import apply, export

from incident_service.cli.configuring import schema_text
from incident_service.configuration.files import read

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.yaml"))


async def warnings(api: httpx.AsyncClient) -> list[str]:
    policies = (await api.get("/v1/escalation-policies")).json()["items"]
    return [warning["message"] for policy in policies for warning in policy["warnings"]]


def test_the_published_schema_is_that_of_this_release():
    published = (DOCS / "configuration.schema.json").read_text()

    assert published == schema_text() + "\n", (
        "run `incident-service schema > docs/configuration.schema.json`"
    )


def test_there_is_an_example_for_each_shape_of_company():
    assert [path.stem for path in EXAMPLES] == [
        "follow-the-sun",
        "one-alertmanager-for-many-teams",
        "one-team",
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_makes_an_installation_without_warnings(api, transactions, path):
    text = path.read_text()
    await apply(transactions, text)

    assert (await apply(transactions, text, prune=True)).plan.is_empty
    assert await warnings(api) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
async def test_an_example_survives_an_export(transactions, path):
    await apply(transactions, path.read_text())
    exported = await export(transactions)

    assert (await apply(transactions, exported, prune=True)).plan.is_empty
    assert (await apply(transactions, path.read_text(), prune=True)).plan.is_empty


def test_the_first_line_of_each_example_names_the_schema():
    for path in EXAMPLES:
        first = path.read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../configuration.schema.json"
        assert read(path.read_text()).version == 1
