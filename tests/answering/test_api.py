"""The link in a page, over HTTP: every verb in every state, and who else may see or do what."""

import asyncio
import html
import logging
import re

import httpx
import pytest
import structlog
from sqlalchemy import update
from starlette.types import Receive, Scope, Send
from tests.alertmanager.serving import serving
from tests.answering.conftest import PUBLIC_URL, path_of
from tests.samples import sample

from incident_service.answering.edge import InWords
from incident_service.core.db import Transactions, make_engine, make_sessions
from incident_service.core.ids import new_id
from incident_service.incidents.lifecycle import Status
from incident_service.main import equip
from incident_service.notifications.models import Page
from incident_service.teams.models import User
from incident_service.web.middleware.replaying import MAX_BODY


def words(answer: httpx.Response) -> str:
    """What a person reads."""
    body = answer.text.partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def buttons(answer: httpx.Response) -> list[str]:
    """The verbs that can be pressed."""
    return re.findall(r'name="verb" value="(\w+)"', answer.text)


def form(answer: httpx.Response, verb: str) -> dict[str, str]:
    """The fields that the first button of a verb sends."""
    found = [each for each in answer.text.split("<form")[1:] if f'value="{verb}"' in each]
    hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', found[0])
    return dict(hidden) | {"verb": verb}


async def press(phone: httpx.AsyncClient, path: str, verb: str) -> httpx.Response:
    """Look, then press a button."""
    return await phone.post(path, data=form(await phone.get(path), verb))


async def make_inactive(stage, person) -> None:
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(User).where(User.id == person.id).values(is_active=False))


# --- looking


async def test_the_page_shows_what_it_is_about_and_what_can_be_done(stage, page_to, phone):
    await stage.fire("Disk")

    answer = await phone.get(path_of(await page_to(stage.first)))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    number = (await stage.incident()).number
    assert f"#{number} Disk is on fire critical, OPEN, " in words(answer)
    assert stage.service.name in words(answer)
    assert "Nobody has it yet." in words(answer)
    assert buttons(answer) == ["acknowledge", "resolve", "escalate"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_previewers_change_nothing(stage, page_to, phone, method):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    before = await stage.kinds(await stage.incident())

    answers = [await phone.request(method, f"{path}{query}") for query in ("", "?verb=acknowledge")]

    assert all(answer.is_success for answer in answers)
    incident = await stage.incident()
    assert (incident.status, await stage.kinds(incident)) == (Status.OPEN, before)


async def test_the_methods_are_named(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))

    assert (await phone.options(path)).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert (await phone.put(path)).status_code == 405


@pytest.mark.parametrize("verb", [None, "acknowledge"])
async def test_the_link_is_kept_from_everybody_else(stage, page_to, phone, verb):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))

    answer = await (phone.post(path, data={"verb": verb}) if verb else phone.get(path))

    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'" in policy
    # Nothing is loaded, run or linked.
    assert not re.search(r"<script|<img|<link|https?:|\bsrc=|\bhref=|url\(", answer.text)


async def test_what_a_sender_writes_is_text(stage, page_to, phone):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}"
    await stage.send(stage.alert("Disk", annotations={"summary": evil}))

    answer = await phone.get(path_of(await page_to(stage.first)))

    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert evil in words(answer)


async def test_the_host_of_a_request_is_nowhere(stage, page_to, phone):
    await stage.fire("Disk")
    page = await page_to(stage.first)

    shown = await phone.get(path_of(page), headers={"Host": "evil.example"})
    acted = await press(phone, path_of(page), "acknowledge")

    assert page.answer_url.startswith(f"{PUBLIC_URL}/a/")
    assert "evil.example" not in shown.text + str(shown.headers)
    assert acted.is_success


async def test_times_are_those_of_the_reader(stage, page_to, phone):
    async with stage.transactions.open() as tx:
        person = await tx.session.get_one(User, stage.first.id)
        person.time_zone = "Asia/Tokyo"
    await stage.fire("Disk")

    answer = await phone.get(path_of(await page_to(stage.first)))

    assert "since Mon 02 Nov, 21:00" in words(answer)
    assert "Times are those of Asia/Tokyo." in words(answer)


# --- acknowledging


