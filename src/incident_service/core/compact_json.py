"""Write plain values as JSON, quickly."""

import msgspec

encode = msgspec.json.Encoder().encode
"""Return the compact JSON of a plain value, a dataclass or a structure, as bytes."""


def dumps(value: object) -> str:
    """Return the compact JSON of a plain value as text."""
    return encode(value).decode()
