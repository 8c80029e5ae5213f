"""Decide what a JSON merge patch makes of a value. Pure.

Source: https://www.rfc-editor.org/rfc/rfc7396#section-2
"""

from typing import Any


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return the patched value: objects are merged, null takes a name out, the rest replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
