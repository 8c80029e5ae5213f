import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.alerts.adapters.alertmanager import NoAlerts, parse
from incident_service.alerts.fingerprint import of_labels
from incident_service.alerts.incoming import IncomingAlert, Parsed

PAYLOADS = Path(__file__).parent / "payloads"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)
FIELDS = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint")
ALERT = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))
AROUND = ("version", "receiver", "groupKey", "truncatedAlerts", "status", "groupLabels", "extra")
FIRING, RESOLVED = True, False
BOUNCES, NEWSLETTER = "ba0aeec5c0d6ed94", "568c1b3f689a5364"
EXPECTED = {
    "current_firing": [(BOUNCES, FIRING)],
    "current_added": [(BOUNCES, FIRING), (NEWSLETTER, FIRING)],
    "current_mixed": [(BOUNCES, RESOLVED), (NEWSLETTER, FIRING)],
    "current_resolved": [(BOUNCES, RESOLVED), (NEWSLETTER, RESOLVED)],
    "current_repeated": [(BOUNCES, FIRING), (NEWSLETTER, FIRING)],
    "current_fires_again": [(BOUNCES, FIRING)],
    "current_as_version_1": [(BOUNCES, FIRING), (NEWSLETTER, FIRING)],
    "watchdog": [("448881ef475b9b26", FIRING)],
    "v4_wire_firing": [("acf3a7289195acf0", FIRING)],
    "v4_wire_resolved": [("acf3a7289195acf0", RESOLVED)],
    "v4_two_alerts_without_group": [("e38f6e850baa8c8a", FIRING), ("7fb866d69792cc4b", FIRING)],
    "v4_without_fingerprint": [("82acec649f178cc1", FIRING)],
    "v4_group_labels_of_another_name": [("691f875aa8d46ffa", FIRING)],
    "v4_offset_and_other_scripts": [("6dd0a1902ead8384", FIRING)],
    "v4_without_generator_url": [("1109c8349c6e64f9", FIRING)],
    "v4_same_labels_two_fingerprints": [("0ddba11500000001", FIRING), ("00c0ffee00c0ffee", FIRING)],
    "v3_number_as_group_key": [("4ecbbbd817ec7476", FIRING)],
    "v3_group_key_above_2_to_the_53": [("f7e9e8e9602f713d", FIRING)],
    "minimal": [("73f1f51c74258f59", FIRING)],
    "empty": [],
    "release_0_16": [("1d6d085e16f4a03c", FIRING)],
    "release_0_19": [("2f2beebdfd79b729", RESOLVED), ("1d6d085e16f4a03c", FIRING)],
    "release_0_21": [("1d6d085e16f4a03c", FIRING)],
    "release_0_27": [("136c7ecb3bf32bb5", FIRING)],
    "release_0_32": [("1d6d085e16f4a03c", FIRING)],
    "release_0_34": [("2f2beebdfd79b729", RESOLVED)],
    "version_1_cut_to_one_alert": [("1d6d085e16f4a03c", FIRING)],
    "pushed_list": [("d936a69b6638c115", FIRING)],
}


