"""Make storable text of whatever a sender wrote. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from incident_service.alerts.incoming import cut
from incident_service.catalog.labels import LONGEST_NAME

# PostgreSQL's text holds neither.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def read_texts(value: object) -> dict[str, str]:
    """Read a JSON object of texts; anything else is an empty one.

    Numbers, booleans and containers become their compact JSON; null and empty names are dropped.
    """
    if not isinstance(value, dict):
        return {}
    return {name: as_text(item) for name, item in value.items() if name and item is not None}


def as_text(value: Any) -> str:  # noqa: ANN401 - raw JSON
    """Return a text as it is, and any other JSON as its compact form."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def clean(text: str) -> str:
    """Replace what cannot be stored by U+FFFD."""
    return UNSTORABLE.sub("\ufffd", text)


def bounded(
    texts: Mapping[str, str], *, count: int, longest: int, keep: Collection[str] = ()
) -> dict[str, str]:
    """Clean and shorten names and values, and keep `count` of them: those of `keep` first."""
    names = list(texts)
    if len(names) > count:
        names = sorted(names, key=lambda name: name not in keep)[:count]
    return {clean(cut(name, LONGEST_NAME)): clean(cut(texts[name], longest)) for name in names}
