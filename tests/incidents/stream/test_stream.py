"""The stream over a real connection: what is told, to whom, and after an interruption."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
from sqlalchemy import text, update
from tests import factories
from tests.credentials import limited_to
from tests.incidents.stream.conftest import record, streaming
from tests.samples import sample
from tests.waiting import eventually

from incident_service.core.db import Tx
from incident_service.incidents.stream.cursor import Cursor, Place, decode, encode
from incident_service.incidents.timeline import EventKind
from incident_service.main import create_app
from incident_service.teams.models import ApiKey

OPENED, ACKNOWLEDGED, RESOLVED = EventKind.OPENED, EventKind.ACKNOWLEDGED, EventKind.RESOLVED


async def take_transaction_id(tx: Tx) -> None:
    """Have the transaction numbered before it writes."""
    await tx.session.execute(text("SELECT pg_current_xact_id()"))


async def test_a_change_is_told_as_it_is_committed(station):
    incident = await station.incident("Disk full")
    async with station.listening() as reader:
        await station.happen(incident, OPENED)
        await reader.hears(1)

    (told,) = reader.data
    assert reader.kinds == ["opened"]
    assert told["incident_id"] == str(incident.id)
    assert told["number"] == incident.number
    assert told["team_id"] == str(station.team.id)
    assert told["service_id"] == str(station.service.id)
    assert (told["sequence"], told["kind"], told["reason"]) == (1, "opened", None)
    assert told["incident"]["status"] == "OPEN"
    assert told["incident"]["version"] == 2


async def test_the_answer_is_one_that_proxies_pass_on(station):
    async with station.listening() as reader:
        pass

    assert reader.headers["content-type"] == "text/event-stream"
    assert reader.headers["cache-control"] == "no-store"
    assert reader.headers["x-accel-buffering"] == "no"
    assert "content-length" not in reader.headers
    assert reader.headers["x-request-id"]
    assert reader.parser.retry_ms == 2000


async def test_head_is_answered_at_once_and_is_no_stream(app, transactions, station):
    async with streaming(app, transactions, most=1) as url:
        station.url = url
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            head = await client.head(f"{url}/v1/incidents/stream", headers=station.headers)
            after = await client.get(f"{url}/v1/incidents", headers=station.headers)
            async with station.listening() as reader:
                pass

    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
    assert after.status_code == 200
    assert reader.status == 200


async def test_without_an_id_it_begins_now(station):
    incident = await station.incident()
    await station.happen(incident, OPENED)

    async with station.listening() as reader:
        await station.happen(incident, ACKNOWLEDGED)
        await reader.hears(1)

    assert reader.kinds == ["acknowledged"]


async def test_after_an_id_it_goes_on_there(station):
    incident = await station.incident()
    async with station.listening() as reader:
        await station.happen(incident, OPENED)
        await reader.hears(1)
    await station.happen(incident, ACKNOWLEDGED, RESOLVED)

    async with station.listening(after=reader.parser.last_id) as again:
        await again.hears(2)
    async with station.listening(last_event_id=reader.parser.last_id) as by_address:
        await by_address.hears(2)

    assert [sequence for _, sequence in again.sequences][-2:] == [2, 3]
    assert by_address.sequences == again.sequences


async def test_who_was_cut_off_before_the_first_event_misses_none(station):
    incident = await station.incident()
    async with station.listening() as reader:
        pass
    await station.happen(incident, OPENED)

    async with station.listening(after=reader.parser.last_id) as again:
        await again.hears(1)

    assert again.kinds == ["opened"]


async def test_an_event_that_commits_after_a_later_one_is_told(station):
    slow, fast = await station.incident("slow"), await station.incident("fast")
    async with station.listening() as reader:
        async with station.transactions.open() as first:
            await record(first, slow, OPENED)
            await station.happen(fast, OPENED)
            await reader.hears(1)
            before = reader.sequences
        await reader.hears(2)

    assert before == [("fast", 1)]
    assert reader.sequences == [("fast", 1), ("slow", 1)]


async def test_who_resumes_after_a_later_one_is_told_the_late_one_too(station):
    """The id that came with the event of the younger transaction lies before the older one."""
    old, young = await station.incident("old"), await station.incident("young")
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(station.transactions.open())
        await take_transaction_id(older)
        async with station.listening() as reader:
            await station.happen(young, OPENED)
            await reader.hears(1)
        await record(older, old, OPENED)  # the higher position, of the older transaction

    async with station.listening(after=reader.parser.last_id) as again:
        await again.hears(2)

    assert reader.sequences == [("young", 1)]
    assert sorted(again.sequences) == [("old", 1), ("young", 1)]


async def test_events_of_an_incident_come_in_order_whoever_began_first(station):
    incident = await station.incident()
    async with AsyncExitStack() as stack:
        older = await stack.enter_async_context(station.transactions.open())
        await take_transaction_id(older)
        async with station.listening() as reader:
            pass
        await station.happen(incident, OPENED)  # a younger transaction has the lock first
        await record(older, incident, ACKNOWLEDGED)

    async with station.listening(after=reader.parser.last_id) as again:
        await again.hears(2)

    assert again.kinds == ["opened", "acknowledged"]


async def test_somebodys_long_transaction_delays_nothing_and_holds_ids_back_a_minute_at_most(
    station, clock
):
    incident = await station.incident()
    async with station.transactions.open() as foreign:
        await take_transaction_id(foreign)
        async with station.listening() as reader:
            await station.happen(incident, OPENED)
            await reader.hears(1)
            held_back = decode(reader.events[0].id)
            clock.advance(seconds=61)
            await station.happen(incident, ACKNOWLEDGED)
            await reader.hears(2)
            moved = decode(reader.events[1].id)
        async with station.listening(after=reader.events[1].id) as again:
            await again.hears(1)

    assert held_back.place < moved.place
    assert again.kinds == ["acknowledged"]


async def test_a_long_backlog_comes_in_order(station):
    incident = await station.incident()
    async with station.listening() as reader:
        pass
    async with station.transactions.open() as tx:
        for _ in range(450):
            await record(tx, incident, OPENED)

    async with station.listening(after=reader.parser.last_id) as again:
        await again.hears(450)

    assert [sequence for _, sequence in again.sequences] == list(range(1, 451))


async def test_filters_narrow_it(station):
    async with station.transactions.open() as tx:
        other_service = await factories.make_service(tx, station.team)
        foreign = await factories.make_service(tx, await factories.make_team(tx))
    mine, other = await station.incident("mine"), await station.incident("other", other_service)
    strange = await station.incident("strange", foreign)
    filters: list[dict[str, Any]] = [
        {"team_id": str(station.team.id)},
        {"service_id": str(station.service.id)},
        {"incident_id": str(other.id)},
        {"kind": ["resolved", "closed"]},
    ]
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(station.listening(**each)) for each in filters]
        for incident in (strange, other, mine):
            await station.happen(incident, OPENED, RESOLVED)
        for reader, count in zip(readers, (4, 2, 2, 3), strict=True):
            await reader.hears(count)

    told = [sorted({title for title, _ in reader.sequences}) for reader in readers]
    assert told == [["mine", "other"], ["mine"], ["other"], ["mine", "other", "strange"]]
    assert readers[3].kinds == ["resolved"] * 3


async def test_a_key_hears_of_its_own_teams_alone(station):
    async with station.transactions.open() as tx:
        other_team = await factories.make_team(tx)
        foreign = await factories.make_service(tx, other_team)
    ours, theirs = await station.incident("ours"), await station.incident("theirs", foreign)
    station.headers = await limited_to(station.transactions, station.team)
    async with (
        station.listening() as reader,
        station.listening(team_id=str(other_team.id)) as curious,
    ):
        await station.happen(theirs, OPENED)
        await station.happen(ours, OPENED)
        await reader.hears(1)
        await curious.beats(2)

    assert reader.sequences == [("ours", 1)]
    assert curious.events == []


async def test_a_key_that_is_revoked_ends_its_stream(station):
    incident = await station.incident()
    async with station.listening() as reader:
        async with station.transactions.open() as tx:
            await tx.session.execute(update(ApiKey).values(revoked_at=tx.now))
        await reader.ends(within_s=5)
        await station.happen(incident, OPENED)

    assert reader.has_ended
    assert reader.events == []


async def test_who_leaves_a_team_hears_no_more_of_it(station):
    incident = await station.incident()
    async with station.transactions.open() as tx:
        person = await factories.make_user(tx, team=station.team)
        key = await factories.make_api_key(tx, scopes=["read"], user_id=person.id)
    station.headers = {"Authorization": f"Bearer {key}"}
    async with station.listening() as reader:
        await station.happen(incident, OPENED)
        await reader.hears(1)
        async with station.transactions.open() as tx:
            await tx.session.execute(
                text("DELETE FROM team_memberships WHERE user_id = :id"), {"id": person.id}
            )
        await reader.beats(reader.parser.comments.count("alive") + 2)  # the key is asked for again
        await station.happen(incident, ACKNOWLEDGED)
        await reader.beats(reader.parser.comments.count("alive") + 2)

    assert reader.kinds == ["opened"]


async def test_heartbeats_come_while_nothing_happens_and_move_the_id(station):
    other = await station.incident()
    async with station.listening(kind="closed") as reader:
        began = reader.parser.last_id
        await station.happen(other, OPENED)
        await reader.beats(2)

    assert reader.events == []
    assert decode(reader.parser.last_id).place > decode(began).place


async def test_what_was_made_up_is_refused(station):
    for made_up in ("42", "x" * 40, encode(Cursor(Place(1, 1), station.transactions.clock()))[:-4]):
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(
                f"{station.url}/v1/incidents/stream",
                headers=station.headers | {"Last-Event-ID": made_up},
            )

        assert answer.status_code == 400
        assert answer.json()["code"] == "last_event_id_unreadable"


async def test_an_id_from_before_what_is_kept_is_reset_and_the_stream_goes_on(station, clock):
    incident = await station.incident()
    async with station.listening() as reader:
        pass
    clock.advance(days=366)

    async with station.listening(after=reader.parser.last_id) as again:
        await station.happen(incident, OPENED)
        await again.hears(2)

    assert again.kinds == ["reset", "opened"]
    assert again.data[0] == {"reason": "too_old"}
    assert decode(again.events[0].id).at > decode(reader.parser.last_id).at


async def test_an_id_of_another_database_is_reset(station):
    ahead = encode(Cursor(Place(2**60, 1), station.transactions.clock()))

    async with station.listening(after=ahead) as reader:
        await reader.hears(1)

    assert (reader.kinds, reader.data) == (["reset"], [{"reason": "unknown"}])


async def test_what_is_committed_through_another_process_is_told_soon(
    station, settings, transactions
):
    incident = await station.incident()
    async with (
        streaming(create_app(settings, transactions), transactions) as other_url,
        station.listening() as here,
    ):
        station.url = other_url
        async with station.listening() as there:
            await station.happen(incident, OPENED)
            async with asyncio.timeout(5):
                await asyncio.gather(here.hears(1), there.hears(1))

    assert here.sequences == there.sequences == [("Disk full", 1)]


async def test_there_are_only_so_many(station, app, transactions):
    async with streaming(app, transactions, most=1) as url:
        station.url = url
        async with station.listening(), httpx.AsyncClient(trust_env=False) as client:
            refused = await client.get(f"{url}/v1/incidents/stream", headers=station.headers)
        async with station.listening() as after:
            pass

    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert refused.json()["code"] == "too_many_streams"
    assert after.parser.last_id


async def test_all_streams_end_when_the_server_stops(station):
    async with station.listening() as reader, station.listening() as other:
        station.app.state.streams.stop()
        await reader.ends(within_s=5)
        await other.ends(within_s=5)

    assert reader.has_ended
    assert other.has_ended
    assert "come back" in reader.parser.comments


async def test_a_stream_is_measured_to_its_beginning(station):
    labels = {"route": "/v1/incidents/stream", "method": "GET", "status": "2xx"}
    before = sample("incident_http_request_seconds_count", **labels) or 0.0

    async with station.listening():
        during = sample("incident_http_request_seconds_count", **labels)

    assert during == before + 1
    assert sample("incident_http_request_seconds_sum", **labels) is not None


async def test_nothing_is_asked_while_nobody_listens(station):
    streams = station.app.state.streams
    async with station.listening():
        while_listening = streams.is_looking

    async def is_quiet() -> bool:
        return not streams.is_looking

    assert while_listening
    await eventually(is_quiet, "the end of the look for news")
