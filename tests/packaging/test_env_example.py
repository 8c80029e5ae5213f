"""`.env.example` names every setting, with its meaning and its default."""

import re
from pathlib import Path

import pytest
from tests.packaging.checkout import ROOT

from incident_service.settings import PREFIX, Settings

TEXT = (ROOT / ".env.example").read_text()
SETTING = re.compile(rf"^# (?P<meaning>.+)\n#(?P<name>{PREFIX}\w+)=(?P<value>.*)$", re.MULTILINE)
SETTINGS = {each["name"]: each["value"] for each in SETTING.finditer(TEXT)}


def test_it_names_every_setting_and_no_other():
    assert SETTINGS.keys() == {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}


def test_it_sets_nothing_until_somebody_chooses():
    assert [line for line in TEXT.splitlines() if line and not line.startswith("#")] == []


def test_each_setting_has_one_line_of_meaning():
    paragraphs = TEXT.strip().split("\n\n")[1:]

    assert {len(paragraph.splitlines()) for paragraph in paragraphs} == {2}


def test_the_values_are_the_defaults(tmp_path: Path):
    chosen = tmp_path / "env"
    chosen.write_text("\n".join(f"{name}={value}" for name, value in SETTINGS.items()))

    assert Settings(_env_file=chosen) == Settings(_env_file=None)


@pytest.mark.parametrize("name", ["data_dir", "bootstrap_api_key", "metrics_token"])
def test_an_empty_value_means_that_nothing_is_set(tmp_path: Path, name):
    chosen = tmp_path / "env"
    chosen.write_text(f"{PREFIX}{name.upper()}=\n")

    assert getattr(Settings(_env_file=chosen), name) is None
