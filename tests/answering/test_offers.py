from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOON

from incident_service.answering.offers import LIFETIME, is_expired, offered
from incident_service.incidents.lifecycle import Status, Verb, change

STATUSES = st.sampled_from(Status)


@given(STATUSES, st.booleans())
def test_what_is_offered_can_be_done(status, is_same_climb):
    for verb in offered(status, is_same_climb=is_same_climb):
        assert change(status, verb) is not None


@given(st.booleans())
def test_an_open_incident_can_always_be_acknowledged(is_same_climb):
    assert Verb.ACKNOWLEDGE in offered(Status.OPEN, is_same_climb=is_same_climb)


@given(STATUSES)
def test_another_climb_can_only_be_acknowledged(status):
    assert offered(status, is_same_climb=False) <= {Verb.ACKNOWLEDGE}


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_nothing_is_offered_about_what_is_over(status):
    assert offered(status, is_same_climb=True) == frozenset()


@given(st.lists(STATUSES), st.timedeltas(timedelta(0), LIFETIME))
def test_a_link_lives_for_thirty_days_at_least(statuses, age):
    assert not is_expired(NOON, statuses, NOON + age)


@given(st.lists(STATUSES), st.timedeltas(LIFETIME + timedelta(seconds=1), timedelta(days=9999)))
def test_an_older_link_lives_as_long_as_an_incident_of_its_page(statuses, age):
    is_over = not any(status.is_active for status in statuses)

    assert is_expired(NOON, statuses, NOON + age) == is_over
