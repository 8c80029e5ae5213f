from collections.abc import Sequence

from sqlalchemy import select
from tests import factories
from tests.fakes import FrozenClock, RememberingQueue
from tests.notifications.arrangements import (
    Scene,
    ScriptedChannel,
    ask,
    claim_page,
    make_courier,
    page_about,
    pages,
    set_scene,
    statuses,
    temporary,
)

from incident_service import jobs
from incident_service.catalog.priority import Priority
from incident_service.core.db import Transactions, Tx
from incident_service.core.ids import new_id
from incident_service.escalation.models import EscalationJob, TimerKind
from incident_service.incidents.models import Incident
from incident_service.notifications import actions
from incident_service.notifications.models import (
    Notification,
    NotificationKind,
    NotificationStatus,
    PageStatus,
)

CANCELLED, PENDING = NotificationStatus.CANCELLED, NotificationStatus.PENDING
SENDING = NotificationStatus.SENDING


async def make_step(tx: Tx, incident: Incident) -> EscalationJob:
    row = EscalationJob(
        id=new_id(),
        incident_id=incident.id,
        kind=TimerKind.STEP,
        arq_job_id=str(new_id()),
        epoch=1,
        scheduled_repeat=1,
        scheduled_level=1,
        scheduled_for=tx.now,
        completed=True,
        executed_at=tx.now,
        created_at=tx.now,
    )
    tx.session.add(row)
    await tx.flush()
    return row


def by_step(step: EscalationJob, recipients: Sequence[actions.Recipient]) -> list[actions.Request]:
    return [
        actions.Request(
            incident_id=step.incident_id,
            escalation_job_id=step.id,
            epoch=1,
            kind=NotificationKind.PAGE,
            reason="level 1",
            level=1,
            repeat=1,
            priority=Priority.HIGH,
            recipients=tuple(recipients),
        )
    ]


async def test_a_request_is_due_at_once(transactions: Transactions, clock: FrozenClock):
    scene = await set_scene(transactions)

    [incident] = await page_about(transactions, scene)

    async with transactions.open() as tx:
        row = (await tx.session.scalars(select(Notification))).one()
    assert (row.incident_id, row.contact_method_id) == (incident.id, scene.method.id)
    assert (row.status, row.due_at, row.reason) == (PENDING, clock.now, "level 1 of the policy")


async def test_an_address_is_woken_once_a_transaction(
    transactions: Transactions, queue: RememberingQueue, clock: FrozenClock
):
    scene = await set_scene(transactions)

    await page_about(transactions, scene, 5)

    [job] = queue.named(jobs.DELIVER)
    assert (job.args, job.not_before) == ((str(scene.method.id),), clock.now)


async def test_a_request_that_rolls_back_wakes_nobody(
    transactions: Transactions, queue: RememberingQueue
):
    scene = await set_scene(transactions)
    transaction = transactions.open()
    tx = await transaction.__aenter__()
    await ask(tx, scene, await factories.make_incident(tx, scene.service))

    await transaction.__aexit__(RuntimeError, RuntimeError("killed"), None)

    assert await statuses(transactions) == []
    assert queue.jobs == []


async def test_a_step_tells_each_address_once_however_often_it_asks(transactions: Transactions):
    scene = await set_scene(transactions)
    nobodys = actions.Recipient(None, scene.method.id)
    async with transactions.open() as tx:
        step = await make_step(tx, await factories.make_incident(tx, scene.service))

    for _ in range(2):
        async with transactions.open() as tx:
            await actions.request(tx, by_step(step, [scene.recipient(), nobodys]))

    assert await statuses(transactions) == [PENDING, PENDING]


async def test_asking_for_nobody_does_nothing(transactions: Transactions, queue: RememberingQueue):
    async with transactions.open() as tx:
        await actions.request(tx, [])
        await actions.cancel(tx, [])

    assert queue.jobs == []


async def cancel(transactions: Transactions, incident: Incident) -> None:
    async with transactions.open() as tx:
        await actions.cancel(tx, [incident.id])


async def test_cancelling_takes_back_what_is_pending(transactions: Transactions):
    scene = await set_scene(transactions)
    mine, _other = await page_about(transactions, scene, 2)

    await cancel(transactions, mine)

    assert await statuses(transactions) == [CANCELLED, PENDING]


async def test_cancelling_leaves_updates_alone(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene, kind=NotificationKind.UPDATE)

    await cancel(transactions, incident)

    assert await statuses(transactions) == [PENDING]


async def test_cancelling_cannot_call_back_a_page_that_is_being_sent(transactions: Transactions):
    scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    await claim_page(transactions, scene)

    await cancel(transactions, incident)

    assert await statuses(transactions) == [SENDING]


async def test_cancelling_takes_back_what_waits_between_two_attempts(transactions: Transactions):
    scene = await set_scene(transactions)
    mine, _other = await page_about(transactions, scene, 2)
    await make_courier(transactions, ScriptedChannel(temporary())).deliver(scene.method.id)

    await cancel(transactions, mine)

    assert await statuses(transactions) == [CANCELLED, SENDING]
    [page] = await pages(transactions)
    assert page.status is PageStatus.WAITING


async def test_cancelling_leaves_what_was_sent_as_it_is(transactions: Transactions):
    scene: Scene = await set_scene(transactions)
    [incident] = await page_about(transactions, scene)
    await make_courier(transactions, ScriptedChannel()).deliver(scene.method.id)

    await cancel(transactions, incident)

    assert await statuses(transactions) == [NotificationStatus.SENT]
