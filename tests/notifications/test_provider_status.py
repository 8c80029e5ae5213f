import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.notifications.provider_status import (
    FAILURES,
    STATUSES,
    Tried,
    got_nowhere,
    in_words,
    is_failure,
    moves_on,
)
from incident_service.teams.models import Channel

SMS, VOICE = Channel.SMS, Channel.VOICE
anything = st.sampled_from(sorted({each for known in STATUSES.values() for each in known}))
reports = st.lists(anything | st.text(max_size=8), max_size=12)
channels = st.sampled_from([SMS, VOICE])


def after(channel: Channel, said: list[str]) -> str | None:
    """Return what an attempt's status is once all of this has been said of it."""
    status: str | None = None
    for each in said:
        if moves_on(channel, status, each):
            status = each
    return status


@given(channels, reports, st.data())
def test_in_whatever_order_and_however_often_reports_come_the_end_is_the_same(channel, said, data):
    again = data.draw(st.lists(st.sampled_from(said), max_size=6)) if said else []
    shuffled = data.draw(st.permutations([*said, *again]))

    assert after(channel, shuffled) == after(channel, said)


@given(channels, reports)
def test_80_a_status_never_goes_back(channel, said):
    known = STATUSES[channel]
    statuses = [after(channel, said[:count]) for count in range(len(said) + 1)]
    places = [-1 if status is None else known.index(status) for status in statuses]

    assert places == sorted(places)


@given(channels, st.none() | anything, st.text(max_size=12))
def test_an_unknown_word_changes_nothing(channel, before, word):
    assert word in STATUSES[channel] or not moves_on(channel, before, word)


@given(anything)
def test_only_messages_and_calls_are_reported(word):
    assert not moves_on(Channel.WEBHOOK, None, word)


def test_a_status_of_a_later_release_gives_way():
    assert moves_on(SMS, "teleported", "sent")


@pytest.mark.parametrize(
    ("channel", "end"),
    [(SMS, "undelivered"), (SMS, "failed"), (VOICE, "busy"), (VOICE, "no-answer")],
)
def test_nothing_is_said_after_a_failure(channel, end):
    under_way = [each for each in STATUSES[channel] if each not in FAILURES]

    assert [each for each in under_way[:4] if moves_on(channel, end, each)] == []


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([Tried(True, "undelivered")], True),
        ([Tried(True, None)], False),
        ([Tried(True, "sent")], False),
        ([Tried(False, None), Tried(True, "failed")], True),
        ([Tried(True, "delivered"), Tried(True, "failed")], False),
        ([Tried(None, None), Tried(True, "failed")], True),
    ],
    ids=[
        "its only attempt failed",
        "nothing was said",
        "it is on its way",
        "one was never taken",
        "another one is there",
        "one was lost",
    ],
)
def test_a_page_got_nowhere_when_no_attempt_may_still_be_through(attempts, expected):
    assert got_nowhere(attempts) is expected


def test_an_answer_that_was_lost_does_not_hide_a_message_that_came():
    assert not got_nowhere([Tried(False, "delivered"), Tried(True, "undelivered")])


def test_the_words_name_the_error():
    assert in_words("undelivered", "30003") == "Twilio says undelivered (error 30003)"
    assert in_words("no-answer", None) == "Twilio says no-answer"


def test_silence_is_no_failure():
    assert not is_failure(None)
