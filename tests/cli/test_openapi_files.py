"""Both documents are in the repository, served, and such that validators accept them."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from tests import openapi

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("name", "options", "in_3_0"),
    [("openapi.json", "", False), ("openapi-3.0.json", " --3.0", True)],
)
def test_the_file_is_what_this_release_says(name, options, in_3_0):
    now = openapi.text(in_3_0=in_3_0) + "\n"

    assert (DOCS / name).read_text() == now, (
        f"docs/{name} is stale: run `incident-service openapi{options} > docs/{name}`"
    )


def test_validators_accept_both():
    OpenAPIV31SpecValidator(openapi.document()).validate()
    OpenAPIV30SpecValidator(json.loads(openapi.text(in_3_0=True))).validate()


async def test_both_are_served(anonymous):
    newer = await anonymous.get("/openapi.json")
    older = await anonymous.get("/openapi-3.0.json")

    assert newer.json()["openapi"].startswith("3.1")
    assert older.json()["openapi"] == "3.0.3"
    assert newer.json()["paths"].keys() == older.json()["paths"].keys()