def load(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def parse_one(**fields: Any) -> IncomingAlert:
    """Read one alert that has usable labels unless told otherwise."""
    [alert] = parse({"alerts": [{"labels": {"alertname": "DiskFull"}} | fields]}).alerts
    return alert


@pytest.mark.parametrize("name", EXPECTED)
def test_the_payload_of_every_version_is_read(name):
    parsed = parse(load(name))

    assert [(alert.fingerprint, alert.firing) for alert in parsed.alerts] == EXPECTED[name]
    assert parsed.rejected == ()


def test_every_payload_here_is_read_by_a_test():
    assert set(EXPECTED) == {path.stem for path in PAYLOADS.glob("*.json")}


def test_an_alert_is_read_in_full():
    [alert] = parse(load("current_firing")).alerts

    assert alert == IncomingAlert(
        fingerprint="ba0aeec5c0d6ed94",
        firing=True,
        starts_at=datetime(2026, 5, 4, 6, 0, 0, 987654, UTC),
        ends_at=None,
        labels={
            "alertname": "QueueBacklog",
            "cluster": "north-2",
            "job": "mailer",
            "queue": "bounces",
            "severity": "critical",
            "team": "messaging",
        },
        annotations={
            "dashboard": "https://dash.example/d/q?from=now-1h&to=now",
            "summary": "queue bounces holds > 10000 jobs & grows",
        },
        severity="critical",
        generator_url="http://prometheus.example:9090/graph?g0.expr=queue_depth+%3E+10000&g0.tab=1",
        group_labels={"alertname": "QueueBacklog", "cluster": "north-2"},
        received_index=0,
    )


def test_a_resolved_alert_keeps_its_start_and_has_its_end():
    alert = parse(load("current_resolved")).alerts[0]

    assert alert.starts_at == datetime(2026, 5, 4, 6, 0, 0, 987654, UTC)
    assert alert.ends_at == datetime(2026, 5, 4, 6, 8, 15, 250000, UTC)


@pytest.mark.parametrize(
    ("own", "end", "root", "expected"),
    [
        ("firing", "2026-05-04T06:00:00Z", "resolved", FIRING),
        ("resolved", "0001-01-01T00:00:00Z", "firing", RESOLVED),
        ("Resolved ", None, "firing", RESOLVED),
        (None, None, "resolved", RESOLVED),
        (None, "0001-01-01T00:00:00Z", "resolved", FIRING),
        (None, None, "firing", FIRING),
        (None, "2026-05-04T06:00:00Z", None, FIRING),
        ("alerting", None, "resolved", RESOLVED),
        (True, None, ["resolved"], FIRING),
    ],
)
def test_the_alerts_own_status_comes_first_and_doubt_means_firing(own, end, root, expected):
    entry = {"labels": {"a": "b"}, "status": own, "endsAt": end}

    [alert] = parse({"alerts": [entry], "status": root}).alerts

    assert alert.firing is expected


@pytest.mark.parametrize("end", [None, "0001-01-01T00:00:00Z", "soon", 5, []])
def test_a_resolved_alert_without_a_usable_end_has_none(end):
    assert parse_one(status="resolved", endsAt=end).ends_at is None


def test_the_end_of_a_firing_alert_means_nothing():
    assert parse_one(status="firing", endsAt="2026-05-04T06:00:00Z").ends_at is None


@pytest.mark.parametrize("given_one", ["fingerprint", "ABC", "5", "' OR 1=1 --", "ünï"])
def test_any_text_is_taken_as_the_senders_fingerprint(given_one):
    assert parse_one(fingerprint=given_one).fingerprint == given_one


@pytest.mark.parametrize("missing", ["", "  ", None, 5, True, [], {}])
def test_a_missing_fingerprint_is_computed(missing):
    assert parse_one(fingerprint=missing).fingerprint == of_labels({"alertname": "DiskFull"})


def test_a_fingerprint_too_long_for_an_index_is_hashed():
    expected = hashlib.sha256(b"\xc3\xa9" * 256).hexdigest()

    assert parse_one(fingerprint="é" * 256).fingerprint == expected


def test_a_fingerprint_is_computed_before_labels_are_shortened():
    labels = {f"name{number}": "v" * 5000 for number in range(70)}

    assert parse_one(labels=labels).fingerprint == of_labels(labels)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        (5, "5"),
        (1.0, "1.0"),
        (True, "true"),
        ({"b": [1, "ü"]}, '{"b":[1,"ü"]}'),
        ([], "[]"),
        ("a\x00b\ud800c", "a\ufffdb\ufffdc"),
        ("{0.__class__} %s {{ 7*7 }} <script>", "{0.__class__} %s {{ 7*7 }} <script>"),
        ("v" * 4097, "v" * 4095 + "…"),
        ("v" * 4096, "v" * 4096),
    ],
)
def test_a_label_value_becomes_text_that_can_be_stored(value, expected):
    assert parse_one(labels={"name": value}).labels == {"name": expected}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("with space.and-dot\n🚨", "with space.and-dot\n🚨"),
        ("__proto__", "__proto__"),
        ("n" * 300, "n" * 255 + "…"),
        ("nul\x00", "nul\ufffd"),
    ],
)
def test_a_label_may_have_any_name(name, expected):
    assert parse_one(labels={name: "v"}).labels == {expected: "v"}


def test_labels_without_value_or_name_are_dropped():
    assert parse_one(labels={"a": None, "": "x", "b": "y"}).labels == {"b": "y"}


def test_names_that_differ_in_case_are_different_labels():
    labels = {"Severity": "low", "severity": "high"}

    assert parse_one(labels=labels).severity == "high"


def test_of_too_many_labels_those_that_count_are_kept():
    many = {f"a{number:03}": "x" for number in range(100)}

    kept = parse_one(labels=many | {"severity": "critical", "alertname": "Wide"}).labels

    assert len(kept) == 64
    assert kept["severity"] == "critical"
    assert kept["alertname"] == "Wide"


def test_annotations_are_shortened_and_counted():
    many = {f"a{number:03}": "x" * 40_000 for number in range(100)}

    kept = parse_one(annotations=many).annotations

    assert len(kept) == 64
    assert {len(value) for value in kept.values()} == {32 * 1024}


