"""Events reach real receivers: signed, in order for each incident, again when that is needed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text, update
from standardwebhooks.webhooks import WebhookVerificationError
from tests.core.test_sealing import with_keys
from tests.receiver import until
from tests.subscriptions.arrangements import ANYBODY

from incident_service.core.clock import monotonic_s
from incident_service.core.outbound import Outbound
from incident_service.core.sealing import SealBroken, Sealer
from incident_service.core.spans import span
from incident_service.core.trace_context import read, start
from incident_service.incidents.timeline import EventKind
from incident_service.subscriptions import actions, record
from incident_service.subscriptions.dispatch import Dispatcher
from incident_service.subscriptions.models import DeliveryStatus, WebhookDelivery
from incident_service.subscriptions.persistence import Failure
from incident_service.subscriptions.record import Outcome
from incident_service.subscriptions.schemas import SubscriptionCreate

OPENED, ACKNOWLEDGED, RESOLVED = EventKind.OPENED, EventKind.ACKNOWLEDGED, EventKind.RESOLVED


async def test_an_event_comes_with_its_incident_and_a_signature(desk):
    subscription = await desk.subscribe()
    incident = await desk.incident("Disk full")
    await desk.happen(incident, OPENED)

    await desk.run()

    (heard,) = desk.receiver.heard
    heard.verify(subscription.secret)
    assert heard.body["type"] == "incident.opened"
    assert heard.body["data"]["incident"]["id"] == str(incident.id)
    assert heard.body["data"]["event"]["sequence"] == 1
    assert heard.headers["content-type"] == "application/json"
    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)
    assert (delivery.last_status, str(delivery.id)) == (204, heard.id)


async def test_while_the_secret_is_rotated_both_sign_and_then_the_new_one_alone(desk):
    subscription = await desk.subscribe()
    incident = await desk.incident()
    async with desk.transactions.open() as tx:
        rotated = await actions.rotate_secret(tx, subscription.id, timedelta(minutes=1), by=ANYBODY)
    await desk.happen(incident, OPENED)
    await desk.run()
    desk.clock.advance(minutes=1)
    await desk.happen(incident, RESOLVED)
    await desk.run()

    during, after = desk.receiver.heard
    during.verify(subscription.secret)
    during.verify(rotated.secret)
    after.verify(rotated.secret)
    with pytest.raises(WebhookVerificationError):
        after.verify(subscription.secret)
    assert len(during.headers["webhook-signature"].split()) == 2


async def test_a_rotation_that_keeps_nothing_ends_the_old_secret_at_once(desk):
    subscription = await desk.subscribe()
    async with desk.transactions.open() as tx:
        await actions.rotate_secret(tx, subscription.id, timedelta(0), by=ANYBODY)
    await desk.happen(await desk.incident(), OPENED)

    await desk.run()

    with pytest.raises(WebhookVerificationError):
        desk.receiver.heard[0].verify(subscription.secret)


async def test_an_event_that_fails_holds_back_later_ones_of_its_incident_and_no_others(desk):
    await desk.subscribe()
    stuck, fine = await desk.incident("stuck"), await desk.incident("fine")
    desk.receiver.answer = lambda heard: 500 if heard.incident == "stuck" else 204
    await desk.happen(stuck, OPENED, ACKNOWLEDGED)
    await desk.happen(fine, OPENED, ACKNOWLEDGED)

    await desk.run()
    before = [(heard.incident, heard.kind) for heard in desk.receiver.heard]
    desk.receiver.answer = lambda heard: 204
    desk.clock.advance(seconds=2)
    await desk.send()

    assert sorted(before) == [
        ("fine", "acknowledged"),
        ("fine", "opened"),
        ("stuck", "opened"),
    ]
    stuck_heard = [heard for heard in desk.receiver.heard if heard.incident == "stuck"]
    assert [heard.kind for heard in stuck_heard] == ["opened", "opened", "acknowledged"]
    assert stuck_heard[0].id == stuck_heard[1].id
    assert stuck_heard[0].text == stuck_heard[1].text


async def test_attempts_grow_apart_and_the_receiver_may_ask_for_more_time(desk):
    await desk.subscribe()
    desk.receiver.answer = lambda heard: 503
    await desk.happen(await desk.incident(), OPENED)
    await desk.run()
    (first,) = await desk.deliveries()
    desk.receiver.answer_headers = {"retry-after": "90"}
    desk.clock.now = first.due_at
    await desk.send()
    (second,) = await desk.deliveries()

    assert first.due_at - first.created_at == timedelta(seconds=2)
    assert second.due_at - desk.clock.now == timedelta(seconds=90)
    assert second.last_error == "The receiver answered 503: why not"


async def test_nothing_is_posted_to_a_url_that_no_key_opens(desk):
    subscription = await desk.subscribe()
    sealed = Sealer(["o" * 32]).seal(subscription.url)
    async with desk.transactions.open() as tx:
        await tx.session.execute(
            text("UPDATE webhook_subscriptions SET url = :sealed"), {"sealed": sealed}
        )
    await desk.happen(await desk.incident(), OPENED)

    await desk.run()

    [delivery] = await desk.deliveries()
    assert delivery.last_error == str(SealBroken.__doc__)
    assert desk.receiver.heard == []


async def test_the_url_and_the_secret_are_stored_sealed(desk, database_url):
    async with with_keys(database_url, ["k" * 32]) as sealing:
        made = await replace(desk, transactions=sealing).subscribe("a-path-that-nobody-guesses")
        async with sealing.open() as tx:
            row = (await tx.session.execute(text("SELECT * FROM webhook_subscriptions"))).one()

    assert made.url.endswith("/a-path-that-nobody-guesses")
    assert (row.url[:7], row.secret[:7]) == ("sealed:", "sealed:")


async def test_what_a_receiver_repeats_of_its_url_or_secret_is_masked(desk):
    subscription = await desk.subscribe("a-path-that-nobody-guesses")
    desk.receiver.answer = lambda heard: 404
    desk.receiver.says = f"{'.' * 80} {subscription.secret} {subscription.url}"
    await desk.happen(await desk.incident(), OPENED)

    await desk.run()

    [delivery] = await desk.deliveries()
    assert delivery.last_error.startswith("The receiver answered 404: ...")
    assert subscription.secret[:12] not in delivery.last_error
    assert "a-path" not in delivery.last_error


async def test_a_body_that_is_refused_again_and_again_is_passed_over(desk):
    await desk.subscribe()
    desk.receiver.answer = lambda heard: 422 if heard.kind == "opened" else 204
    await desk.happen(await desk.incident(), OPENED, RESOLVED)
    await desk.read()

    for _ in range(5):
        await desk.send()
        desk.clock.advance(minutes=10)

    assert [heard.kind for heard in desk.receiver.heard] == ["opened"] * 5 + ["resolved"]
    assert await desk.statuses() == ["failed", "delivered"]


async def test_what_a_killed_worker_had_claimed_is_sent_again_under_the_same_id(desk):
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED, RESOLVED)
    await desk.read()
    claimed = await desk.claim(subscription)  # and the worker is gone

    await desk.send()
    before = list(desk.receiver.heard)
    desk.clock.advance(seconds=21)
    await desk.send()

    assert before == []
    assert [heard.kind for heard in desk.receiver.heard] == ["opened", "resolved"]
    assert desk.receiver.heard[0].id == str(claimed.delivery_id)
    assert [delivery.attempts for delivery in await desk.deliveries()] == [2, 1]


async def test_a_late_failure_does_not_undo_what_another_worker_has_done(desk):
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    late = await desk.claim(subscription)
    desk.clock.advance(seconds=21)
    await desk.send()

    outcome = await desk.transactions.run(
        lambda tx: record.failed(tx, late, Failure("no answer"), jitter=0)
    )

    assert outcome is Outcome.LATE
    assert await desk.statuses() == ["delivered"]


async def test_a_late_success_counts(desk):
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    late = await desk.claim(subscription)
    desk.clock.advance(seconds=21)
    await desk.claim(subscription)

    outcome = await desk.transactions.run(lambda tx: record.succeeded(tx, late, 200))

    assert outcome is Outcome.DELIVERED


async def test_410_pauses_at_once_and_enabling_goes_on_where_it_stopped(desk):
    subscription = await desk.subscribe()
    incident = await desk.incident()
    desk.receiver.answer = lambda heard: 410
    await desk.happen(incident, OPENED)
    await desk.run()
    paused = await desk.again(subscription)
    await desk.happen(incident, ACKNOWLEDGED, RESOLVED)
    await desk.run()
    desk.receiver.answer = lambda heard: 204
    heard_while_paused = len(desk.receiver.heard)
    await desk.change(subscription, is_enabled=True)
    await desk.run()
    resumed = await desk.again(subscription)

    assert (paused.is_enabled, paused.paused_at) == (False, desk.clock.now)
    assert "410" in paused.pause_reason
    assert heard_while_paused == 1
    assert [heard.kind for heard in desk.receiver.heard[1:]] == [
        "opened",
        "acknowledged",
        "resolved",
    ]
    assert (resumed.is_enabled, resumed.paused_at, resumed.pause_reason) == (True, None, None)


async def test_a_day_of_failures_pauses_and_a_success_in_between_starts_the_day_anew(desk):
    subscription = await desk.subscribe()
    incident = await desk.incident()
    desk.receiver.answer = lambda heard: 500 if heard.kind == "opened" else 204
    await desk.happen(incident, OPENED)
    await desk.read()

    for _ in range(23):
        desk.clock.advance(hours=1)
        await desk.send()
    await desk.happen(await desk.incident(), RESOLVED)
    await desk.run()
    healthy = await desk.again(subscription)
    for _ in range(23):
        desk.clock.advance(hours=1)
        await desk.send()
    failing = await desk.again(subscription)
    for _ in range(2):
        desk.clock.advance(hours=1)
        await desk.send()
    paused = await desk.again(subscription)

    assert (healthy.failures, healthy.failing_since) == (0, None)
    assert (failing.failures, failing.is_enabled) == (23, True)
    assert (paused.is_enabled, paused.paused_at is not None) == (False, True)
    assert "25 attempts in a row failed" in paused.pause_reason
    assert await desk.statuses() == ["pending", "delivered"]


async def test_a_receiver_that_hangs_does_not_delay_another_one(desk):
    await desk.subscribe("hangs")
    await desk.subscribe("fine")
    desk.receiver.hangs = {"hangs"}
    for _ in range(8):
        await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    began_s = monotonic_s()

    while len(desk.receiver.at("fine")) < 8:
        await desk.dispatcher.sweep()
    took_s = monotonic_s() - began_s
    await desk.dispatcher.sweep()
    hanging = len(desk.receiver.at("hangs"))

    assert took_s < 8
    assert hanging == 4  # all the lanes that one receiver gets


async def test_no_answer_in_time_is_a_failure(desk, transactions):
    await desk.subscribe("hangs")
    desk.receiver.hangs = {"hangs"}
    dispatcher = Dispatcher(transactions, desk.outbound, send_s=0.2)
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()

    await dispatcher.sweep()
    await dispatcher.aclose()

    (delivery,) = await desk.deliveries()
    assert (delivery.status, delivery.last_status) == (DeliveryStatus.PENDING, None)
    assert delivery.last_error == "No answer within 0.2 s."


async def test_private_networks_are_refused_unless_they_are_allowed(desk, transactions):
    await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    dispatcher = Dispatcher(transactions, Outbound())

    await dispatcher.sweep()
    await dispatcher.aclose()

    (delivery,) = await desk.deliveries()
    assert "OUTBOUND_ALLOW" in delivery.last_error
    assert desk.receiver.heard == []


async def test_redelivery_repeats_the_same_id_and_body(desk):
    subscription = await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.run()
    (delivery,) = await desk.deliveries()

    await desk.redeliver(subscription, delivery.id)
    await desk.send()

    first, second = desk.receiver.heard
    assert (first.id, first.text) == (second.id, second.text)
    assert await desk.statuses() == ["delivered"]


async def test_a_ping_is_sent_once_even_to_a_paused_subscription(desk):
    subscription = await desk.subscribe()
    await desk.change(subscription, is_enabled=False)
    desk.receiver.answer = lambda heard: 500

    async with desk.transactions.open() as tx:
        await actions.send_ping(tx, subscription.id, by=ANYBODY)
    await desk.send()
    desk.clock.advance(hours=1)
    await desk.send()

    assert [heard.body["type"] for heard in desk.receiver.heard] == ["ping"]
    assert await desk.statuses() == ["failed"]
    assert (await desk.again(subscription)).failures == 0


async def test_a_deleted_subscription_takes_what_is_under_way_with_it(desk):
    subscription = await desk.subscribe("hangs")
    desk.receiver.hangs = {"hangs"}
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    await desk.dispatcher.sweep()
    await until(lambda: bool(desk.receiver.heard), 5, "the request")

    async with desk.transactions.open() as tx:
        await actions.delete_subscription(tx, subscription.id, by=ANYBODY)
    desk.receiver.released.set()
    await desk.dispatcher.aclose()

    assert await desk.deliveries() == []


async def test_the_log_forgets_what_ended_a_month_ago_and_nothing_else(desk):
    await desk.subscribe()
    await desk.happen(await desk.incident(), OPENED)
    await desk.run()
    await desk.happen(await desk.incident(), OPENED)
    await desk.read()
    async with desk.transactions.open() as tx:
        await tx.session.execute(
            update(WebhookDelivery).values(created_at=tx.now - actions.LOG_KEPT * 2)
        )

    forgotten = await desk.transactions.run(actions.forget_old)

    assert forgotten == 1
    assert await desk.statuses() == ["pending"]


async def test_nothing_is_signed_by_a_secret_that_cannot_be_opened(desk, database_url):
    async with with_keys(database_url, ["o" * 32]) as sealing, sealing.open() as tx:
        body = {"name": "hook", "url": desk.receiver.url()}
        await actions.create_subscription(tx, SubscriptionCreate.model_validate(body), by=ANYBODY)
    await desk.happen(await desk.incident(), OPENED)

    await desk.run()

    (delivery,) = await desk.deliveries()
    assert desk.receiver.heard == []
    assert delivery.status is DeliveryStatus.PENDING
    assert "INCIDENT_SERVICE_SEALING_KEY" in (delivery.last_error or "")


async def test_an_event_goes_out_in_the_trace_of_what_has_made_it(desk):
    caller = start()
    await desk.subscribe()
    incident = await desk.incident()
    with span("caller", caller):
        await desk.happen(incident, OPENED)

    await desk.run()

    (heard,) = desk.receiver.heard
    told = read([heard.headers["traceparent"]])
    assert told
    assert told.trace_id == caller.trace_id
    assert told.span_id != caller.span_id
