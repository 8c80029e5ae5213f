"""Which verbs an incident allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.incidents.lifecycle import NotAllowedNow, Status, Verb, change

ALLOWED = {
    (Status.OPEN, Verb.ACKNOWLEDGE): Status.ACKNOWLEDGED,
    (Status.OPEN, Verb.UNACKNOWLEDGE): None,
    (Status.OPEN, Verb.RESOLVE): Status.RESOLVED,
    (Status.OPEN, Verb.REOPEN): None,
    (Status.OPEN, Verb.SNOOZE): Status.OPEN,
    (Status.OPEN, Verb.ESCALATE): Status.OPEN,
    (Status.OPEN, Verb.REASSIGN): Status.OPEN,
    (Status.OPEN, Verb.PRIORITIZE): Status.OPEN,
    (Status.ACKNOWLEDGED, Verb.PRIORITIZE): Status.ACKNOWLEDGED,
    (Status.ACKNOWLEDGED, Verb.ACKNOWLEDGE): None,
    (Status.ACKNOWLEDGED, Verb.UNACKNOWLEDGE): Status.OPEN,
    (Status.ACKNOWLEDGED, Verb.RESOLVE): Status.RESOLVED,
    (Status.ACKNOWLEDGED, Verb.ESCALATE): Status.OPEN,
    (Status.ACKNOWLEDGED, Verb.REASSIGN): Status.OPEN,
    (Status.RESOLVED, Verb.RESOLVE): None,
    (Status.RESOLVED, Verb.CLOSE): Status.CLOSED,
    (Status.RESOLVED, Verb.REOPEN): Status.OPEN,
    (Status.CLOSED, Verb.CLOSE): None,
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("verb", Verb)
def test_a_verb_does_what_the_table_says_or_is_refused(status, verb):
    if (status, verb) in ALLOWED:
        assert change(status, verb) == ALLOWED[status, verb]
    else:
        with pytest.raises(NotAllowedNow):
            change(status, verb)


def follow(status: Status, verbs: list[Verb]) -> list[Status]:
    seen = [status]
    for verb in verbs:
        try:
            seen.append(change(seen[-1], verb) or seen[-1])
        except NotAllowedNow:
            seen.append(seen[-1])
    return seen


@given(st.lists(st.sampled_from(Verb)))
def test_nothing_leads_out_of_closed(verbs):
    assert set(follow(Status.CLOSED, verbs)) == {Status.CLOSED}


@given(st.lists(st.sampled_from(Verb)))
def test_a_life_only_ends_by_being_resolved_first(verbs):
    seen = follow(Status.OPEN, verbs)

    if Status.CLOSED in seen:
        assert seen[seen.index(Status.CLOSED) - 1] is Status.RESOLVED


@given(st.sampled_from(Status), st.sampled_from(Verb))
def test_doing_it_twice_is_doing_it_once(status, verb):
    try:
        once = change(status, verb) or status
    except NotAllowedNow:
        return
    if verb in (Verb.SNOOZE, Verb.ESCALATE, Verb.REASSIGN, Verb.PRIORITIZE):
        return  # what these ask for is more than a status

    assert change(once, verb) is None
