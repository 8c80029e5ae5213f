"""Read server-sent events as a browser does."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Event:
    id: str
    kind: str
    data: str


@dataclass
class Parser:
    """Takes lines without their ends; `last_id` and `retry_ms` are what a client remembers."""

    last_id: str = ""
    retry_ms: int | None = None
    comments: list[str] = field(default_factory=list)
    _kind: str = ""
    _data: list[str] = field(default_factory=list)

    def take(self, line: str) -> Iterator[Event]:
        if not line:
            if self._data:
                yield Event(self.last_id, self._kind or "message", "\n".join(self._data))
            self._kind, self._data = "", []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments.append(value)
            case "id":
                self.last_id = value
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "retry":
                self.retry_ms = int(value)
            case _:
                pass
