"""How log lines look: JSON for machines, colour for a terminal, and no secret in either."""

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

import msgspec
import structlog

from incident_service.observability.redaction import redact

log = structlog.get_logger()

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
encode = msgspec.json.Encoder().encode
NOISY = ("httpx", "httpcore", "arq", "uvicorn.access")
# They write addresses that hold secrets. Whether Apprise sent is said where it is asked to.
TALKATIVE = ("apprise", "urllib3")


@dataclass(slots=True)
class Lines:
    """Where lines are written that come by the thousand; None: they go the way of all others."""

    stream: TextIO | None = None


LINES = Lines()


def write_often(event: str, fields: Mapping[str, object]) -> None:
    """Write a line at level INFO of what comes by the thousand; `fields` is all that it has.

    Past structlog, the standard library and the search for secrets, which together cost more than a
    webhook. So the fields must be such that they hold none: ids, numbers, names of our own.
    """
    if LINES.stream is None:
        log.info(event, **fields)
        return
    at = datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - as structlog does for the others
    line = {**fields, "event": event, "level": "info", "timestamp": at}
    LINES.stream.write(encode(line).decode() + "\n")


def configure(*, level: str, as_json: bool, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers to stderr, or `stream`, in one format."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(make_formatter(as_json=as_json))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    is_wanted = as_json and logging.getLogger().isEnabledFor(logging.INFO)
    LINES.stream = handler.stream if is_wanted else None
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for talkative in TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.CRITICAL)


def make_formatter(*, as_json: bool) -> logging.Formatter:
    """Write events of structlog and records of the standard library alike, with secrets masked."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )
