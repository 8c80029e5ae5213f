from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import NOON

from incident_service.catalog.priority import Priority
from incident_service.notifications.spacing import MEMORY, SPACING, EarlierPage, next_page_at

priorities = st.sampled_from(list(Priority))
pages = st.builds(
    EarlierPage,
    created_at=st.timedeltas(timedelta(0), timedelta(minutes=20)).map(lambda ago: NOON - ago),
    priority=priorities,
)


@given(priorities)
def test_the_first_page_goes_at_once(priority):
    assert next_page_at(priority, [], NOON) == NOON


@given(priorities, st.lists(pages))
def test_a_page_waits_for_the_spacing_at_most(priority, earlier):
    assert NOON <= next_page_at(priority, earlier, NOON) <= NOON + SPACING


@given(priorities, st.lists(pages, min_size=1))
def test_a_page_that_waited_is_a_spacing_after_the_last_one(priority, earlier):
    at = next_page_at(priority, earlier, NOON)

    assert at == NOON or at == max(page.created_at for page in earlier) + SPACING


@given(priorities, st.lists(pages))
def test_once_it_has_waited_a_page_may_go(priority, earlier):
    at = next_page_at(priority, earlier, NOON)

    assert next_page_at(priority, earlier, at) == at


@given(st.lists(pages))
def test_only_what_outranks_the_last_minutes_goes_before_its_time(earlier):
    just_sent = [page for page in earlier if page.created_at > NOON - SPACING]
    recent = [page.priority for page in earlier if page.created_at > NOON - MEMORY]

    for priority in Priority:
        waits = next_page_at(priority, earlier, NOON) > NOON
        outranks_all = all(priority.outranks(other) for other in recent)
        assert waits == (bool(just_sent) and not outranks_all)


def test_a_critical_page_does_not_wait_for_a_high_one():
    earlier = [EarlierPage(NOON - timedelta(seconds=3), Priority.HIGH)]

    assert next_page_at(Priority.CRITICAL, earlier, NOON) == NOON


def test_a_second_critical_page_waits_though_the_last_one_was_low():
    earlier = [
        EarlierPage(NOON - timedelta(minutes=4), Priority.CRITICAL),
        EarlierPage(NOON - timedelta(seconds=10), Priority.LOW),
    ]

    assert next_page_at(Priority.CRITICAL, earlier, NOON) == NOON + timedelta(seconds=20)
