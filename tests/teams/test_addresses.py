import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.teams.addresses import masked, problem_with, read_contact
from incident_service.teams.models import Channel


@pytest.mark.parametrize(
    "address", ["ana@example.org", "a+pager@sub.example.org", "ana@localhost", "jörg@exämple.org"]
)
def test_a_mail_address_is_accepted(address):
    assert problem_with(Channel.EMAIL, address) is None


@pytest.mark.parametrize(
    "address",
    [
        "ana",
        "@example.org",
        "ana@",
        "ana@b@c",
        "an a@example.org",
        "ana@example.org\nBcc: x",
        "ana@example.org,",
        "Ana <ana@example.org>",
        "a" * 243 + "@example.org",
    ],
)
def test_what_is_no_mail_address_is_refused(address):
    assert problem_with(Channel.EMAIL, address)


@pytest.mark.parametrize(
    "address",
    ["https://pager.example/hook?x=1#y", "http://10.0.0.1:9000", "https://[::1]/", "HTTPS://a/"],
)
def test_an_absolute_url_is_accepted(address):
    assert problem_with(Channel.WEBHOOK, address) is None


@pytest.mark.parametrize(
    "address",
    [
        "pager.example/hook",
        "//pager.example/hook",
        "ftp://pager.example",
        "https://",
        "https:///path",
        "https://user:secret@pager.example",
        "https://@pager.example",
        "https://pager.example\\@other.example",
        "https://pager.example\\.other.example",
        "https://pager.example:port",
        "https://pager.example:0",
        "https://[::1",
        " https://pager.example",
        "https://pager.example/a b",
        "https://pager.example/\n",
        "https://pager.example/" + "a" * 2048,
    ],
)
def test_what_is_no_usable_url_is_refused(address):
    assert problem_with(Channel.WEBHOOK, address)


@pytest.mark.parametrize("address", ["my-topic_1", "a" * 64, "https://ntfy.example/topic"])
def test_an_ntfy_topic_or_its_url_is_accepted(address):
    assert problem_with(Channel.NTFY, address) is None


@pytest.mark.parametrize("address", ["", "a" * 65, "my topic", "a/b", "tøpic", "ftp://a/b"])
def test_what_is_no_ntfy_topic_is_refused(address):
    assert problem_with(Channel.NTFY, address)


@pytest.mark.parametrize(
    "address",
    [
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "https://chat.example/hooks/xxx",
    ],
)
def test_an_incoming_webhook_is_accepted(address):
    assert problem_with(Channel.SLACK, address) is None


@pytest.mark.parametrize("address", ["#on-call", "@ana", "https://a:b@hooks.slack.com/services/T"])
def test_what_is_no_incoming_webhook_is_refused(address):
    assert problem_with(Channel.SLACK, address)


@pytest.mark.parametrize("address", ["123456789", "-1001234567890", "@on_call_channel"])
def test_a_telegram_chat_is_accepted(address):
    assert problem_with(Channel.TELEGRAM, address) is None


@pytest.mark.parametrize(
    "address", ["", "0", "--1", "1.5", "ana", "@", "@a b", "@abc/", "1" * 17, "12\n", "١٢"]
)
def test_what_is_no_telegram_chat_is_refused(address):
    assert problem_with(Channel.TELEGRAM, address)


@pytest.mark.parametrize("kind", [Channel.SMS, Channel.VOICE])
@pytest.mark.parametrize("address", ["+4915112345678", "+15558675310", "+290" + "1" * 4])
def test_a_phone_number_is_accepted(kind, address):
    assert problem_with(kind, address) is None


@pytest.mark.parametrize("kind", [Channel.SMS, Channel.VOICE])
@pytest.mark.parametrize(
    "address",
    [
        "",
        "4915112345678",
        "015112345678",
        "+0151",
        "+49 151 12345678",
        "+49151123456789012",
        "+١٢٣٤٥٦٧",
    ],
)
def test_what_is_no_phone_number_is_refused(kind, address):
    assert problem_with(kind, address)


@pytest.mark.parametrize("address", ["ops", "ops-team_2.b", "A" * 64])
def test_the_name_of_an_apprise_url_is_accepted(address):
    assert problem_with(Channel.APPRISE, address) is None


@pytest.mark.parametrize("address", ["", "json://host", "a b", "a=b", ".", "A" * 65])
def test_an_apprise_url_itself_is_refused(address):
    assert problem_with(Channel.APPRISE, address)


def test_the_console_has_no_address_that_a_caller_may_give():
    assert problem_with(Channel.CONSOLE, "anything")


@given(st.sampled_from(Channel), st.text())
def test_any_text_is_judged_without_an_error(kind, address):
    problem = problem_with(kind, address)

    assert problem is None or problem.endswith(".")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mailto:ops@example.org", (Channel.EMAIL, "ops@example.org")),
        ("ntfy:ops", (Channel.NTFY, "ops")),
        ("sms:+15558675310", (Channel.SMS, "+15558675310")),
        ("voice:+15558675310", (Channel.VOICE, "+15558675310")),
        ("telegram:-100123", (Channel.TELEGRAM, "-100123")),
        ("apprise:ops", (Channel.APPRISE, "ops")),
        ("slack:https://hook.example/x", (Channel.SLACK, "https://hook.example/x")),
        ("ntfy:https://ntfy.example/ops", (Channel.NTFY, "https://ntfy.example/ops")),
        ("https://hook.example/x", (Channel.WEBHOOK, "https://hook.example/x")),
        ("http://hook.example/x", (Channel.WEBHOOK, "http://hook.example/x")),
        ("ops@example.org", None),
    ],
)
def test_a_contact_says_its_channel_by_how_it_begins(text, expected):
    assert read_contact(text) == expected


@pytest.mark.parametrize(
    ("kind", "address", "shown"),
    [
        (Channel.EMAIL, "first@example.org", "f…@example.org"),
        (Channel.SMS, "+15558675310", "+1…5310"),
        (
            Channel.WEBHOOK,
            "https://hooks.example.org/T/B/secret-path",
            "https://hooks.example.org/…path",
        ),
        (
            Channel.SLACK,
            "https://hooks.slack.com/services/T0/B0/XYZabc",
            "https://hooks.slack.com/…Zabc",
        ),
        (Channel.NTFY, "a-topic-that-nobody-guesses", "a-to…sses"),
        (Channel.NTFY, "short", "shor…"),
        (Channel.NTFY, "https://ntfy.example.org/secret-topic", "https://ntfy.example.org/…opic"),
        (Channel.APPRISE, "chat", "chat"),
    ],
)
def test_an_address_is_shown_so_that_only_its_owner_knows_it(kind, address, shown):
    assert masked(kind, address) == shown
