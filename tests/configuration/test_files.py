"""Reading and writing configuration files."""

import contextlib
import json
from datetime import time
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from incident_service.configuration.document import Document, json_schema
from incident_service.configuration.files import FileWrong, read, write

EVERYTHING = """
version: 1
users:
  - name: First
    email: first@example.org
    external_id: u-1
    time_zone: Europe/Berlin
    contact_methods:
      - {kind: ntfy, address: a-topic}
      - {kind: webhook, address: 'https://pager.example/hook', bundle: false, is_enabled: false}
  - {name: Second, email: second@example.org, is_active: false}
teams:
  - name: Payments
    external_id: t-1
    members:
      - {user: first@example.org, role: manager}
    channels:
      - {name: '#payments', kind: webhook, address: 'https://chat.example/payments'}
    schedules:
      - name: Primary
        time_zone: Australia/Lord_Howe
        layers:
          - name: Days
            unit: day
            every: 2
            handoff_time: 10:00
            participants: [first@example.org]
            restrictions: [{weekdays: [monday], from_time: 22:00, to_time: 06:00}]
    escalation_policies:
      - name: On call
        is_default: true
        repeat_count: 3
        ack_timeout_minutes: 60
        levels:
          - targets: [{schedule: Primary}, {user: second@example.org}, {channel: "#payments"}]
            timeout_minutes: 5
          - targets: [{entire_team: true}]
    services:
      - name: Checkout
        escalation_policy: On call
        grouping: labels
        grouping_labels: [cluster]
        severity_map: {disaster: critical}
        stale_after_minutes: 300
        integrations:
          - name: Alertmanager
            kind: alertmanager
            routing_rules:
              - matchers: ['severity=~"critical|page"', team!=db]
                service: Postgres
                team: Databases
    webhook_subscriptions:
      - {name: Chat bot, url: 'https://bot.example/hook', kinds: [opened, resolved]}
      - {name: Old bot, url: 'https://old.example/hook', is_enabled: false}
  - name: Databases
    services: [{name: Postgres}]
webhook_subscriptions:
  - {name: Archive, url: 'https://archive.example/hook'}
"""


TEAM_OF_NOTHING = """
teams:
  - name: T
    escalation_policies: [{name: P, levels: [{targets: [{entire_team: true, team: X}]}]}]
"""


def test_what_is_written_is_read_back():
    document = read(EVERYTHING)

    assert read(write(document)) == document


def test_what_is_written_is_the_same_to_every_reader_of_yaml():
    text = write(read(EVERYTHING))

    assert Document.model_validate(yaml.safe_load(text)) == read(text)


NAMES = st.text("0123456789eExXo._+-:~ yYnNoOfFtrue\"'#&*!|>%@`\u00e9", min_size=1, max_size=12)


@given(NAMES.map(str.strip).filter(bool))
def test_every_name_is_read_back_as_it_was(name):
    document = read(json.dumps({"teams": [{"name": name, "external_id": name}]}))

    assert read(write(document)) == document


@pytest.mark.parametrize(("shown", "minutes"), [("010", 10), ("10", 10)])
def test_a_number_is_decimal(shown, minutes):
    document = read(
        f"teams: [{{name: T, services: [{{name: S, reopen_window_minutes: {shown}}}]}}]"
    )

    assert document.teams is not None
    services = document.teams[0].services
    assert services is not None
    assert services[0].reopen_window_minutes == minutes


def test_a_target_that_is_named_twice_is_one():
    user = "{user: a@example.org}"
    policy = f"{{name: P, levels: [{{targets: [{user}, {user}]}}]}}"
    document = read(f"teams: [{{name: T, escalation_policies: [{policy}]}}]")

    assert document.teams is not None
    policies = document.teams[0].escalation_policies
    assert policies is not None
    assert len(policies[0].levels[0].targets) == 1


def test_json_is_read_too():
    document = read(EVERYTHING)

    assert read(json.dumps(document.model_dump(mode="json"))) == document


def test_the_first_line_can_name_the_schema():
    text = write(Document(), schema="configuration.schema.json")

    assert text.startswith("# yaml-language-server: $schema=configuration.schema.json\n")


@pytest.mark.parametrize("shown", ["10:00", "09:00", "'23:59'", "00:00"])
def test_a_time_of_day_is_not_taken_for_a_number(shown):
    layer = f"{{name: L, participants: [a@example.org], handoff_time: {shown}}}"
    document = read(
        f"teams: [{{name: T, schedules: [{{name: S, time_zone: UTC, layers: [{layer}]}}]}}]"
    )

    assert document.teams is not None
    schedules = document.teams[0].schedules
    assert schedules is not None
    assert schedules[0].layers[0].handoff_time == time.fromisoformat(shown.strip("'"))


@pytest.mark.parametrize("name", ["no", "on", "2026-01-01", "0x1F", "1_000"])
def test_words_that_yaml_once_took_for_something_else_are_names(name):
    document = read(f"teams: [{{name: {name}}}]")

    assert document.teams is not None
    assert document.teams[0].name == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has to hold"),
        ("[]", "has to hold"),
        ("teams: [", "not YAML"),
        ("teams: []\nteams: []", "'teams' comes twice"),
        ("version: 2", "version: Input should be 1"),
        ("team: []", "team: there is no such field"),
        ("teams: [{name: T, colour: red}]", "teams[T].colour: there is no such field"),
        (
            "teams: [{name: T, services: [{name: S, grouping: moon}]}]",
            "teams[T].services[S].grouping: Input should be",
        ),
        (
            "users: [{name: A, email: nowhere}]",
            "users[nowhere].email: This is not a mail address",
        ),
        (
            "teams: [{name: T, escalation_policies: [{name: P, levels: [{targets: [{}]}]}]}]",
            "teams[T].escalation_policies[P].levels[0].targets[0]: give exactly one of user",
        ),
        (
            TEAM_OF_NOTHING,
            "team says whose schedule or channel it is",
        ),
        ("[" * 5000, "nested too deeply"),
        ("version: !!int x", "cannot be read"),
        ("version: 1_0", "version: Input should be 1"),
        ("teams: [{name: T}, {name: t}]", "the team t is named twice"),
        ("users: [{name: A, email: a@b.c}, {name: B, email: A@b.c}]", "named twice"),
        (
            "teams: [{name: T, escalation_policies: [{name: P, is_default: true}, "  # noqa: ISC004
            "{name: Q, is_default: true}]}]",
            "a team has one default policy, not P and Q",
        ),
        (
            "teams: [{name: T, members: [{user: a@b.c, role: manager}, "  # noqa: ISC004
            "{user: a@b.c, role: observer}]}]",
            "the member a@b.c is named twice",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(text, says):
    with pytest.raises(FileWrong) as refused:
        read(text)

    assert says in str(refused.value)


def test_all_mistakes_are_told_at_once_up_to_twenty():
    text = "teams: [" + ", ".join("{name: ''}" for _ in range(25)) + "]"

    with pytest.raises(FileWrong) as refused:
        read(text)

    lines = str(refused.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "… and 5 more"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(FileWrong):
        read(text)


def test_a_team_that_names_itself_is_the_same_as_one_that_names_none():
    policy = "{{name: P, levels: [{{targets: [{{schedule: S{}}}]}}]}}"
    texts = [
        f"teams: [{{name: T, escalation_policies: [{policy.format(team)}]}}]"
        for team in ("", ", team: T")
    ]

    assert read(texts[0]) == read(texts[1])


def validator() -> Any:
    return jsonschema.Draft202012Validator(json_schema())


def test_the_schema_is_one_and_takes_what_the_service_takes():
    jsonschema.Draft202012Validator.check_schema(json_schema())

    validator().validate(read(EVERYTHING).model_dump(mode="json", exclude_defaults=True))


@pytest.mark.parametrize(
    "wrong", [{"team": []}, {"version": 2}, {"teams": [{"name": "T", "colour": "red"}]}]
)
def test_the_schema_refuses_what_the_service_refuses(wrong):
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(wrong)
