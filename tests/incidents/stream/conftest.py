from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from fastapi import FastAPI
from tests import factories
from tests.alertmanager.serving import serving
from tests.credentials import key_with
from tests.incidents.stream.listening import Listener, listening

from incident_service.catalog.models import Service
from incident_service.core.db import Transactions, Tx
from incident_service.incidents import locks, timeline
from incident_service.incidents.models import Incident
from incident_service.incidents.stream.news import Pace, Streams
from incident_service.incidents.timeline import EventKind
from incident_service.teams.models import Team

QUICK = Pace(look_s=0.02, heartbeat_s=0.3, patience_s=1.0, farewell_s=0.2)


@dataclass
class Station:
    """A team with a service, and a server that streams its changes."""

    transactions: Transactions
    team: Team
    service: Service
    headers: dict[str, str]
    url: str
    app: FastAPI

    async def incident(self, title: str = "Disk full", service: Service | None = None) -> Incident:
        async with self.transactions.open() as tx:
            return await factories.make_incident(tx, service or self.service, title=title)

    async def happen(self, incident: Incident, *kinds: EventKind) -> None:
        """Record events, each in a transaction of its own."""
        for kind in kinds:
            async with self.transactions.open() as tx:
                await record(tx, incident, kind)

    @property
    def listening(self) -> Callable[..., AbstractAsyncContextManager[Listener]]:
        return partial(listening, self.url, self.headers)


async def record(tx: Tx, incident: Incident, kind: EventKind, **data: object) -> None:
    """Record an event as the verbs do: under the incident's lock."""
    locked = await locks.lock(tx.session, [incident.id])
    timeline.record(tx, locked[incident.id], kind, data=data)
    await tx.flush()


@asynccontextmanager
async def streaming(
    app: FastAPI, transactions: Transactions, pace: Pace = QUICK, most: int = 10
) -> AsyncIterator[str]:
    """Serve the app with a stream that is quick; say where."""
    app.state.streams = Streams(transactions, most, pace)
    async with serving(app) as url:
        try:
            yield url
        finally:
            app.state.streams.stop()


@pytest.fixture
async def station(app: FastAPI, transactions: Transactions) -> AsyncIterator[Station]:
    async with transactions.open() as tx:
        team = await factories.make_team(tx)
        service = await factories.make_service(tx, team)
    headers = await key_with(transactions, scopes=["read"])
    async with streaming(app, transactions) as url:
        yield Station(transactions, team, service, headers, url, app)
