"""Notes of responders."""

import httpx
from tests.stage import Stage


async def note(api: httpx.AsyncClient, stage: Stage, text: str) -> httpx.Response:
    incident = await stage.incident()
    body = {"text": text, "user_id": str(stage.first.id)}
    return await api.post(f"/v1/incidents/{incident.id}/notes", json=body)


async def test_a_note_is_in_the_timeline_with_its_author_and_changes_nothing_else(api, stage):
    await stage.fire("Disk")
    timer = await stage.pending(await stage.incident())

    answer = await note(api, stage, "  The raid lost a disk.\nReplacement ordered. ")

    incident = await stage.incident()
    last = (await stage.events(incident))[-1]
    assert answer.json()["changed"] is True
    assert (last.kind, last.actor["name"]) == ("noted", "First")
    assert last.data == {"text": "The raid lost a disk.\nReplacement ordered."}
    assert await stage.told(incident) == ["First"]
    assert (await stage.pending(incident)).id == timer.id


async def test_a_closed_incident_can_still_be_noted_on(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.do("close", await stage.incident())

    answer = await note(api, stage, "The cause was a full log.")

    assert answer.status_code == 200
    assert (await stage.incident()).status == "CLOSED"


async def test_a_note_that_is_sent_again_is_one_note(api, stage):
    await stage.fire("Disk")
    await note(api, stage, "Looking.")

    again = await note(api, stage, "Looking.")
    other = await note(api, stage, "Found it.")
    first_words = await note(api, stage, "Looking.")

    assert [answer.json()["changed"] for answer in (again, other, first_words)] == [
        False,
        True,
        True,
    ]


async def test_an_empty_note_is_refused(api, stage):
    await stage.fire("Disk")

    answer = await note(api, stage, "  ")

    assert answer.status_code == 422
