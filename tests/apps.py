"""The API, built already: building it takes longer than most tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from incident_service.core.db import Transactions
from incident_service.main import create_app, equip
from incident_service.settings import Settings

_idle: list[FastAPI] = []


@contextmanager
def lent(settings: Settings, transactions: Transactions) -> Iterator[FastAPI]:
    """Lend an API on these transactions to one user at a time; what they change is put back."""
    assert not settings.cors_origins, "what lets pages in is built in"
    app = _idle.pop() if _idle else create_app(settings, transactions)
    before = dict(app.state._state)
    equip(app, settings, transactions)
    try:
        yield app
    finally:
        app.dependency_overrides.clear()
        app.state._state.clear()
        app.state._state.update(before)
        _idle.append(app)
