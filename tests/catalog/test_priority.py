import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.catalog.priority import BY_WORD, Priority, highest, of_severity

priorities = st.sampled_from(Priority)


@pytest.mark.parametrize(
    ("words", "priority"),
    [
        ("critical page emergency fatal p1", Priority.CRITICAL),
        ("high error p2", Priority.HIGH),
        ("medium warning warn p3", Priority.MEDIUM),
        ("low p4", Priority.LOW),
        ("info none debug p5", Priority.INFO),
    ],
)
def test_the_words_that_senders_use_are_known(words, priority):
    assert {of_severity(word, {}) for word in words.split()} == {priority}


@pytest.mark.parametrize("severity", [None, "", "  ", "sev1", "catastrophic"])
def test_unknown_or_absent_text_is_medium(severity):
    assert of_severity(severity, {}) is Priority.MEDIUM


@given(st.sampled_from(sorted(BY_WORD)), st.sampled_from([str.upper, str.title, str.swapcase]))
def test_case_and_outer_spaces_do_not_matter(word, spelled):
    assert of_severity(f" {spelled(word)}\t", {}) is BY_WORD[word]


@given(st.text(), priorities)
def test_a_services_own_map_wins(severity, priority):
    overrides = {severity.strip().lower(): priority.value}

    assert of_severity(severity, overrides) is priority


@given(st.text(), st.dictionaries(st.text(), priorities.map(str)))
def test_every_text_has_a_priority(severity, overrides):
    assert of_severity(severity, overrides) in Priority


@given(priorities, priorities)
def test_of_two_priorities_one_outranks_unless_they_are_equal(one, other):
    assert one.outranks(other) + other.outranks(one) + (one is other) == 1


@given(st.lists(priorities, min_size=1))
def test_nothing_outranks_the_highest(some):
    top = highest(*some)

    assert top in some
    assert not any(priority.outranks(top) for priority in some)


def test_priorities_run_from_critical_to_info():
    assert sorted(Priority, key=lambda priority: priority.rank) == [
        Priority.CRITICAL,
        Priority.HIGH,
        Priority.MEDIUM,
        Priority.LOW,
        Priority.INFO,
    ]
