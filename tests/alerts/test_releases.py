"""What each release of Alertmanager sends is stored in full, and so is its notifier with version 1.

0.16 has no fingerprint, 0.19 has; 0.21 says what was cut off; 0.27 has names of any UTF-8; 0.32
says why it sends, and 0.34 which labels the route has.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.alerts.vectors.table import PATH

PAYLOADS = Path(__file__).parent / "payloads"
PROXY, CACHE, NAMED = "1d6d085e16f4a03c", "2f2beebdfd79b729", "136c7ecb3bf32bb5"
FIRED, ENDED = ("firing", None), "resolved"


def at(year: int, month: int, day: int, *time: int) -> datetime:
    hour, minute, second, microsecond = (*time, 0, 0, 0, 0)[:4]
    return datetime(year, month, day, hour, minute, second, microsecond, UTC)


STORED: dict[str, list[tuple[Any, ...]]] = {
    "release_0_16": [(PROXY, "page", at(2019, 1, 17, 21, 14, 5, 118930), *FIRED)],
    "release_0_19": [
        (PROXY, "page", at(2019, 9, 3, 8, 0, 41, 500_000), *FIRED),
        (
            CACHE,
            "warning",
            at(2019, 9, 3, 8, 0, 41, 500_000),
            ENDED,
            at(2019, 9, 3, 8, 21, 41, 500_000),
        ),
    ],
    "release_0_21": [(PROXY, "page", at(2020, 6, 17, 8, 3, 12), *FIRED)],
    "release_0_27": [(NAMED, "critical", at(2024, 3, 1), *FIRED)],
    "release_0_32": [(PROXY, "page", at(2026, 3, 2, 1, 2, 3, 400_000), *FIRED)],
    "release_0_34": [
        (CACHE, "warning", at(2026, 8, 21, 23, 59, 59, 999_999), ENDED, at(2026, 8, 22, 0, 10)),
    ],
    "version_1_cut_to_one_alert": [
        (PROXY, "page", at(2026, 8, 21, 23, 59, 59, 999_999), *FIRED),
    ],
}


@pytest.mark.parametrize("name", STORED)
async def test_the_body_of_a_release_is_stored_in_full(sender, stage, name):
    body = (PAYLOADS / f"{name}.json").read_bytes()

    answer = await sender.post(PATH, content=body)

    stored = sorted(await stage.alerts(), key=lambda row: row.fingerprint)
    assert answer.status_code == 202
    assert [
        (row.fingerprint, row.severity, row.starts_at, row.status, row.ends_at) for row in stored
    ] == STORED[name]
    assert all(row.title == row.annotations["summary"] for row in stored)
    assert all(" & others" in row.title for row in stored)
    firing = [row for row in stored if row.status == "firing"]
    assert len(await stage.incidents()) == len(firing)


async def test_names_of_any_utf_8_are_stored_as_they_are(sender, stage):
    await sender.post(PATH, content=(PAYLOADS / "release_0_27.json").read_bytes())

    (stored,) = await stage.alerts()
    assert stored.labels["service name"] == "proxy 🚨"
    assert stored.labels["k8s.cluster.name"] == "eu-3"


async def test_an_upgrade_of_alertmanager_makes_no_new_incident(sender, stage):
    """The fingerprint that 0.16 does not send is the one that later releases do."""
    old = (PAYLOADS / "release_0_16.json").read_bytes()
    start = b'"startsAt":"2019-01-17T21:14:05.118930264Z"'
    new = (PAYLOADS / "release_0_32.json").read_bytes()
    new = new.replace(b'"startsAt":"2026-03-02T01:02:03.4Z"', start)

    await sender.post(PATH, content=old)
    answer = await sender.post(PATH, content=new)

    assert answer.json()["results"][0]["outcome"] == "repeated"
