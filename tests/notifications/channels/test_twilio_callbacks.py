"""Twilio's signatures. The vectors are those of its own libraries' tests, or made by them.

Source: https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py
"""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.notifications.channels.twilio_callbacks import (
    TwilioCallbacks,
    is_reachable,
    make_callbacks,
)
from incident_service.settings import Settings

CALLBACKS = TwilioCallbacks("https://pages.example", "12345")
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
FIELDS = [
    ("To", "+18005551212"),
    ("Digits", "1234"),
    ("CallSid", "CA1234567890ABCDE"),
    ("From", "+14158675309"),
    ("Caller", "+14158675309"),
]
SIGNATURE = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
PAGE_ID = UUID("019a4b2e-8d10-7c3a-9f21-5d0e6c7b8a91")


def test_a_signature_of_twilios_is_known():
    assert CALLBACKS.is_signed(URL, FIELDS, SIGNATURE)


@given(st.permutations(FIELDS))
def test_the_order_of_the_fields_does_not_matter(fields):
    assert CALLBACKS.is_signed(URL, fields, SIGNATURE)


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        (URL.replace(".com", ".com:443"), SIGNATURE),
        (URL.replace(".com", ".com:1234"), SIGNATURE),
        (URL.replace(".com", ".com:1234"), "CYn1h0gLBdNxDGkKJg6hYohgeD8="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http"), "0ZXoZLH/DfblKGATFgpif+LLRf4="),
    ],
)
def test_a_port_may_be_signed_or_not(url, signature):
    assert CALLBACKS.is_signed(url, FIELDS, signature)


@pytest.mark.parametrize(
    "changed",
    [
        {"url": URL + "&baz=3"},
        {"url": URL.replace("https", "http")},
        {"fields": [*FIELDS, ("More", "")][:-2]},
        {"fields": [*FIELDS, ("More", "x")]},
        {"signature": ""},
        {"signature": SIGNATURE.lower()},
        {"signature": SIGNATURE + "="},
        {"signature": "é" * 28},
        {"token": "12346"},
    ],
    ids=str,
)
def test_whatever_is_changed_is_noticed(changed):
    signed = {"url": URL, "fields": FIELDS, "signature": SIGNATURE, "token": "12345"} | changed
    callbacks = TwilioCallbacks("https://pages.example", str(signed.pop("token")))

    assert not callbacks.is_signed(**signed)


def test_fields_that_come_twice_and_empty_ones_are_signed_too():
    fields = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]

    assert CALLBACKS.is_signed(URL, fields, "IK+Dwps556ElfBT0I3Rgjkr1wJU=")
    assert CALLBACKS.is_signed(URL, [*fields, ("Digits", "1234")], "IK+Dwps556ElfBT0I3Rgjkr1wJU=")


def test_an_address_names_the_page_and_the_attempt():
    url = CALLBACKS.url(PAGE_ID, 2)

    assert url == f"https://pages.example/v1/callbacks/twilio/{PAGE_ID}/2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://pages.example", True),
        ("https://pages.example/", True),
        ("http://pages.example:8080/pager", True),
        ("https://93.184.215.14", True),
        ("https://[2606:2800:21f:cb07::1]:8443", True),
        ("", False),
        ("pages.example", False),
        ("ftp://pages.example", False),
        ("http://localhost:8080", False),
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("https://10.0.0.7", False),
        ("https://pager", False),
        ("https://pager.local", False),
        ("https://on_call.example", False),
        ("https://user:password@pages.example", False),
        ("https://pages.example?x=1", False),
        ("https://pages.example:port", False),
        ("https://[pages", False),
    ],
)
def test_reports_are_asked_for_where_twilio_can_bring_them(url, expected):
    assert is_reachable(url) is expected


@given(st.text())
def test_no_text_breaks_the_look_at_an_address(url):
    is_reachable(url)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (
            {"public_url": "https://pages.example/", "twilio_auth_token": "12345"},
            "https://pages.example",
        ),
        (
            {"public_url": "https://pages.example/pager", "twilio_auth_token": "12345"},
            "https://pages.example/pager",
        ),
        ({"public_url": "https://pages.example"}, None),
        ({"twilio_auth_token": "12345"}, None),
        ({"public_url": "http://localhost:8080", "twilio_auth_token": "12345"}, None),
    ],
)
def test_without_a_token_or_a_public_address_there_are_no_reports(settings, url):
    callbacks = make_callbacks(Settings(_env_file=None, **settings))

    made = callbacks and callbacks.url(PAGE_ID, 1)
    assert made == (url and f"{url}/v1/callbacks/twilio/{PAGE_ID}/1")


def test_the_token_is_not_shown():
    assert "12345" not in repr(CALLBACKS)
