"""How log lines look: JSON for machines, colour for a terminal, and no secret in either."""

import logging
import sys

import structlog

from incident_service.observability.redaction import redact

SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
NOISY = ("httpx", "httpcore", "arq", "uvicorn.access")
# They write addresses that hold secrets. Whether Apprise sent is said where it is asked to.
TALKATIVE = ("apprise", "urllib3")


def configure(*, level: str, as_json: bool) -> None:
    """Send structlog and the standard library's loggers to stderr in one format."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(make_formatter(as_json=as_json))
    logging.basicConfig(handlers=[handler], level=level, force=True)
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
