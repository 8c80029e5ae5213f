"""What tests of incoming alerts share: a sender with the stage's key."""

import httpx
import pytest
from tests.stage import Stage


@pytest.fixture
async def sender(anonymous: httpx.AsyncClient, stage: Stage) -> httpx.AsyncClient:
    """A client with the key of the stage's integration."""
    anonymous.headers["Authorization"] = f"Bearer {stage.key}"
    return anonymous
