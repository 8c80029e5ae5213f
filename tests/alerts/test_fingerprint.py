from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.alerts.fingerprint import alert_key, group_key, key_for, labels_key, of_labels
from incident_service.alerts.incoming import IncomingAlert
from incident_service.catalog.models import Grouping

SENDER = UUID("018f0000-0000-7000-8000-000000000001")
OTHER_SENDER = UUID("018f0000-0000-7000-8000-000000000002")
LABELS = st.dictionaries(st.text(), st.text(), max_size=8)
NODE = {"alertname": "InstanceDown", "job": "prometheus", "code": "200", "severity": "critical"}


def incoming(**changes) -> IncomingAlert:
    fields: dict[str, Any] = {
        "fingerprint": "8a07086b74f3ba78",
        "firing": True,
        "starts_at": None,
        "ends_at": None,
        "labels": {"alertname": "DiskFull", "host": "db-1"},
        "annotations": {},
        "severity": None,
        "generator_url": "",
        "group_labels": {"cluster": "north"},
        "received_index": 0,
    }
    return IncomingAlert(**fields | changes)


# Computed by Alertmanager itself.
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        ({"alertname": "alert1", "lbl1": "val1"}, "fac0861a85de433a"),
        ({"alertname": "alert1", "lbl1": "val2"}, "fab6861a85d5eeb5"),
        ({"alertname": "test-alert", "severity": "warning"}, "41f99308f4b244ea"),
        (
            {"alertname": "DemoAlert", "server": "ni3", "severity": "critical"},
            "8a07086b74f3ba78",
        ),
        ({"alertname": "TestAlert", "instance": "Grafana"}, "57c6d9296de2ad39"),
        (
            NODE | {"instance": "127.0.0.1:9090", "monitor": "codelab-monitor"},
            "791cec13fcba0368",
        ),
        (NODE | {"instance": "localhost:9090", "monitor": "codelab-monitor"}, "8df98227bdd81384"),
        (
            {
                "job": "node",
                "group": "production",
                "instance": "localhost:8081",
                "severity": "critical",
                "alertname": "InstanceDown",
            },
            "f404ecabc8dd5cd7",
        ),
    ],
)
def test_labels_hash_as_in_alertmanager(labels, expected):
    assert of_labels(labels) == expected


@given(st.dictionaries(st.text(), st.text()).flatmap(lambda d: st.permutations(list(d.items()))))
def test_the_order_of_labels_does_not_matter(items):
    assert of_labels(dict(items)) == of_labels(dict(sorted(items)))


@given(LABELS, LABELS)
def test_different_labels_have_different_fingerprints(one, other):
    assert (of_labels(one) == of_labels(other)) == (one == other)


def test_a_name_and_its_value_do_not_run_into_each_other():
    assert of_labels({"ab": "c"}) != of_labels({"a": "bc"})


def test_unpaired_surrogates_have_a_fingerprint():
    assert len(of_labels({"name": "\ud800"})) == 16


def test_alerts_of_two_senders_never_share_an_incident_by_fingerprint():
    assert alert_key(SENDER, "a") != alert_key(OTHER_SENDER, "a")


def test_the_name_of_the_alert_belongs_to_the_key_of_its_group():
    assert group_key({"cluster": "north"}, "DiskFull") != group_key({"cluster": "north"}, "Slow")


def test_a_group_by_alertname_has_the_same_key_whether_named_twice_or_once():
    by_name = {"cluster": "north", "alertname": "DiskFull"}

    assert group_key(by_name, "DiskFull") == group_key({"cluster": "north"}, "DiskFull")


def test_a_missing_label_groups_like_an_empty_one():
    assert labels_key(["team"], {}) == labels_key(["team"], {"team": "", "host": "a"})


def test_the_order_of_chosen_labels_does_not_matter():
    labels = {"team": "a", "host": "b"}

    assert labels_key(["team", "host"], labels) == labels_key(["host", "team"], labels)


@pytest.mark.parametrize(
    ("grouping", "names", "group_labels", "expected"),
    [
        (Grouping.ALERT, [], {"cluster": "n"}, f"{SENDER}/8a07086b74f3ba78"),
        (Grouping.GROUP, [], {"cluster": "n"}, group_key({"cluster": "n"}, "DiskFull")),
        (Grouping.GROUP, [], {}, f"{SENDER}/8a07086b74f3ba78"),
        (Grouping.LABELS, ["host"], {"cluster": "n"}, labels_key(["host"], {"host": "db-1"})),
    ],
)
def test_a_service_chooses_what_shares_an_incident(grouping, names, group_labels, expected):
    alert = incoming(group_labels=group_labels)

    assert key_for(grouping, names, integration_id=SENDER, alert=alert) == expected
