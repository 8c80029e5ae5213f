"""Rows of the tables in this folder: one input, the status it gets, and what it leaves behind.

Each row has a number that stays: T transport, A authentication, J JSON, E envelope, F identity,
D dates, X texts and sizes, L lifecycle. Left out are protocols that are not spoken here: signed
bodies (A7), keys of another product (a part of A4), Grafana before its unified alerting (E12), the
address for other bodies than Alertmanager's (a part of J4), HTTP/2 (a part of T20); and what the
service does not do yet: flapping, maintenance windows, raised severities of a known alert,
heartbeats (L10, L11, L13, L14).

What could only be stored after a repair is stored without a word about it: the answer has no
warnings. Neither the receiver, the group's key, nor the version is stored: nothing here needs them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs
from tests.fakes import NOON
from tests.stage import Stage

from incident_service.alerts.models import Alert, RejectedAlert

PATH = "/v1/ingest/alertmanager"
MOST_OF_AN_ERROR = 1024
STARTED = datetime(2026, 11, 2, 11, 59, tzinfo=UTC)
NOW = NOON


def alert(**changes: Any) -> dict[str, Any]:
    """A firing alert as Alertmanager writes it, with some fields changed; `...` takes one out."""
    fields = {
        "status": "firing",
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "annotations": {"summary": "The disk is full"},
        "startsAt": "2026-11-02T11:59:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "7235c181ae0a2582",
    } | changes
    return {name: value for name, value in fields.items() if value is not ...}


def webhook(*alerts: Any, **around: Any) -> bytes:
    """The body of a webhook with these alerts, or with the usual one."""
    document = {
        "version": "4",
        "status": "firing",
        "receiver": "oncall",
        "groupKey": '{}:{alertname="DiskFull"}',
        "groupLabels": {"alertname": "DiskFull"},
        "alerts": list(alerts) or [alert()],
    } | around
    kept = {name: value for name, value in document.items() if value is not ...}
    return json.dumps(kept).encode()


def with_bytes(old: str, new: str | bytes) -> bytes:
    """The usual webhook, in which something else stands in place of a text."""
    body = webhook()
    assert old.encode() in body
    return body.replace(old.encode(), new if isinstance(new, bytes) else new.encode())


GOOD = webhook()


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row. What is refused leaves nothing behind, what is taken one firing alert.

    `alert` holds columns of that alert, `says` a part of what a refusal says.
    """

    name: str
    body: bytes = GOOD
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH
    status: int = 202
    alerts: int | None = None
    incidents: int | None = None
    rejected: int = 0
    alert: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""

    @property
    def effect(self) -> dict[str, int]:
        """How many rows there are afterwards."""
        alerts = int(self.status == 202) if self.alerts is None else self.alerts
        incidents = alerts if self.incidents is None else self.incidents
        return {"alerts": alerts, "incidents": incidents, "rejected_alerts": self.rejected}

    async def holds(self, client: httpx.AsyncClient, stage: Stage) -> httpx.Response:
        """Send it, and look at the answer and into the database."""
        with capture_logs() as logs:
            answer = await client.request(
                self.method,
                self.path.replace("{key}", stage.key),
                content=self.body,
                headers=[(name.encode(), value.encode()) for name, value in self.headers.items()],
            )

        assert answer.status_code == self.status, answer.text
        require_few_words(answer)
        assert self.says in answer.text
        assert await counted(stage) == self.effect
        for name, value in self.alert.items():
            assert getattr((await stage.alerts())[-1], name) == value, name
        assert [line for line in logs if line["log_level"] in ("error", "critical")] == []
        return answer


def row(name: str, body: bytes = GOOD, **others: Any) -> Row:
    """A webhook that is taken, unless it says otherwise."""
    return Row(name=name, body=body, **others)


def refused(name: str, status: int, body: bytes = GOOD, **others: Any) -> Row:
    """A webhook that is refused."""
    return Row(name=name, body=body, status=status, **others)


def table(*rows: Row) -> Callable[..., Any]:
    """Run a test once a row."""
    names = [each.name for each in rows]
    assert len(set(names)) == len(names), "two rows have one name"
    return pytest.mark.parametrize("row", rows, ids=names)


def require_few_words(answer: httpx.Response) -> None:
    """An error is a problem in at most 1 KiB, never a redirect, never our fault."""
    assert answer.status_code == 202 or answer.status_code >= 400
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.content) <= MOST_OF_AN_ERROR


async def counted(stage: Stage) -> dict[str, int]:
    """Count what is in the database."""
    return {
        "alerts": len(await stage.rows(select(Alert.id))),
        "incidents": len(await stage.incidents()),
        "rejected_alerts": len(await stage.rows(select(RejectedAlert.id))),
    }
