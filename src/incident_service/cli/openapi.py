"""Write the OpenAPI document."""

import asyncio
import json
from typing import Any

from incident_service.core.runtime import open_runtime
from incident_service.main import create_serving_app
from incident_service.settings import Settings
from incident_service.web.openapi.older import to_3_0

# Never connected to.
NOWHERE = {"database_url": "postgresql+asyncpg://", "redis_url": "redis://"}


def as_text(*, in_3_0: bool = False) -> str:
    """Return the document: the same text for the same release, whatever the machine."""
    shown = asyncio.run(document())
    if in_3_0:
        shown = to_3_0(shown)
    return json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False)


async def document() -> dict[str, Any]:
    """Return the document, without any server."""
    settings = Settings.model_construct().model_copy(update=NOWHERE)
    async with open_runtime(settings) as runtime:
        return create_serving_app(runtime).openapi()