@pytest.mark.parametrize(
    ("annotations", "labels", "expected"),
    [
        ({"summary": "Said", "title": "T"}, {"alertname": "A"}, "Said"),
        ({"summary": " \n", "title": "T", "description": "D"}, {"alertname": "A"}, "T"),
        ({"description": "\n first \nsecond"}, {"alertname": "A"}, "first"),
        ({}, {"alertname": "A"}, "A"),
        ({}, {"host": "a"}, "Alert 8df98227bdd81384"),
        ({"summary": "s" * 301}, {"host": "a"}, "s" * 299 + "…"),
    ],
)
def test_a_title_is_whatever_says_most(annotations, labels, expected):
    alert = parse_one(annotations=annotations, labels=labels, fingerprint="8df98227bdd81384")

    assert alert.title == expected


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (None, "not_an_object"),
        (5, "not_an_object"),
        ("x", "not_an_object"),
        ([], "not_an_object"),
        ({}, "no_identity"),
        ({"status": "firing"}, "no_identity"),
        ({"labels": {}}, "no_identity"),
        ({"labels": {"a": None}}, "no_identity"),
        ({"labels": ["a"], "fingerprint": ""}, "no_identity"),
        ({"labels": "a"}, "no_identity"),
    ],
)
def test_68_an_unusable_alert_is_rejected_and_costs_no_other(entry, code):
    parsed = parse({"alerts": [{"labels": {"a": "b"}}, entry, {"labels": {"c": "d"}}]})

    assert [alert.received_index for alert in parsed.alerts] == [0, 2]
    assert [(refusal.index, refusal.code) for refusal in parsed.rejected] == [(1, code)]


@pytest.mark.parametrize("labels", [{}, None, [], "x"])
def test_a_fingerprint_alone_is_enough(labels):
    assert parse_one(labels=labels, fingerprint="abc").labels == {}


@pytest.mark.parametrize("alerts", [[], None])
def test_no_alerts_are_nothing_to_store(alerts):
    assert parse({"alerts": alerts}) == Parsed()


@pytest.mark.parametrize(
    "document",
    [{}, {"alerts": {}}, {"alerts": "x"}, {"text": "hi"}, None, "x", 5, True, [5], [{"a": 1}]],
)
def test_without_a_list_of_alerts_the_answer_says_what_is_expected(document):
    with pytest.raises(NoAlerts):
        parse(document)


def test_one_bad_entry_does_not_spoil_a_pushed_list():
    parsed = parse([5, {"labels": {"a": "b"}}])

    assert (len(parsed.alerts), len(parsed.rejected)) == (1, 1)


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.parametrize("value", [None, 4, -1, "x" * 100_000, [], {}, {"a": []}, 2**70, True])
def test_nothing_around_the_alerts_can_break_it(name, value):
    parsed = parse({"alerts": [{"labels": {"a": "b"}}], name: value})

    assert len(parsed.alerts) == 1


@pytest.mark.parametrize(
    ("count", "expected"), [(37, 37), (0, 0), (-1, 0), ("5", 0), (None, 0), (True, 0), (2**70, 0)]
)
def test_65_what_the_sender_left_out_is_counted(count, expected):
    assert parse({"alerts": [], "truncatedAlerts": count}).truncated == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("?orgId=1", "?orgId=1"), (None, ""), (5, ""), ("u" * 5000, "u" * 4095 + "…")],
)
def test_a_link_is_kept_as_text(url, expected):
    assert parse_one(generatorURL=url).generator_url == expected


@given(JSON)
def test_any_json_is_read_or_refused_in_words(document):
    with suppress(NoAlerts):
        parse(document)


@given(st.lists(ALERT | JSON, max_size=6), JSON)
def test_every_alert_is_either_read_or_rejected(entries, anything):
    parsed = parse({"alerts": entries, "groupLabels": anything, "status": anything})

    indexes = [alert.received_index for alert in parsed.alerts]
    indexes += [refusal.index for refusal in parsed.rejected]
    assert sorted(indexes) == list(range(len(entries)))


@given(st.lists(ALERT, max_size=6))
def test_what_was_read_can_be_stored(entries):
    for alert in parse({"alerts": entries}).alerts:
        texts = [alert.fingerprint, alert.title, *alert.labels, *alert.annotations]
        texts += [*alert.labels.values(), *alert.annotations.values()]
        for text in texts:
            assert "\x00" not in text
            text.encode()


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1))
def test_the_same_labels_are_the_same_alert_in_every_payload(labels):
    again = json.loads(json.dumps(labels))

    assert parse_one(labels=labels).fingerprint == parse_one(labels=again).fingerprint
