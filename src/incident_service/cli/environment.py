"""Read the settings of this process, and write them for another one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from incident_service.cli.failing import CannotRun
from incident_service.observability import exporting, logging, tracing
from incident_service.settings import PREFIX, Settings

log = structlog.get_logger()
REAL_MINUTE_S = 60.0


def load_settings(**given: Any) -> Settings:  # noqa: ANN401 - any setting
    """Read the settings; those `given` win over the environment.

    Raises:
        CannotRun: some cannot be read; the message names them and never repeats a value.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{variable(str(item['loc'][0]))}: {item['msg']}" for item in error.errors()
        )
        raise CannotRun(f"Some settings cannot be used. {wrong}.") from error
    except SettingsError as error:
        raise CannotRun(f"Some settings cannot be used: {error}.") from error
    except OSError as error:
        raise CannotRun(
            f"A setting's file cannot be read: {error.filename}: {error.strerror}."
        ) from error


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def require_servers(settings: Settings) -> Settings:
    """Refuse to go on without PostgreSQL and Redis.

    Raises:
        CannotRun: an address is missing.
    """
    names = [name for name in ("database_url", "redis_url") if not getattr(settings, name)]
    if names:
        missing = " and ".join(map(variable, names))
        raise CannotRun(
            f"Set {missing}, or run `incident-service dev`, which brings its own servers."
        )
    return settings


def configure_logging(settings: Settings) -> None:
    """Begin to log as the settings say, and shout about a minute that is none."""
    logging.configure(level=settings.log_level, as_json=settings.log_json)


@contextmanager
def recording_spans(settings: Settings) -> Iterator[None]:
    """Have OpenTelemetry record what is done meanwhile, if the settings say so.

    Raises:
        CannotRun: it is not installed.
    """
    if not settings.otel:
        yield
        return
    try:
        recorder = exporting.make_recorder()
    except exporting.TracingNotInstalled as error:
        raise CannotRun(str(error)) from error
    tracing.record_with(recorder)
    try:
        yield
    finally:
        tracing.record_with(None)
        recorder.close()


def warn_of_drill(settings: Settings) -> None:
    """Shout about policies whose minutes are not minutes: real pages would come too fast."""
    if settings.escalation_minute_seconds != REAL_MINUTE_S:
        log.error(
            "settings.drill_minutes",
            escalation_minute_seconds=settings.escalation_minute_seconds,
            meaning="a policy's minute is not a minute: this is for drills, never for production",
        )


def as_environment(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Write settings as environment variables, for a process that is to share them."""
    values = {name: getattr(settings, name) for name in names}
    return {variable(name): written(value) for name, value in values.items() if value is not None}


def written(value: object) -> str:
    """Write one setting as its variable has it; a secret too."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)
