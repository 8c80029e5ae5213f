"""The OpenAPI document, made once in each process: that takes longer than most tests."""

import json
from functools import cache
from typing import Any

from incident_service.cli.openapi import as_text


@cache
def document() -> dict[str, Any]:
    """Return the document as it is written to docs/openapi.json. Nobody changes it."""
    read: dict[str, Any] = json.loads(as_text())
    return read
