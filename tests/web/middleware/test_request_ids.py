"""A caller's own request id is kept when it is sane, and each answer has one."""

import re
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from incident_service.core.audit import AuditEntry
from incident_service.core.calls import IN_SCOPE, Call, current_call, request_id_from
from incident_service.core.ids import new_id
from incident_service.web.middleware.identity import RequestId

OWN = "deploy/2026-11-29:eu_1.build+7=a@ci"


async def test_a_callers_own_id_comes_back(anonymous):
    answer = await anonymous.get("/livez", headers={"X-Request-ID": OWN})

    assert answer.headers.get_list("x-request-id") == [OWN]


@pytest.mark.parametrize("given_id", ["", "a b", "x" * 129, "é", "a\tb", 'a"b'])
async def test_an_id_that_is_not_sane_is_replaced(anonymous, given_id):
    answer = await anonymous.get("/livez", headers={"X-Request-ID": given_id.encode()})

    assert UUID(answer.headers["x-request-id"]).version == 7


@example(b"a\n")
@given(st.binary())
def test_whatever_is_given_the_id_is_one_word_of_plain_characters(given_bytes):
    assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", request_id_from(given_bytes))


@given(st.from_regex(r"[A-Za-z0-9._:/+=@-]{1,128}", fullmatch=True))
def test_what_is_sane_is_kept(text):
    assert request_id_from(text.encode()) == text


async def test_an_error_that_nobody_expected_has_its_requests_id(app, anonymous):
    async def break_down() -> None:
        raise RuntimeError("broken")

    app.state.measure = break_down

    answer = await anonymous.get("/metrics", headers={"X-Request-ID": OWN})

    assert (answer.status_code, answer.headers["x-request-id"]) == (500, OWN)


async def test_who_answers_from_outside_finds_the_id_in_the_scope():
    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        pass

    scope: Scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", OWN.encode())]}

    await RequestId(nothing)(scope, receive, send)

    call: Call = scope[IN_SCOPE]
    assert call.request_id == OWN
    assert current_call() is None


async def test_a_webhook_has_its_senders_id(anonymous):
    answer = await anonymous.post("/v1/ingest/alertmanager", headers={"X-Request-ID": OWN})

    assert (answer.status_code, answer.headers["x-request-id"]) == (401, OWN)


async def test_an_entry_of_the_audit_log_names_its_request_as_the_caller_did(api):
    await api.post("/v1/teams", json={"name": "Search"}, headers={"X-Request-ID": OWN})

    listed = (await api.get("/v1/audit-log")).json()["items"]
    assert {each["request_id"] for each in listed if each["action"] == "create_team"} == {OWN}


async def test_an_entry_of_the_previous_release_still_names_its_request(api, transactions):
    request_id = new_id()
    async with transactions.open() as tx:
        tx.add_row(
            AuditEntry,
            {
                "id": new_id(),
                "at": tx.now,
                "action": "create_team",
                "actor_type": "system",
                "actor_name": "incident-service",
                "request_id": request_id,
                "count": 1,
            },
        )

    listed = (await api.get("/v1/audit-log")).json()["items"]
    assert [each["request_id"] for each in listed if each["action"] == "create_team"] == [
        str(request_id)
    ]
