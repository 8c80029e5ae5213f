"""The kinds of text and of instants that requests carry."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    Strict,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from incident_service.web.merge_patch import merged

# Python's years end where those of other time zones go on, and PostgreSQL turns the very last
# instants of year 9999 into infinity; what is reckoned from an instant needs some years more.
FIRST_YEAR = 2000
LAST_YEAR = 9900


def _storable(text: str) -> str:
    """PostgreSQL's text holds neither U+0000 nor lone surrogates."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("must not contain U+0000 or unpaired surrogates")
    return text


def _in_utc(instant: datetime) -> datetime:
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}")
    return instant.astimezone(UTC)


def _one_line(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in text):
        raise ValueError("must be one line, without control characters")
    return text


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Text = Annotated[str, AfterValidator(_storable)]
Sought = Annotated[str, StringConstraints(max_length=200), AfterValidator(_storable)]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_storable),
    AfterValidator(_one_line),
]
Prose = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Words = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000),
    AfterValidator(_storable),
]
# As JSON has them: a text that could be read as a number, or a 1 as yes, is none.
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
ExternalId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_storable),
    AfterValidator(_one_line),
]


def without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without its null: what may be left out need not be null as well."""
    choices: list[dict[str, Any]] = schema.get("anyOf", [])
    left = [choice for choice in choices if choice.get("type") != "null"]
    if len(left) == len(choices):
        return dict(schema)
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return {**left[0], **rest} if len(left) == 1 else {**rest, "anyOf": left}


class Request(BaseModel):
    """A request body: unknown fields are refused, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Patch(Request):
    """A JSON merge patch: a field left out stays as it is; null only where null has a meaning.

    Subclasses list in `nullable` the fields that null clears.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_stray_nulls(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - raw JSON
        if value is None and info.field_name not in cls.nullable():
            raise PydanticCustomError("null_refused", "may be left out, but not null")
        return value

    @classmethod
    def nullable(cls) -> frozenset[str]:
        """Return the names of the fields that null clears."""
        return frozenset()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Show null only where it may be sent."""
        shown = handler(core_schema)
        properties = handler.resolve_ref_schema(shown).get("properties", {})
        for name in properties.keys() - cls.nullable():
            properties[name] = without_null(properties[name])
        return shown

    def changes(self) -> dict[str, Any]:
        """Return only what the caller sent."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    def changes_of(self, present: object) -> dict[str, Any]:
        """Return what the caller sent, with objects merged into those that a locked row has."""
        return {
            name: merged(getattr(present, name), value) if isinstance(value, dict) else value
            for name, value in self.changes().items()
        }


class Response(BaseModel):
    """A response body, read from a row's attributes. Each member is always there."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


def open_words(words: Iterable[str], *, more: str = "") -> WithJsonSchema:
    """Describe texts of which there may be more in a later release.

    Clients that were generated from a closed set would fail at the first new one.
    """
    known = ", ".join(f"`{word}`" for word in words)
    return WithJsonSchema(
        {"type": "string", "description": f"{more} An open set: {known}, …".strip()}
    )
