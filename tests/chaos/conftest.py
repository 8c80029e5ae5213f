"""Where victims come from, and the scene on which they die."""

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from tests.chaos.dying import Victims, victims
from tests.chaos.scene import Scene, open_scene
from tests.running import drill_settings

from incident_service.settings import Settings


@pytest.fixture(scope="package")
def drill(database_url, valkey) -> Settings:
    return drill_settings(database_url, valkey.url, 60)


@pytest.fixture(scope="package")
async def graveyard(drill: Settings) -> AsyncIterator[Victims]:
    async with victims(drill) as them:
        yield them


@pytest.fixture
def bundle() -> bool:
    """Whether people's addresses take several incidents in one page."""
    return True


@pytest.fixture
async def scene(
    drill: Settings, graveyard: Victims, app: FastAPI, *, bundle: bool
) -> AsyncIterator[Scene]:
    async with open_scene(drill, graveyard, app, bundle=bundle) as scene:
        yield scene
