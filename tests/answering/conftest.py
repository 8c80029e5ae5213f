"""Pages that were really made, and clients that open the links in them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from tests.notifications.arrangements import ScriptedChannel
from tests.stage import Stage

from incident_service.notifications.answer_links import AnswerLinks, make_links
from incident_service.notifications.delivery import Courier
from incident_service.notifications.message import OutgoingPage
from incident_service.settings import Settings
from incident_service.teams.models import Channel, ContactMethod, User

KEY = "the key that signs links in all tests of them"
PUBLIC_URL = "https://oncall.example"


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, secret_key=KEY, public_url=PUBLIC_URL)


@pytest.fixture
def links(settings: Settings) -> AnswerLinks:
    made = make_links(settings)
    assert made
    return made


PageTo = Callable[[User], Awaitable[OutgoingPage]]


@pytest.fixture
def page_to(stage: Stage, links: AnswerLinks) -> PageTo:
    """Deliver what is due for a person; return the page."""

    async def deliver(person: User) -> OutgoingPage:
        channel = ScriptedChannel()
        courier = Courier(stage.transactions, {Channel.WEBHOOK: channel}, PUBLIC_URL, links=links)
        (method,) = await stage.rows(
            select(ContactMethod.id).where(ContactMethod.user_id == person.id)
        )
        await courier.deliver(method)
        (page,) = channel.pages
        stage.clock.advance(minutes=1)
        return page

    return deliver


@pytest.fixture
async def phone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that has no key, and lets the operator's proxy name any host."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as client:
        yield client


def path_of(page: OutgoingPage) -> str:
    """The link's path; what is before it is `PUBLIC_URL`."""
    assert page.answer_url
    assert page.answer_url.startswith(f"{PUBLIC_URL}/a/")
    return urlsplit(page.answer_url).path
