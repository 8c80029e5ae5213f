"""The finder of broken promises finds them: each is broken on purpose, and nothing else is."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from tests.chaos import promises
from tests.chaos.promises import Heard
from tests.notifications.arrangements import ScriptedChannel, make_courier
from tests.stage import MINUTE, Stage

from incident_service.core.ids import new_id

# What breaks a promise, by the name under which it has to be found. Constraints that stand in the
# way are dropped; all of it is rolled back.
BREAKS = {
    "P2: one active incident a key": """
        DROP INDEX uq_incidents_active;
        UPDATE incidents SET fingerprint = 'same';
    """,
    "P2: one row an episode, one firing episode an alert": """
        DROP INDEX uq_alerts_episode, uq_alerts_firing;
        UPDATE alerts SET fingerprint = 'same', starts_at = now();
    """,
    "P2: an incident counts its episodes": "UPDATE incidents SET firing_count = 2",
    "P2: what fires has an incident that alerts did not end": """
        UPDATE incidents SET resolved_by = 'alerts'
    """,
    "P3: OPEN waits for exactly one timer": """
        UPDATE escalation_jobs SET cancelled_at = now() WHERE NOT completed
    """,
    "P3: the timer is the one that it should wait for": """
        UPDATE escalation_jobs SET kind = 'reminder' WHERE NOT completed
    """,
    "P3: only what climbs is held": """
        ALTER TABLE incidents DROP CONSTRAINT fk_incidents_maintenance_window_id;
        UPDATE incidents SET maintenance_window_id = id, is_quiet = true
    """,
    "P4: a step takes effect once": """
        DROP INDEX uq_escalation_jobs_step;
        UPDATE escalation_jobs SET scheduled_level = 1 WHERE kind = 'step' AND completed
    """,
    "P4: steps and their events are the same": """
        UPDATE escalation_jobs SET outcome = 'skipped' WHERE completed
    """,
    "P4: levels are climbed in order, none left out": """
        UPDATE escalation_jobs SET scheduled_level = 9 WHERE scheduled_level = 2 AND completed
    """,
    "P5: nobody is paged while somebody has it": """
        UPDATE incident_events SET kind = 'acknowledged' WHERE sequence = 1
    """,
    "P5: every page was asked for by an event": """
        UPDATE notifications SET created_at = created_at + interval '1 s'
    """,
    "P5: what was not handed to a channel is cancelled": """
        UPDATE notifications SET epoch = 0
    """,
    "P8: a page and its members agree": "UPDATE notifications SET status = 'sent'",
    "P9: timelines have no gaps": """
        UPDATE incident_events SET sequence = 7 WHERE sequence = 1
    """,
    "P9: the timeline tells of every status": "UPDATE incidents SET status = 'ACKNOWLEDGED'",
}


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """Two incidents that have climbed one level; nothing was delivered yet."""
    await stage.fire("Disk", "Memory")
    await stage.wait(5)
    return stage


def names(found: list[str]) -> set[str]:
    """The names of the promises in what was found."""
    return {": ".join(words.split(": ")[:2]) for words in found}


async def broken_by(stage: Stage, statements: str) -> set[str]:
    async with stage.transactions.sessions() as session:  # never committed
        for statement in filter(str.strip, statements.split(";")):
            await session.execute(text(statement))
        return names(await promises.broken(session))


def test_every_promise_is_broken_once():
    assert set(BREAKS) == set(promises.ALWAYS)


async def test_nothing_is_found_where_all_is_well(stage):
    async with stage.transactions.open() as tx:
        assert await promises.broken(tx.session) == []


@pytest.mark.parametrize("promise", BREAKS)
async def test_a_broken_promise_is_found(stage, promise):
    assert promise in await broken_by(stage, BREAKS[promise])


async def test_what_nobody_did_is_found(stage):
    async with stage.transactions.open() as tx:
        later = tx.now + 6 * MINUTE
        found = await promises.unfinished(tx.session, later)

    assert names(found) == {"P7: no timer is left behind", "P8: everybody was told"}


async def test_an_alert_that_was_answered_and_is_not_there_is_found(stage):
    began_at = stage.began_at["Disk"]
    answered = [("Disk", began_at), ("Disk", began_at + timedelta(seconds=1)), ("Power", began_at)]

    async with stage.transactions.open() as tx:
        found = await promises.not_stored(tx.session, answered)

    assert len(found) == 2


async def test_a_page_made_after_the_answer_is_found(stage):
    disk, memory = await stage.incidents()
    answered = {disk.id: stage.clock() - MINUTE, memory.id: stage.clock()}

    async with stage.transactions.open() as tx:
        found = await promises.paged_after(tx.session, answered)

    assert len(found) == 1
    assert f"incident {disk.number} " in found[0]


async def test_what_a_receiver_got_is_compared_with_the_pages(stage):
    channel = ScriptedChannel()
    async with stage.transactions.open() as tx:
        methods = await tx.session.scalars(text("SELECT contact_method_id FROM notifications"))
    for contact_method_id in set(methods):
        await make_courier(stage.transactions, channel).deliver(contact_method_id)
    sent = [
        Heard(str(page.id), tuple(str(incident.id) for incident in page.incidents))
        for page in channel.pages
    ]
    stranger = Heard(sent[0].key, (str(uuid4()),))
    unknown = Heard(str(new_id()), sent[0].incident_ids)

    async with stage.transactions.open() as tx:
        as_it_was = await promises.misheard(tx.session, sent)
        otherwise = await promises.misheard(tx.session, [stranger, unknown, *sent[2:]])

    assert as_it_was == []
    assert len(otherwise) == 3
