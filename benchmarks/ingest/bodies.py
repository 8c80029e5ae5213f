"""What is sent: the bodies of a scenario, as Alertmanager writes them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

KNOWN_ALERTS = 2_000
HOT_ALERTS = 100
BEGAN = datetime(2026, 11, 2, 11, 0, 0)  # noqa: DTZ001 - written with a Z
NO_END = "0001-01-01T00:00:00Z"


@dataclass(frozen=True)
class Scenario:
    """A kind of traffic: the bodies, and which are sent once before the measurement."""

    name: str
    alerts_each: int
    bodies: Sequence[bytes]
    before: Sequence[bytes] = ()

    @property
    def is_known(self) -> bool:
        """Whether nothing in it is new."""
        return bool(self.before)


def instant(seconds: int) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat() + "Z"


def alert(name: str, began_s: int = 0, ended_s: int | None = None) -> dict[str, Any]:
    labels = {
        "alertname": "HostDiskAlmostFull",
        "severity": "critical",
        "instance": f"{name}.example:9100",
        "job": "node",
        "cluster": "north",
        "device": "/dev/sda1",
    }
    return {
        "status": "firing" if ended_s is None else "resolved",
        "labels": labels,
        "annotations": {
            "summary": f"The disk of {name} is almost full",
            "description": "Less than 3 % of /dev/sda1 is free, and it fills by 1 % an hour.",
            "runbook_url": "https://runbooks.example/disk",
        },
        "startsAt": instant(began_s),
        "endsAt": NO_END if ended_s is None else instant(ended_s),
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=disk_free",
        "fingerprint": sha256(json.dumps(labels).encode()).hexdigest()[:16],
    }


def webhook(alerts: Sequence[dict[str, Any]]) -> bytes:
    """Return the body of Alertmanager's webhook."""
    firing = any(each["status"] == "firing" for each in alerts)
    document = {
        "receiver": "incident-service",
        "status": "firing" if firing else "resolved",
        "alerts": alerts,
        "groupLabels": {"alertname": "HostDiskAlmostFull"},
        "commonLabels": {"alertname": "HostDiskAlmostFull", "severity": "critical"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": '{}/{severity="critical"}:{alertname="HostDiskAlmostFull"}',
        "truncatedAlerts": 0,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def api_v2(body: bytes) -> bytes:
    """Return the same alerts as clients post them to Alertmanager itself."""
    kept = ("labels", "annotations", "startsAt", "generatorURL")
    alerts = [{name: each[name] for name in kept} for each in json.loads(body)["alerts"]]
    return json.dumps(alerts, separators=(",", ":")).encode()


def in_groups(alerts: Sequence[dict[str, Any]], size: int) -> list[bytes]:
    return [webhook(alerts[start : start + size]) for start in range(0, len(alerts), size)]


def known(size: int) -> Scenario:
    """The same alerts over and over: the bulk of real traffic."""
    alerts = [alert(f"known-{number}") for number in range(max(KNOWN_ALERTS, size))]
    return Scenario("known", size, in_groups(alerts, size), before=in_groups(alerts, 100))


def hot(size: int) -> Scenario:
    """Few alerts, which everybody sends at the same time."""
    alerts = [alert(f"hot-{number}") for number in range(max(HOT_ALERTS, size))]
    return Scenario("hot keys", size, in_groups(alerts, size), before=in_groups(alerts, 100))


def all_new(size: int, most: int, run: str) -> Scenario:
    """Alerts that nobody has seen: each opens an incident and pages level 1."""
    alerts = [alert(f"new-{run}-{number}") for number in range(most)]
    return Scenario("all new", size, in_groups(alerts, size))


def mixed(size: int, most: int, run: str) -> Scenario:
    """Alerts that fire, are repeated and end, then fire again as another episode."""
    bodies = list(lives(size, most // size, run))
    return Scenario("mixed", size, bodies)


def lives(size: int, wanted: int, run: str) -> Iterator[bytes]:
    """Yield bodies of many groups in turns, so that those of one group are far apart."""
    groups = [[f"mixed-{run}-{group}-{each}" for each in range(size)] for group in range(64)]
    made = step = 0
    while made < wanted:
        began_s = step // 4 * 60
        ended_s = began_s + 30 if step % 4 == 3 else None
        for names in groups:
            yield webhook([alert(name, began_s, ended_s) for name in names])
            made += 1
        step += 1
