import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.grouping import GroupingLabelsWrong, labels_for
from incident_service.catalog.models import Grouping

label_lists = st.lists(st.sampled_from(["cluster", "job", "zone"]), max_size=4)


@pytest.mark.parametrize(
    ("grouping", "sent", "present", "kept"),
    [
        (Grouping.ALERT, None, [], []),
        (Grouping.ALERT, [], [], []),
        (Grouping.GROUP, None, ["job"], []),
        (Grouping.LABELS, ["job"], [], ["job"]),
        (Grouping.LABELS, None, ["job"], ["job"]),
        (Grouping.LABELS, ["job", "zone", "job"], ["x"], ["job", "zone"]),
    ],
)
def test_labels_are_kept_where_they_mean_something(grouping, sent, present, kept):
    assert labels_for(grouping, sent, present) == kept


@pytest.mark.parametrize(
    ("grouping", "sent", "present"),
    [
        (Grouping.LABELS, None, []),
        (Grouping.LABELS, [], ["job"]),
        (Grouping.ALERT, ["job"], []),
        (Grouping.GROUP, ["job"], ["job"]),
    ],
)
def test_labels_that_do_not_suit_the_grouping_are_refused(grouping, sent, present):
    with pytest.raises(GroupingLabelsWrong):
        labels_for(grouping, sent, present)


@given(st.sampled_from(Grouping), st.none() | label_lists, label_lists)
def test_labels_are_kept_exactly_when_grouping_by_labels(grouping, sent, present):
    try:
        kept = labels_for(grouping, sent, present)
    except GroupingLabelsWrong:
        return

    assert bool(kept) == (grouping is Grouping.LABELS)
    assert len(set(kept)) == len(kept)
