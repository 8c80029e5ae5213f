"""The paging path with nothing left out: Alertmanager, API, worker, and pagers that listen."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from arq.connections import ArqRedis
from tests.alertmanager.alertmanager import Alertmanager, alertmanager
from tests.alertmanager.configuration import bearer, configuration
from tests.alertmanager.serving import ingest_url, serving
from tests.alertmanager.steps import make_customer
from tests.api_steps import Customer
from tests.fakes import MovableClock
from tests.receiver import WebhookReceiver, webhook_receiver
from tests.running import Service, drill_settings, running

from incident_service.core.db import Transactions
from incident_service.core.queue import make_redis
from incident_service.embedded import EmbeddedValkey
from incident_service.main import create_serving_app
from incident_service.settings import Settings

StartAlertmanager = Callable[[str], Awaitable[Alertmanager]]


@pytest.fixture
async def redis(valkey: EmbeddedValkey) -> AsyncIterator[ArqRedis]:
    redis = make_redis(valkey.url)
    yield redis
    await redis.flushdb()
    await redis.aclose(close_connection_pool=True)


@pytest.fixture
def settings(
    transactions: Transactions, database_url: str, valkey: EmbeddedValkey, redis: ArqRedis
) -> Settings:
    """Levels last their real minutes: nobody is paged a second time within a test."""
    return drill_settings(database_url, valkey.url, 60)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    """The pagers: `one` is of level 1, `two` of level 2."""
    async with webhook_receiver() as receiver:
        yield receiver


@pytest.fixture
def service_clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def service(settings: Settings, service_clock: MovableClock) -> AsyncIterator[Service]:
    async with running(settings, clock=service_clock) as service:
        yield service


@pytest.fixture
async def url(service: Service) -> AsyncIterator[str]:
    """Where Alertmanager sends its webhooks to."""
    async with serving(create_serving_app(service.runtime)) as base:
        yield ingest_url(base)


@pytest.fixture
async def customer(service: Service, receiver: WebhookReceiver) -> Customer:
    """Who wired Alertmanager to the service."""
    return await make_customer(service, receiver)


@pytest.fixture
async def start_alertmanager(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[StartAlertmanager]:
    """Start any number of them, each with the text of its configuration."""
    async with AsyncExitStack() as started:

        async def start(text: str) -> Alertmanager:
            directory = tmp_path_factory.mktemp("alertmanager")
            return await started.enter_async_context(alertmanager(text, directory))

        yield start


@pytest.fixture
async def sender(
    start_alertmanager: StartAlertmanager, customer: Customer, url: str
) -> Alertmanager:
    """The usual one: it sends what is new at once, and repeats nothing."""
    return await start_alertmanager(configuration(url, bearer(customer.ingest_key)))
