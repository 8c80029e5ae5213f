"""The OpenAPI document, made once in each process: that takes longer than most tests."""

import json
from functools import cache
from typing import Any

from incident_service.cli.openapi import as_text


@cache
def text(*, in_3_0: bool = False) -> str:
    """Return the document as it is written to docs/openapi.json."""
    return as_text(in_3_0=in_3_0)


@cache
def document() -> dict[str, Any]:
    """Return the document. Nobody changes it."""
    read: dict[str, Any] = json.loads(text())
    return read
