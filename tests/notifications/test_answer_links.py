"""A link names its page, and only who has a key can have made it."""

from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.notifications.answer_links import AnswerLinks, make_links
from incident_service.settings import Settings

KEY = "k" * 32
LINKS = AnswerLinks([KEY], "https://oncall.example")
KNOWN = UUID("019a4b2e-8d10-7c3a-9f21-5d0e6c7b8a91")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\x00é"


@given(st.uuids())
def test_a_link_names_its_page(page_id):
    assert LINKS.find_page_id(LINKS.token(page_id)) == page_id


@given(st.uuids())
def test_a_link_is_short_and_of_letters_that_every_phone_takes_for_a_link(page_id):
    token = LINKS.token(page_id)

    assert len(token) == 45
    assert token[-1].isalpha()
    assert LINKS.url(page_id) == f"https://oncall.example/a/{token}"


@given(st.text(max_size=60))
def test_what_nobody_signed_is_refused(anything):
    assert LINKS.find_page_id(anything) is None


@given(st.uuids(), st.integers(0, 44), st.sampled_from(ALPHABET))
def test_a_link_with_any_other_character_is_refused(page_id, place, character):
    token = LINKS.token(page_id)
    assume(token[place] != character)

    assert LINKS.find_page_id(token[:place] + character + token[place + 1 :]) is None


@given(st.uuids(), st.integers(0, 44))
def test_a_truncated_link_is_refused(page_id, length):
    assert LINKS.find_page_id(LINKS.token(page_id)[:length]) is None


@given(st.uuids(), st.text(ALPHABET, min_size=1, max_size=5))
def test_a_link_with_something_added_is_refused(page_id, more):
    token = LINKS.token(page_id)

    assert LINKS.find_page_id(token + more) is None
    assert LINKS.find_page_id(more + token) is None


@given(st.uuids(), st.uuids())
def test_a_signature_fits_one_page_only(mine, others):
    assume(mine != others)
    forged = LINKS.token(others).split(".")[0] + "." + LINKS.token(mine).split(".")[1]

    assert LINKS.find_page_id(forged) is None


@given(st.uuids(), st.text(min_size=32).filter(lambda key: key != KEY))
def test_another_key_signs_nothing_of_ours(page_id, key):
    assert LINKS.find_page_id(AnswerLinks([key], "").token(page_id)) is None


def test_a_key_that_is_replaced_is_still_read_and_no_longer_signs():
    renewed = AnswerLinks(["n" * 32, KEY], "")

    assert renewed.find_page_id(LINKS.token(KNOWN)) == KNOWN
    assert LINKS.find_page_id(renewed.token(KNOWN)) is None


def test_without_a_key_there_are_no_links():
    assert make_links(Settings(_env_file=None)) is None


def test_keys_are_given_with_commas_the_newest_first():
    settings = Settings(_env_file=None, secret_key=f"{'n' * 32}, {KEY}")
    links = make_links(settings)

    assert links
    assert links.token(KNOWN) == AnswerLinks(["n" * 32], "").token(KNOWN)
    assert links.find_page_id(LINKS.token(KNOWN)) == KNOWN


@pytest.mark.parametrize("keys", ["short", f"{KEY},short"])
def test_a_short_key_is_refused_in_words_that_do_not_repeat_it(keys):
    with pytest.raises(CannotRun, match=r"SECRET_KEY: .* at least 32 characters") as refused:
        load_settings(_env_file=None, secret_key=keys)

    assert "short" not in str(refused.value)
