"""Links between incidents."""

import httpx
from tests import factories
from tests.credentials import limited_to
from tests.stage import Stage

from incident_service.core.ids import new_id
from incident_service.response import relating


async def related(api: httpx.AsyncClient, stage: Stage) -> list[list[int]]:
    """The numbers that each incident shows as related to it."""
    shown = [
        (await api.get(f"/v1/incidents/{incident.id}")).json()
        for incident in await stage.incidents()
    ]
    return [[other["number"] for other in each["related"]] for each in shown]


async def test_whoever_takes_a_link_away_says_who_and_why(api, stage):
    await stage.fire("Disk", "Net")
    disk, net = await stage.incidents()
    url = f"/v1/incidents/{disk.id}/related/{net.id}"
    await api.put(url)

    answer = await api.delete(url, params={"user_id": str(stage.first.id), "reason": "not it"})

    told = (await stage.events(disk))[-1]
    assert answer.json()["changed"] is True
    assert (told.actor["name"], told.reason) == ("First", "not it")


async def test_a_link_is_shown_on_both_and_in_both_timelines(api, stage):
    await stage.fire("Disk", "Net")
    disk, net = await stage.incidents()

    answer = await api.put(
        f"/v1/incidents/{net.id}/related/{disk.id}", json={"user_id": str(stage.first.id)}
    )

    last = [(await stage.events(incident))[-1] for incident in (disk, net)]
    assert answer.json()["changed"] is True
    assert await related(api, stage) == [[net.number], [disk.number]]
    assert [(event.kind, event.actor["name"]) for event in last] == [("related", "First")] * 2
    assert [event.data["incident"]["number"] for event in last] == [net.number, disk.number]


async def test_a_link_can_be_taken_away_from_either_side(api, stage):
    await stage.fire("Disk", "Net")
    disk, net = await stage.incidents()
    await api.put(f"/v1/incidents/{net.id}/related/{disk.id}")

    answer = await api.delete(f"/v1/incidents/{disk.id}/related/{net.id}")

    assert answer.json()["changed"] is True
    assert await related(api, stage) == [[], []]
    assert (await stage.kinds(net))[-2:] == ["related", "unrelated"]


async def test_linking_and_unlinking_twice_changes_nothing(api, stage):
    await stage.fire("Disk", "Net")
    disk, net = await stage.incidents()
    url, mirrored = (
        f"/v1/incidents/{one.id}/related/{other.id}" for one, other in ((disk, net), (net, disk))
    )

    answers = [await api.put(url), await api.put(mirrored)]
    answers += [await api.delete(url), await api.delete(mirrored)]

    assert [answer.json()["changed"] for answer in answers] == [True, False, True, False]


async def test_incidents_that_are_over_can_be_linked(api, stage):
    await stage.fire("Disk")
    await stage.clear("Disk")
    await stage.do("close", await stage.incident())
    await stage.fire("Net")
    disk, net = await stage.incidents()

    answer = await api.put(f"/v1/incidents/{disk.id}/related/{net.id}")

    assert answer.status_code == 200


async def test_what_the_caller_does_not_see_is_neither_linked_nor_shown(
    api, anonymous, transactions, stage
):
    await stage.fire("Disk")
    async with transactions.open() as tx:
        service = await factories.make_service(tx, await factories.make_team(tx))
        theirs = await factories.make_incident(tx, service)
    ours = next(each for each in await stage.incidents() if each.id != theirs.id)
    headers = await limited_to(transactions, stage.team)
    url = f"/v1/incidents/{ours.id}/related/{theirs.id}"

    refused = await anonymous.put(url, headers=headers)
    await api.put(url)
    shown = await anonymous.get(f"/v1/incidents/{ours.id}", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (404, "incident_not_found")
    assert shown.json()["related"] == []


async def test_an_incident_is_not_linked_to_itself_or_to_nothing(api, stage):
    await stage.fire("Disk")
    incident = await stage.incident()

    itself = await api.put(f"/v1/incidents/{incident.id}/related/{incident.id}")
    nothing = await api.put(f"/v1/incidents/{incident.id}/related/{new_id()}")

    assert (itself.status_code, itself.json()["code"]) == (422, "related_to_itself")
    assert nothing.status_code == 404


async def test_an_incident_has_so_many_links_and_no_more(api, stage):
    names = [f"Alert{number}" for number in range(relating.MOST_RELATED + 2)]
    await stage.fire(*names)
    first, *others = await stage.incidents()

    answers = [await api.put(f"/v1/incidents/{first.id}/related/{other.id}") for other in others]

    assert [answer.status_code for answer in answers] == [200] * relating.MOST_RELATED + [409]
