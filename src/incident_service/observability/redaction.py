"""Keep secrets out of the logs: whatever is about to be written is masked first.

Secrets are not logged on purpose. This is for those that come along: in an address, in a header,
in the text of an error.
"""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

MASK = "***"
SECRET_NAMES = frozenset({"authorization", "x-api-key", "password", "secret", "token", "api_key"})

RULES = (
    # The key in the address of a sender, whatever it looks like.
    (re.compile(r"(/v1/ingest/[\w-]+/)[^/\s\"'?#]+"), rf"\1{MASK}"),
    # The link in a page, by which it is answered.
    (re.compile(r"(/a/)[\w-]{22}\.[\w-]{22}", re.ASCII), rf"\1{MASK}"),
    # Our own keys, wherever they stand.
    (re.compile(r"(isc|isi|isk|whsec)_[\w+/=-]+", re.ASCII), rf"\1_{MASK}"),
    # A header, as HTTP, JSON or Python writes it.
    (
        re.compile(
            r"(\b(?:authorization|x-api-key)\b[\"']?\s*[:=,]\s*(?:b?[\"'])?)"
            r"(?:[a-z]+\s+)?[^\s\"',;]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{16,}", re.IGNORECASE | re.ASCII), rf"\1 {MASK}"),
    # Addresses that are secrets as a whole, or hold one in their path.
    (re.compile(r"(//hooks\.slack(?:-gov)?\.com/)[^\s\"']+"), rf"\1{MASK}"),
    (re.compile(r"(/bot)\d+:[\w-]+", re.ASCII), rf"\1{MASK}"),
    # The password in an address.
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{MASK}@"),
)


def mask(text: str) -> str:
    """Replace what looks like a secret by `***`."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text


def masked(value: Any) -> Any:  # noqa: ANN401 - whatever is logged
    """Mask every text in a value, and all of a value whose name says that it is secret."""
    match value:
        case str():
            return mask(value)
        case bytes() | BaseException():
            return mask(repr(value))
        case Mapping():
            return {
                name: MASK if str(name).lower() in SECRET_NAMES else masked(item)
                for name, item in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [masked(item) for item in value]
        case _:
            return value


def redact(
    _logger: Any,  # noqa: ANN401 - structlog's signature
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Mask a structlog event. It belongs after `format_exc_info`, right before the renderer."""
    clean: MutableMapping[str, Any] = masked(event)
    return clean
