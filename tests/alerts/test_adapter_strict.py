"""The shortcut reads what the long way reads, or nothing."""

import json
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from tests.alerts.strategies import mutated, odd_webhooks, webhooks

from incident_service.alerts import lenient_json
from incident_service.alerts.adapters import alertmanager, strict
from incident_service.alerts.incoming import Parsed
from incident_service.alerts.limits import DEFAULT, Limits

FEW = Limits(labels=2)


def as_written(document: Any) -> bytes:
    return json.dumps(document).encode()


def the_long_way(data: bytes, limits: Limits = DEFAULT) -> Parsed:
    return alertmanager.parse(lenient_json.loads(data, limits.depth), limits)


def require_the_same(data: bytes, limits: Limits = DEFAULT) -> None:
    found = strict.read(data, limits)
    event("read by the shortcut" if found else "left to the long way")
    if found is not None:
        assert found == the_long_way(data, limits)


@given(webhooks(), st.sampled_from([DEFAULT, FEW]))
def test_what_alertmanager_may_write_is_read_the_same(document, limits):
    require_the_same(as_written(document), limits)


@given(webhooks() | odd_webhooks(), st.sampled_from([None, 1]))
def test_also_when_nothing_is_escaped(document, indent):
    text = json.dumps(document, ensure_ascii=False, indent=indent)

    require_the_same(text.encode("utf-8", "surrogatepass"))


@given(odd_webhooks())
def test_also_when_it_holds_anything(document):
    require_the_same(as_written(document))


@given(mutated(webhooks().map(as_written)))
def test_also_when_it_was_damaged_on_the_way(data):
    require_the_same(data)


def test_what_alertmanager_writes_takes_the_shortcut():
    document = {
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "A", "unit": "°C"},
                "annotations": {},
                "startsAt": "2026-11-02T11:59:00Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": "7235c181ae0a2582",
            }
        ],
        "groupLabels": {},
        "truncatedAlerts": 0,
    }

    assert strict.read(as_written(document), DEFAULT) == the_long_way(as_written(document))
