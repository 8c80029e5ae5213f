"""Every operation that takes a span refuses one that ends before it begins, and says where."""

import pytest

LATE, EARLY = "2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z"


@pytest.mark.parametrize(
    ("path", "begins", "ends", "at_fault"),
    [
        ("incidents", "created_from", "created_before", "created_from"),
        ("alerts", "received_from", "received_before", "received_from"),
        ("audit-log", "since", "until", "since"),
        ("analytics", "from", "to", "from"),
        ("schedules/{schedule}/shifts", "from", "to", "to"),
        ("schedules/{schedule}/gaps", "from", "to", "to"),
    ],
)
@pytest.mark.parametrize("ends_at", [EARLY, LATE])
async def test_a_span_that_ends_before_it_begins_is_refused(
    api, stage, path, begins, ends, at_fault, ends_at
):
    body = {"team_id": str(stage.team.id), "name": "Primary", "time_zone": "UTC", "layers": []}
    made = await api.post("/v1/schedules", json=body)
    url = f"/v1/{path.format(schedule=made.json()['id'])}"

    answer = await api.get(url, params={begins: LATE, ends: ends_at})

    assert answer.status_code == 422
    assert answer.json()["code"] == "span_wrong"
    assert answer.json()["errors"][0]["pointer"] == f"/query/{at_fault}"
