"""Read and write configuration files: YAML 1.2, of which JSON is a part. Pure."""

import re
from typing import Any

import yaml
from pydantic import ValidationError

from incident_service.configuration.document import Document

MOST_MISTAKES = 20


class FileWrong(ValueError):
    """The file cannot be used; the message says where and why, a line each."""


class Loader(yaml.SafeLoader):
    """Reads YAML 1.2's core: `10:00` is a text and `no` too, and no key comes twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001 - as the library declares it
        """Read a mapping, and refuse a key that comes twice."""
        names = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if names.count(key.value) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} comes twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    """Read a whole number: `010` is ten."""
    return int(loader.construct_scalar(node))


def decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    """Read a number with a point or an exponent."""
    return float(loader.construct_scalar(node))


class Dumper(yaml.SafeDumper):
    """Writes lists indented below their key, and quotes what YAML 1.1 or 1.2 would misread."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001 - as the library declares it
        """Indent lists as well."""
        super().increase_indent(flow, indentless=False)


Loader.yaml_implicit_resolvers = {}
Loader.add_constructor("tag:yaml.org,2002:int", whole)
Loader.add_constructor("tag:yaml.org,2002:float", decimal)
# Source: YAML 1.2.2, 10.3.2 (core schema). What YAML 1.1 also takes for numbers, dates and truths
# is text there.
for tag, pattern, begins in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    for each in (Loader, Dumper):
        each.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), begins
        )


def read(text: str) -> Document:
    """Read a file.

    Raises:
        FileWrong: it is not YAML, or holds something that is unknown or wrong.
    """
    try:
        data = yaml.load(text, Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise FileWrong(f"This is not YAML: {error}") from error
    except ValueError as error:
        raise FileWrong(f"A value cannot be read: {error}") from error
    except RecursionError as error:
        raise FileWrong("This is nested too deeply.") from error
    if not isinstance(data, dict):
        raise FileWrong("The file has to hold `users`, `teams` or `webhook_subscriptions`.")
    try:
        return Document.model_validate(data)
    except ValidationError as error:
        raise FileWrong("\n".join(mistakes(error, data))) from error


def mistakes(error: ValidationError, data: Any) -> list[str]:  # noqa: ANN401 - whatever was read
    """Say where each mistake is, by names where there are any."""
    found = error.errors(include_url=False, include_input=False)
    said = [f"{place(item['loc'], data)}: {message(item)}" for item in found[:MOST_MISTAKES]]
    if len(found) > MOST_MISTAKES:
        said.append(f"… and {len(found) - MOST_MISTAKES} more")
    return said


def message(item: Any) -> str:  # noqa: ANN401 - pydantic's own shape
    """Say what is wrong."""
    if item["type"] == "extra_forbidden":
        return "there is no such field"
    return str(item["msg"]).removeprefix("Value error, ")


def place(location: tuple[int | str, ...], data: Any) -> str:  # noqa: ANN401 - whatever was read
    """Write a place such as `teams[Payments].services[Checkout].grouping`."""
    said = ""
    for step in location:
        data = child(data, step)
        if isinstance(step, int):
            said += f"[{name_of(data) or step}]"
        else:
            said += f".{step}" if said else step
    return said or "file"


def child(data: Any, step: int | str) -> Any:  # noqa: ANN401 - whatever was read
    """Return what lies one step further in, if anything does."""
    try:
        return data[step]
    except (KeyError, IndexError, TypeError):
        return None


def name_of(data: Any) -> str:  # noqa: ANN401 - whatever was read
    """Return how people call an entry of a list, if they do."""
    if not isinstance(data, dict):
        return ""
    found = next((data[key] for key in ("email", "name", "user") if data.get(key)), "")
    return str(found)


def write(document: Document, *, schema: str = "") -> str:
    """Write a file, without what has its default value.

    `schema` is where editors find the JSON Schema; empty: nowhere.
    """
    data = {"version": document.version, **document.model_dump(mode="json", exclude_defaults=True)}
    text = yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)
    return f"# yaml-language-server: $schema={schema}\n{text}" if schema else text
