"""`kill -9` while a provider has a page in its hands: it gets the same one again, and no other.

By each kind of channel, at two moments: the provider has all of the page and has not answered yet;
it has answered, and nobody has written that down.
"""

from dataclasses import dataclass

import pytest
from sqlalchemy import select
from tests.chaos.dying import victims
from tests.chaos.scene import AGO, SIGKILL
from tests.chaos.victim import Fate
from tests.fakes import FrozenClock
from tests.notifications.arrangements import Scene, page_about, pages, set_scene
from tests.notifications.channels import test_ntfy, test_telegram, test_twilio
from tests.notifications.channels.provider import Answer, Provider, provider
from tests.notifications.channels.test_email import SENDER, Inbox, mail_server
from tests.notifications.test_providers import PHONE, settings_for
from tests.running import drill_settings

from incident_service.core.clock import utc_now
from incident_service.core.db import Transactions
from incident_service.core.outbound import Outbound
from incident_service.notifications.channels import make_channels
from incident_service.notifications.claim import LEASE
from incident_service.notifications.delivery import Courier
from incident_service.notifications.models import Page, PageAttempt, PageStatus
from incident_service.settings import Settings
from incident_service.teams.models import Channel

pytestmark = pytest.mark.faults

# Where the worker dies by itself; at the first it is the provider that kills it.
MOMENTS = {"unanswered": None, "unrecorded": "after_send"}
PROVIDERS = {
    Channel.WEBHOOK: ("{url}/hook", Answer(200, "")),
    Channel.NTFY: ("on-call", test_ntfy.taken()),
    Channel.SLACK: ("{url}/services/T0/B0/secret", Answer(200, "ok")),
    Channel.TELEGRAM: ("-1001234567890", test_telegram.taken()),
    Channel.SMS: (PHONE, test_twilio.MESSAGE_TAKEN),
    Channel.VOICE: (PHONE, test_twilio.CALL_TAKEN),
    Channel.APPRISE: ("ops", Answer(200, "")),
}


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(utc_now() - AGO)


def nothing() -> None:
    """Let the worker live."""


@dataclass
class Accident:
    """A page that is due, a worker that dies while it sends it, and one that goes on."""

    transactions: Transactions
    clock: FrozenClock
    settings: Settings
    scene: Scene

    async def happen(self, moment: str, witness: Provider | Inbox) -> None:
        """Let a worker live until it dies at the moment."""
        self.clock.advance(seconds=2)
        point = MOMENTS[moment]
        fate = Fate("worker", "claim", point or "nowhere", self.clock().isoformat())
        async with victims(self.settings) as graveyard, graveyard.begin(fate) as victim:
            witness.meanwhile = nothing if point else victim.kill
            death = await victim.death()
        witness.meanwhile = nothing
        assert death == (point, SIGKILL)

    async def go_on(self) -> list[int]:
        """Let another worker look before and after the lease ends; return what it tried."""
        outbound = Outbound(self.settings.outbound_allow)
        channels = make_channels(self.settings, outbound)
        courier = Courier(self.transactions, channels, self.settings.base_url)
        early = await courier.deliver(self.scene.method.id)
        self.clock.now += LEASE * 2
        late = await courier.deliver(self.scene.method.id)
        await outbound.aclose()
        return [early, late]

    async def page(self) -> Page:
        """The one page that there is."""
        [page] = await pages(self.transactions)
        return page

    async def attempts(self) -> list[bool | None]:
        """What is known of each attempt, in their order; None: nothing."""
        async with self.transactions.open() as tx:
            rows = await tx.session.scalars(
                select(PageAttempt.delivered).order_by(PageAttempt.number)
            )
            return list(rows)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("kind", PROVIDERS)
async def test_a_provider_gets_the_same_page_again(
    transactions, clock, database_url, valkey, kind, moment
):
    address, answer = PROVIDERS[kind]
    async with provider(answer) as serving:
        scene = await set_scene(transactions, kind=kind, address=address.format(url=serving.url))
        await page_about(transactions, scene)
        settings = drill_settings(database_url, valkey.url, 60, **settings_for(serving))
        accident = Accident(transactions, clock, settings, scene)
        await accident.happen(moment, serving)

        tried = await accident.go_on()

    first, second = serving.asked
    assert tried == [0, 1]
    assert (await accident.page()).status is PageStatus.SENT
    assert await accident.attempts() == [None, True]
    assert (first.path, first.body) == (second.path, second.body)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_webhook_comes_again_under_its_id(
    transactions, clock, database_url, valkey, moment
):
    async with provider(Answer(200, "")) as serving:
        scene = await set_scene(transactions, address=serving.url)
        await page_about(transactions, scene)
        settings = drill_settings(database_url, valkey.url, 60)
        accident = Accident(transactions, clock, settings, scene)
        await accident.happen(moment, serving)

        await accident.go_on()

    page = await accident.page()
    assert [asked.headers["webhook-id"] for asked in serving.asked] == [str(page.id)] * 2


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_mail_comes_again_under_its_message_id(
    transactions, clock, database_url, valkey, moment
):
    inbox = Inbox()
    with mail_server(inbox) as url:
        scene = await set_scene(transactions, kind=Channel.EMAIL, address="ana@example.org")
        await page_about(transactions, scene)
        settings = drill_settings(database_url, valkey.url, 60, smtp_url=url, email_from=SENDER)
        accident = Accident(transactions, clock, settings, scene)
        await accident.happen(moment, inbox)

        tried = await accident.go_on()

    page = await accident.page()
    assert tried == [0, 1]
    assert page.status is PageStatus.SENT
    assert await accident.attempts() == [None, True]
    assert [mail["message-id"] for mail in inbox.mails] == [f"<{page.id}@ops.example>"] * 2
    assert inbox.mails[0]["subject"] == inbox.mails[1]["subject"]
