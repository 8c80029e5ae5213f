from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incident_service.alerts.adapters.instants import is_go_zero, read
from incident_service.web.fields import FIRST_YEAR, LAST_YEAR

AUGUST = datetime(2020, 8, 8, 14, 32, 8, tzinfo=UTC)
JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2020-08-08T14:32:08Z", AUGUST),
        ("2020-08-08T14:32:08.326990857Z", AUGUST.replace(microsecond=326990)),
        ("2020-08-08T14:32:08.3269Z", AUGUST.replace(microsecond=326900)),
        ("2020-08-08T22:32:08+08:00", AUGUST),
        ("2020-08-08T12:32:08-02:00", AUGUST),
        ("2020-08-08T14:32:08.000+0000", AUGUST),
        ("2020-08-08t14:32:08z", AUGUST),
        ("2020-08-08 14:32:08", AUGUST),
        (" 2020-08-08T14:32:08Z\n", AUGUST),
        ("2020-08-08T14:32Z", AUGUST.replace(second=0)),
        ("2020-08-08", datetime(2020, 8, 8, tzinfo=UTC)),
        (1596897128, AUGUST),
        (1596897128.0, AUGUST),
        (1596897128000, AUGUST),
        ("1596897128", AUGUST),
        ("1596897128.5", AUGUST.replace(microsecond=500_000)),
        ("1596897128000", AUGUST),
    ],
)
def test_an_instant_is_read_however_it_is_written(written, expected):
    assert read(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "0000-12-31T23:00:00-01:00",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:00:00-05:00",
        "10000-01-01T00:00:00Z",
        "2020-02-30T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2020-01-01T00:00:00+25:00",
        "2020-01-01T00:00:00 tomorrow",
        "\u0662\u0660\u0662\u0660-01-01",
        "infinity",
        "5",
        "9" * 16,
        "9" * 5000,
        "2020-08-08T14:32:08." + "0" * 100_000 + "Z",
        "soon",
        "",
        None,
        True,
        5,
        -1,
        10**30,
        float("nan"),
        float("inf"),
        [],
        {},
    ],
)
def test_what_cannot_be_an_instant_is_none(written):
    assert read(written) is None


@given(JSON_SCALARS)
def test_nothing_makes_reading_fail(written):
    instant = read(written)

    assert instant is None or instant.tzinfo is UTC


@given(st.datetimes(timezones=st.just(UTC)), st.integers(min_value=-1439, max_value=1439))
def test_every_instant_survives_being_written_as_rfc_3339(instant, offset):
    assume(FIRST_YEAR < instant.year < LAST_YEAR)
    elsewhere = instant.astimezone(timezone(timedelta(minutes=offset)))

    assert read(elsewhere.isoformat()) == instant


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("0001-01-01T00:00:00Z", True),
        ("0001-01-01T08:05:43+08:05", True),
        ("0000-12-31T19:03:58-04:56", True),
        ("2020-08-08T14:32:08Z", False),
        ("", False),
        (None, False),
    ],
)
def test_the_unset_instant_of_go_is_known_in_any_time_zone(written, expected):
    assert is_go_zero(written) is expected
