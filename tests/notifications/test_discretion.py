"""What a provider repeats of what it was sent is not shown, nor is a part of it."""

import json
from html import escape
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.notifications.channels.contract import DeliveryFailed
from incident_service.notifications.channels.secrets import secrets_of
from incident_service.notifications.discretion import excerpt, hiding
from incident_service.notifications.notes import CODE, TEST, code_in
from incident_service.settings import Settings
from incident_service.teams.models import Channel

SLACK = "https://hooks.slack.example/services/T00000000/B00000000/XXXXYYYYZZZZWWWWVVVVUUUU"
TOKEN = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
LINK = "https://incidents.example/a/" + "t" * 22 + "." + "s" * 22
ADDRESSES = [
    (Channel.SMS, "+15558675310"),
    (Channel.EMAIL, "first@example.org"),
    (Channel.NTFY, "a-topic-that-nobody-guesses"),
    (Channel.NTFY, "on"),
    (Channel.TELEGRAM, "-1001234567890"),
    (Channel.TELEGRAM, "1234"),
    (Channel.SLACK, SLACK),
    (Channel.WEBHOOK, "https://pager.example/hook?key=a'b&c=d"),
]
each_address = pytest.mark.parametrize(("kind", "address"), ADDRESSES)
spelled = pytest.mark.parametrize(
    "spell",
    [
        str,
        str.upper,
        lambda address: quote(address, safe=""),
        escape,
        lambda address: json.dumps(address).replace("/", "\\/"),
    ],
    ids=["as it is", "upper case", "in a URL", "in HTML", "in JSON"],
)


@each_address
@spelled
def test_an_address_is_hidden_however_it_is_written(kind, address, spell):
    said = hiding(kind, address, [])(f"Nobody has <{spell(address)}>.")

    assert spell(address).lower().strip('"') not in said.lower()
    assert said.startswith("Nobody has <")


def test_its_reader_still_knows_which_address_it_is():
    hide = hiding(Channel.EMAIL, "first@example.org", [])

    assert hide("550 <first@example.org>: unknown") == "550 <f…@example.org>: unknown"


@pytest.mark.parametrize(
    "said",
    [
        "POST /services/T00000000/B00000000/XXXXYYYYZZZZWWWWVVVVUUUU: 404",
        "no such hook: XXXXYYYYZZZZWWWWVVVVUUUU",
        "hooks.slack.example/services/T00000000/B00000000/XXXXYYYYZZZZWWWWVVVVUUUU",
    ],
)
def test_the_secret_parts_of_a_url_are_hidden_too(said):
    assert "XXXX" not in hiding(Channel.SLACK, SLACK, [])(said)


@pytest.mark.parametrize(
    ("kind", "address", "said"),
    [
        (Channel.SMS, "+15558675310", "'15558675310' is no number"),
        (Channel.TELEGRAM, "-1001234567890", "chat 1001234567890 not found"),
    ],
)
def test_a_number_is_hidden_without_its_sign(kind, address, said):
    assert address[1:] not in hiding(kind, address, [])(said)


def test_a_short_address_is_no_part_of_a_word():
    assert hiding(Channel.NTFY, "on", [])("not on, only") == "not ***, only"


@pytest.mark.parametrize("address", ["ops", "terminal"])
def test_names_that_are_no_secret_are_shown(address):
    kind = Channel.APPRISE if address == "ops" else Channel.CONSOLE

    assert hiding(kind, address, [])(f"{address} failed") == f"{address} failed"


@given(st.integers(0, 400), st.sampled_from([SLACK, TOKEN, LINK]))
def test_a_text_is_cut_only_after_its_secrets_are_gone(before, secret):
    failure = DeliveryFailed("It answered 400", said="." * before + f" {secret} …", more="(1)")

    said = str(failure.hiding(hiding(Channel.SLACK, SLACK, [TOKEN])))

    windows = [secret[start : start + 8] for start in range(30, len(secret) - 8)]
    assert not [window for window in windows if window in said]
    assert said.endswith(" (1)")


@given(st.integers(0, 400))
def test_an_excerpt_has_no_part_of_a_link(before):
    assert "ttt" not in excerpt("." * before + f" {LINK}", 120)


def test_a_code_is_found_in_the_note_that_tells_it():
    assert code_in(CODE.format(code="K7MPQ2XA")) == "K7MPQ2XA"
    assert code_in(TEST) == code_in(None) == ""


def test_the_secrets_of_the_settings_are_those_that_providers_are_sent():
    settings = Settings(
        _env_file=None,
        smtp_url="smtp://me:pass%40word@mail.example.org",
        ntfy_url="https://me:tk_ntfy@ntfy.example.org",
        telegram_bot_token=TOKEN,
        twilio_auth_token="hushhush",
        apprise_urls="ops=json://me:hidden@host office=json://host",
        secret_key="a" * 32 + "," + "b" * 32,
    )

    assert secrets_of(settings) >= {
        "pass%40word", "pass@word", "tk_ntfy", TOKEN, "hushhush", "json://me:hidden@host", "a" * 32,
    }  # fmt: skip
    assert "" not in secrets_of(settings)


def test_a_url_that_cannot_be_read_keeps_no_worker_from_starting():
    assert secrets_of(Settings(_env_file=None, ntfy_url="http://[")) == frozenset()