async def test_acknowledge_takes_every_open_incident_of_the_page_as_that_person(
    stage, page_to, phone
):
    await stage.fire("A", "B", "C")
    path = path_of(await page_to(stage.first))
    _, taken, _ = await stage.incidents()
    await stage.do("acknowledge", taken, by=stage.second)

    answer = await press(phone, path, "acknowledge")

    a, b, c = await stage.incidents()
    assert answer.status_code == 200
    assert f"You have #{a.number}, #{c.number} now." in words(answer)
    assert [one.status for one in (a, b, c)] == [Status.ACKNOWLEDGED] * 3
    assert [one.assigned_user_id for one in (a, b, c)] == [
        stage.first.id,
        stage.second.id,
        stage.first.id,
    ]
    event = (await stage.events(a))[-1]
    assert event.actor == {"type": "user", "id": str(stage.first.id), "name": "First"}
    assert await stage.violations() == []


async def test_acknowledge_takes_nothing_that_is_not_of_the_page(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.fire("Memory")

    await press(phone, path, "acknowledge")

    assert [one.status for one in await stage.incidents()] == [Status.ACKNOWLEDGED, Status.OPEN]


async def test_what_somebody_else_has_is_said_with_name_and_time_and_stays(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.do("acknowledge", await stage.incident(), by=stage.second)
    before = await stage.kinds(await stage.incident())

    answer = await phone.post(path, data={"verb": "acknowledge"})

    assert answer.status_code == 200
    assert "Nothing was left to acknowledge, so nothing has changed." in words(answer)
    assert "Second has it since Mon 02 Nov, 12:01." in words(answer)
    assert (await stage.incident()).assigned_user_id == stage.second.id
    assert await stage.kinds(await stage.incident()) == before


async def test_what_a_tool_has_acknowledged_is_said_too(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.do("acknowledge", await stage.incident())

    assert "Test key has it since" in words(await phone.get(path))


async def test_pressing_twice_keeps_the_first(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await press(phone, path, "acknowledge")
    first = await stage.incident()
    stage.clock.advance(minutes=1)

    again = await phone.post(path, data={"verb": "acknowledge"})

    assert "You have it since Mon 02 Nov, 12:01." in words(again)
    assert (await stage.incident()).acknowledged_at == first.acknowledged_at


async def test_acknowledge_is_not_bound_to_the_climb(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.do("restart", await stage.incident())

    answer = await press(phone, path, "acknowledge")

    assert answer.status_code == 200
    assert (await stage.incident()).assigned_user_id == stage.first.id


async def test_after_months_an_open_incident_can_still_be_acknowledged(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    stage.clock.advance(days=90)

    await press(phone, path, "acknowledge")

    assert (await stage.incident()).status is Status.ACKNOWLEDGED


# --- resolving and escalating


async def test_resolve_ends_one_incident(stage, page_to, phone):
    await stage.fire("A", "B")
    page = await page_to(stage.first)

    answer = await press(phone, path_of(page), "resolve")

    a, b = await stage.incidents()
    assert f"#{a.number} is resolved." in words(answer)
    assert (a.status, a.resolved_by, b.status) == (Status.RESOLVED, "user:First", Status.OPEN)
    assert "Resolved by First at Mon 02 Nov, 12:01." in words(answer)


async def test_escalate_pages_the_next_level(stage, page_to, phone):
    await stage.fire("Disk")

    answer = await press(phone, path_of(await page_to(stage.first)), "escalate")

    assert "is escalated: the next level is paged now." in words(answer)
    assert await stage.told(await stage.incident()) == ["First", "Second"]


async def test_who_has_it_can_still_resolve_or_escalate_by_the_same_link(stage, page_to, phone):
    await stage.fire("A", "B")
    path = path_of(await page_to(stage.first))
    taken = await press(phone, path, "acknowledge")

    assert buttons(taken) == ["resolve", "escalate"] * 2
    await press(phone, path, "escalate")
    await press(phone, path, "resolve")

    assert (await stage.incidents())[0].status is Status.RESOLVED
    assert await stage.violations() == []


@pytest.mark.parametrize("verb", ["resolve", "escalate"])
async def test_6_another_climb_is_left_alone_and_explained(stage, page_to, phone, verb):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    pressed = form(await phone.get(path), verb)
    await stage.do("restart", await stage.incident(), by=stage.second)
    before = await stage.kinds(await stage.incident())

    answer = await phone.post(path, data=pressed)

    assert answer.status_code == 409
    assert "Nothing was done: the incident has begun anew" in words(answer)
    assert "Mon 02 Nov, 12:01: begun again at level 1 by Second" in words(answer)
    assert buttons(answer) == ["acknowledge"]
    assert await stage.kinds(await stage.incident()) == before


async def test_7_a_climb_that_moved_on_is_not_escalated_from_an_old_look(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    pressed = form(await phone.get(path), "escalate")
    await stage.wait(5)

    answer = await phone.post(path, data=pressed)

    assert answer.status_code == 409
    assert "no longer at the level you saw" in words(answer)
    assert form(answer, "escalate")["level"] == "2"


async def test_the_end_of_the_policy_is_said_and_changes_nothing(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await press(phone, path, "escalate")
    before = await stage.incident()

    answer = await press(phone, path, "escalate")

    assert answer.status_code == 409
    assert "this is the last level of the policy" in words(answer)
    after = await stage.incident()
    assert (after.version, after.status) == (before.version, before.status)


@pytest.mark.parametrize("by", ["a person", "alerts"])
@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "escalate"])
async def test_what_is_over_offers_nothing_and_says_why(stage, page_to, phone, verb, by):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    pressed = form(await phone.get(path), verb)
    incident = await stage.incident()
    if by == "alerts":
        await stage.clear("Disk")
    else:
        await stage.do("resolve", incident, by=stage.second)
    before = await stage.kinds(incident)

    answer = await phone.post(path, data=pressed)

    assert answer.status_code == (409 if verb == "escalate" else 200)
    assert f"Resolved by {'its alerts' if by == 'alerts' else 'Second'} at" in words(answer)
    assert buttons(answer) == []
    assert await stage.kinds(incident) == before


@pytest.mark.parametrize("verb", ["acknowledge", "resolve", "escalate"])
async def test_what_is_filed_stays_filed(stage, page_to, phone, verb):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    pressed = form(await phone.get(path), verb)
    await stage.do("resolve", await stage.incident())
    await stage.do("close", await stage.incident())

    answer = await phone.post(path, data=pressed)

    assert answer.status_code == (200 if verb == "acknowledge" else 409)
    assert "Over and filed since" in words(answer)
    assert (await stage.incident()).status is Status.CLOSED


async def test_an_incident_of_another_page_is_out_of_reach(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.fire("Memory")
    _, other = await stage.incidents()

    answer = await phone.post(path, data={"verb": "resolve", "incident": str(other.id)})

    assert answer.status_code == 404
    assert (await stage.incidents())[1].status is Status.OPEN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"verb=",
        b"verb=delete",
        b"verb=snooze",
        b"verb=resolve&incident=1",
        b"verb=escalate&level=x",
        b"\xff\xfe",
        b"verb=%ff",
        b"&".join(b"a%d=1" % number for number in range(50)),
        b'{"verb": "acknowledge"}',
    ],
)
async def test_what_no_button_sends_does_nothing(stage, page_to, phone, body):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))

    answer = await phone.post(path, content=body)

    assert answer.status_code == 400
    assert "use the buttons" in words(answer)
    assert (await stage.incident()).status is Status.OPEN


# --- links that are no good


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_link_is_not_found(stage, links, page_to, phone, method):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    other = "B" if path[-2] == "A" else "A"
    forged = [path[:-1], f"{path[:-2]}{other}{path[-1]}", "/a/x", f"/a/{links.token(new_id())}"]

    for wrong in forged:
        answer = await phone.request(method, wrong, content=b"verb=acknowledge")

        assert answer.status_code == 404
        assert "This link is not valid." in words(answer)
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await stage.incident()).status is Status.OPEN


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_expired_link_is_gone(stage, page_to, phone, method):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await stage.clear("Disk")
    stage.clock.advance(days=31)

    answer = await phone.request(method, path, content=b"verb=acknowledge")

    assert answer.status_code == 410
    assert "This link has expired" in words(answer)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_is_inactive_sees_and_does_nothing(stage, page_to, phone, method):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    await make_inactive(stage, stage.first)

    answer = await phone.request(method, path, content=b"verb=acknowledge")

    assert answer.status_code == 403
    assert "You are no longer active here" in words(answer)
    assert "Disk" not in words(answer)
    assert (await stage.incident()).status is Status.OPEN


async def test_without_a_secret_key_no_link_is_valid(stage, page_to, phone, settings, app):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    app.state.settings = settings.model_copy(update={"secret_key": None})

    assert (await phone.get(path)).status_code == 404


# --- what else there is


async def test_the_link_is_in_no_metric(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    labels = {"route": "/a/{token}", "method": "POST", "status": "2xx"}
    before = sample("incident_http_request_seconds_count", **labels) or 0.0

    await press(phone, path, "acknowledge")

    assert sample("incident_http_request_seconds_count", **labels) == before + 1
    assert path.removeprefix("/a/") not in (await phone.get("/metrics")).text


async def test_the_link_is_in_no_log(stage, page_to, app, caplog):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    caplog.set_level(logging.DEBUG)

    with structlog.testing.capture_logs() as events:
        async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as phone:
            await phone.get(path)
            await phone.head(path)
            await press(phone, path, "acknowledge")
            await phone.post(path, content=b"verb=nothing")
            await phone.put(path)

    ours = [
        f"{record.getMessage()} {record.exc_text}"
        for record in caplog.records
        if not record.name.startswith(("httpx", "httpcore"))
    ]
    assert (await stage.incident()).status is Status.ACKNOWLEDGED
    assert path.removeprefix("/a/") not in "".join([*ours, str(events)])


async def test_a_database_that_is_away_is_said_in_words(stage, page_to, phone, app):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    nowhere = make_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    unreachable = Transactions(make_sessions(nowhere), stage.transactions.queue, stage.clock)
    equip(app, app.state.settings, unreachable)

    with structlog.testing.capture_logs() as events:
        answers = [await phone.get(path), await phone.post(path, data={"verb": "acknowledge"})]

    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "The service cannot do this right now." in words(answer)
    assert path.removeprefix("/a/") not in str(events)


@pytest.mark.parametrize(
    ("method", "more", "body", "status", "said"),
    [
        ("PUT", "", b"", 405, "Nothing was done: use the buttons"),
        ("DELETE", "", b"", 405, "Nothing was done: use the buttons"),
        ("POST", "", b"x" * (MAX_BODY + 1), 413, "Nothing was done: use the buttons"),
        ("GET", "/more", b"", 404, "This link is not valid"),
        ("GET", "x" * 10_000, b"", 404, "This link is not valid"),
    ],
    ids=["put", "delete", "too large", "no such path", "too long"],
)
async def test_what_is_no_request_of_a_browsers_is_refused_in_words(
    stage, page_to, phone, method, more, body, status, said
):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))

    answer = await phone.request(method, path + more, content=body)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert said in words(answer)
    assert (await stage.incident()).status is Status.OPEN


async def test_an_error_of_ours_is_said_in_words_and_raised_for_the_log():
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(InWords(broken), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        answer = await client.get("/a/x")
    with pytest.raises(ZeroDivisionError):
        await httpx.ASGITransport(InWords(broken)).handle_async_request(
            httpx.Request("GET", f"{PUBLIC_URL}/a/x")
        )

    assert answer.status_code == 500
    assert "Something went wrong on our side" in words(answer)


async def test_the_link_needs_no_key_and_is_not_in_the_api_document(phone):
    document = (await phone.get("/openapi.json")).json()

    assert [route for route in document["paths"] if route.startswith("/a/")] == []


async def test_of_two_people_who_press_at_once_one_gets_all(stage, page_to, phone):
    await stage.fire("A", "B", "C")
    first = path_of(await page_to(stage.first))
    for incident in await stage.incidents():
        await stage.do("escalate", incident, seen_level=1, seen_repeat=1)
    second = path_of(await page_to(stage.second))

    answers = await asyncio.gather(
        *(phone.post(path, data={"verb": "acknowledge"}) for path in (first, second) * 3)
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len([answer for answer in answers if "You have #" in words(answer)]) == 1
    assert len({one.assigned_user_id for one in await stage.incidents()}) == 1
    assert await stage.violations() == []


async def test_a_page_whose_person_is_gone_answers_nobody(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    async with stage.transactions.open() as tx:
        await tx.session.execute(update(Page).values(user_id=None))

    assert (await phone.get(path)).status_code == 404


async def test_an_incident_that_flapped_shows_its_last_five_changes(stage, page_to, phone):
    await stage.fire("Disk")
    path = path_of(await page_to(stage.first))
    for _ in range(4):
        await stage.do("acknowledge", await stage.incident(), by=stage.second)
        await stage.do("unacknowledge", await stage.incident(), by=stage.second)

    answer = await phone.get(path)

    assert answer.text.count("<li>") == 5
    assert "given back by Second" in words(answer)
