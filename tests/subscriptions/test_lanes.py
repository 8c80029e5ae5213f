"""How the lanes are shared."""

from hypothesis import given
from hypothesis import strategies as st

from incident_service.core.ids import new_id
from incident_service.subscriptions.lanes import LANES, LANES_EACH, Demand, share

demands = st.lists(
    st.builds(
        lambda deliveries, is_failing: Demand(new_id(), deliveries, is_failing),
        st.integers(1, 100),
        st.booleans(),
    ),
    max_size=60,
)


@given(demands, st.integers(0, LANES))
def test_lanes_are_bounded_and_the_failing_leave_half_of_them(wanted, busy):
    opened = share(wanted, {new_id(): busy})

    failing = sum(opened.get(each.subscription_id, 0) for each in wanted if each.is_failing)
    assert busy + sum(opened.values()) <= max(LANES, busy)
    assert failing <= max(LANES // 2 - busy, 0)
    for each in wanted:
        most = 1 if each.is_failing else LANES_EACH
        assert opened.get(each.subscription_id, 0) <= min(most, each.deliveries)


@given(demands)
def test_nobody_gets_a_second_lane_before_all_who_may_have_a_first(wanted):
    opened = share(wanted, {})

    healthy = [opened.get(each.subscription_id, 0) for each in wanted if not each.is_failing]
    assert max(healthy, default=0) <= 1 or min(healthy) >= 1


def test_lanes_that_are_busy_count():
    demand = Demand(new_id(), 9, is_failing=False)

    assert share([demand], {demand.subscription_id: 3}) == {demand.subscription_id: 1}
    assert share([demand], {demand.subscription_id: LANES_EACH}) == {}
