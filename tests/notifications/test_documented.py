"""docs/notifications.md shows every channel, with calls and settings that are real."""

import json
import re
from pathlib import Path

from incident_service.settings import PREFIX, Settings
from incident_service.teams.addresses import problem_with
from incident_service.teams.models import Channel
from incident_service.teams.schemas import ContactMethodCreate

TEXT = (Path(__file__).parents[2] / "docs/notifications.md").read_text()
CALL = re.compile(r"^\$ call POST users/USER_ID/contact-methods '(.+)'$", re.MULTILINE)
CALLS = [ContactMethodCreate(**json.loads(body)) for body in CALL.findall(TEXT)]
VARIABLES = re.findall(rf"^{PREFIX}(\w+)=", TEXT, re.MULTILINE)


def test_every_channel_has_a_call_that_makes_a_contact_method():
    assert {call.kind for call in CALLS} == set(Channel) - {Channel.CONSOLE}
    assert [problem_with(call.kind, call.address) for call in CALLS] == [None] * len(CALLS)


def test_its_settings_exist():
    names = {variable.lower().removesuffix("_file") for variable in VARIABLES}

    assert names <= Settings.model_fields.keys()
    assert len(names) >= 7
