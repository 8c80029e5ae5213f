"""P8: a page is handed to its channel at least once, with one key for all attempts."""

from sqlalchemy import select
from tests.receiver import webhook_receiver

from incident_service.core.outbound import Outbound
from incident_service.notifications.channels import make_channels
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import Notification, Page
from incident_service.settings import Settings
from incident_service.teams.models import ContactMethod


async def test_p8_a_page_that_fails_is_sent_again_with_the_same_key(stage):
    settings = Settings(_env_file=None, outbound_allow="127.0.0.0/8")
    outbound = Outbound(settings.outbound_allow)
    courier = Courier(stage.transactions, make_channels(settings, outbound), "http://test")

    async with webhook_receiver() as receiver:
        await point_first_at(stage, receiver.url("first"))
        receiver.answers = [500, 503, 200]
        await stage.fire("Disk")
        for _ in range(6):
            await courier.sweep()
            await courier.aclose()
            stage.clock.advance(minutes=3)
    await outbound.aclose()

    (page,) = await stage.rows(select(Page))
    (notification,) = await stage.rows(select(Notification))
    assert [item.key for item in receiver.received] == [str(page.id)] * 3
    assert (page.status.value, page.attempts, notification.status.value) == ("sent", 3, "sent")


async def test_p8_a_worker_that_dies_while_sending_is_made_good_with_the_same_key(stage):
    settings = Settings(_env_file=None, outbound_allow="127.0.0.0/8")
    outbound = Outbound(settings.outbound_allow)
    courier = Courier(stage.transactions, make_channels(settings, outbound), "http://test")

    async with webhook_receiver() as receiver:
        await point_first_at(stage, receiver.url("first"))
        await stage.fire("Disk")
        # This claim is all that the first worker lived to do.
        dead = Courier(stage.transactions, {}, "http://test")
        (method,) = await stage.rows(
            select(ContactMethod.id).where(ContactMethod.user_id == stage.first.id)
        )
        claimed = await dead._claim(method)
        stage.clock.advance(minutes=2)
        await courier.sweep()
        await courier.aclose()
    await outbound.aclose()

    (page,) = await stage.rows(select(Page))
    assert claimed is not None
    assert [item.key for item in receiver.received] == [str(page.id)]
    assert (page.status.value, page.attempts) == ("sent", 2)


async def point_first_at(stage, url: str) -> None:
    async with stage.transactions.open() as tx:
        method = await tx.session.scalar(
            select(ContactMethod).where(ContactMethod.user_id == stage.first.id)
        )
        method.address = url
