"""PostgreSQL goes away while somebody listens: the stream stays, and goes on when it is back."""

import signal

import pytest
from tests import factories
from tests.alertmanager.serving import serving
from tests.api_steps import firing, set_up
from tests.conftest import EMPTY, execute
from tests.incidents.stream.listening import listening
from tests.outages.conftest import DATABASE, kill
from tests.outages.test_postgres import sent_until_stored
from tests.running import drill_settings, running

from incident_service.incidents.stream.news import Pace, Streams
from incident_service.main import create_app

pytestmark = pytest.mark.faults

PACE = Pace(look_s=0.1, heartbeat_s=0.5, patience_s=5.0, farewell_s=0.5)


@pytest.fixture
async def service(own_database_url, own_postgres, valkey):
    settings = drill_settings(own_database_url, valkey.url, 60, transaction_seconds=1.5)
    async with running(settings, workers=0) as service:
        yield service
    await execute(own_postgres.database_url(DATABASE), EMPTY)


@pytest.fixture
async def url(service):
    app = create_app(service.settings, service.runtime.transactions)
    app.state.streams = Streams(service.runtime.transactions, 10, PACE)
    async with serving(app) as url:
        yield url
        app.state.streams.stop()


@pytest.fixture
async def headers(service):
    async with service.runtime.transactions.open() as tx:
        key = await factories.make_api_key(tx, scopes=["read"])
    return {"Authorization": f"Bearer {key}"}


async def test_a_stream_outlives_a_restart_of_postgresql(service, url, headers, own_postgres):
    customer = await set_up(service.api, ["https://pager.example/one"])
    async with listening(url, headers, kind="opened") as reader:
        await customer.webhook(firing("Before"))
        await reader.hears(1)
        kill(own_postgres, signal.SIGQUIT)
        await sent_until_stored(customer, "Meanwhile")
        await reader.hears(2)

    assert [title for title, _ in reader.sequences] == ["Before", "Meanwhile"]


async def test_heartbeats_come_while_postgresql_is_silent(service, url, headers, to_postgres):
    customer = await set_up(service.api, ["https://pager.example/one"])
    async with listening(url, headers, kind="opened") as reader:
        to_postgres.freeze()
        beats = reader.parser.comments.count("alive")
        await reader.beats(beats + 4)
        to_postgres.thaw()
        await sent_until_stored(customer, "After")
        await reader.hears(1)

    assert not reader.was_cut
    assert reader.sequences == [("After", 1)]
