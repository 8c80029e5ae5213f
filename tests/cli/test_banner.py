"""What `dev` prints is all that a newcomer needs."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from incident_service.cli.dev.banner import Facts, alertmanager_snippet, banner, fire_command

FACTS = Facts(
    url="http://127.0.0.1:8080",
    api_key="isk_of_a_person",
    integration_key="isi_of_a_sender",
    data_dir=Path("/var/lib/data"),
    minute_s=5,
    told_also_by=("ntfy some-topic",),
)


@pytest.mark.parametrize(
    "needed",
    [
        "http://127.0.0.1:8080/docs",
        "export KEY=isk_of_a_person",
        "this terminal, ntfy some-topic",
        "/var/lib/data",
        "a policy's minute lasts 5 s",
        "Ctrl-C",
    ],
)
def test_the_banner_says_what_one_needs(needed):
    assert needed in banner(FACTS)


def test_the_snippet_is_a_configuration_of_alertmanager():
    configuration = yaml.safe_load(alertmanager_snippet(FACTS))

    (receiver,) = configuration["receivers"]
    (webhook,) = receiver["webhook_configs"]
    assert configuration["route"]["receiver"] == receiver["name"]
    assert configuration["route"]["repeat_interval"] == "1h"
    assert webhook == {
        "url": "http://127.0.0.1:8080/v1/ingest/alertmanager",
        "send_resolved": True,
        "max_alerts": 0,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials": "isi_of_a_sender"},
        },
    }


def test_the_command_that_fires_can_be_pasted():
    words = shlex.split(fire_command(FACTS).replace("\\\n", " "))

    body = json.loads(words[words.index("-d") + 1])
    assert words[:3] == ["curl", "-sS", "http://127.0.0.1:8080/v1/ingest/alertmanager"]
    assert body["alerts"][0]["status"] == "firing"
