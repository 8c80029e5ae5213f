"""What an operator sets: environment variables with the prefix `INCIDENT_SERVICE_`."""

import os
import re
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "INCIDENT_SERVICE_"
# To listen at every address is not an address that one could open.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
SECRET_KEY_LENGTH = 32
AUDIT_IS_KEPT_DAYS = 30
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
Network = IPv4Network | IPv6Network


class SecretFiles(PydanticBaseSettingsSource):
    """Read `INCIDENT_SERVICE_<NAME>_FILE`: the value is the content of the named file."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Return the file's content without its last line break, or None."""
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        value = Path(path).read_text().rstrip("\r\n") if path else None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every setting that is given as a file."""
        found = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class AccessLog(StrEnum):
    """Which requests are logged: a line each, none, or none of those that bring alerts."""

    ON = "on"
    OFF = "off"
    NO_INGEST = "no-ingest"


def read_keys(keys: SecretStr) -> tuple[str, ...]:
    """Part keys that are written with commas between them."""
    return tuple(key.strip() for key in keys.get_secret_value().split(",") if key.strip())


class Settings(BaseSettings):
    """All settings. Each may also be given as a file, by the name with `_FILE` added."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    database_url: str = Field("", description="PostgreSQL, as postgresql+asyncpg://…")
    redis_url: str = Field("", description="Redis or Valkey, as redis://… or unix://…")
    data_dir: Path | None = Field(None, description="Where `dev` keeps its own PostgreSQL.")
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    worker_port: int = Field(
        8081, ge=0, le=65535, description="Where a worker shows `/livez` and `/metrics`."
    )
    public_url: str = Field("", description="How people and senders reach the service.")
    bootstrap_api_key: SecretStr | None = Field(None, description="Makes the first admin key.")
    secret_key: SecretStr | None = Field(
        None,
        description="Signs the links in pages. Several, parted by commas: the first one signs.",
    )
    fallback_contact: str = Field(
        "", description="Told when nobody else can be: mailto:…, ntfy:<topic>, sms:+…, https://…, …"
    )
    outbound_allow: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="Private networks that webhooks may reach, as CIDRs, comma-separated."
    )
    escalation_minute_seconds: float = Field(60.0, gt=0, description="A policy's minute.")
    ntfy_url: str = Field("https://ntfy.sh", description="The ntfy server of bare topics.")
    smtp_url: str = Field("", description="smtp://[user:password@]host[:port], or smtps://…")
    smtp_login_without_tls: bool = Field(
        False, description="Send the mail server its password even when it offers no TLS."
    )
    email_from: str = Field("incident-service@localhost", description="Sender of mails.")
    telegram_bot_token: SecretStr | None = Field(
        None, description="The bot that pages by Telegram come from."
    )
    telegram_url: str = Field("https://api.telegram.org", description="Telegram's Bot API.")
    twilio_account_sid: str = Field("", description="The Twilio account of SMS and calls.")
    twilio_auth_token: SecretStr | None = Field(None, description="The account's auth token.")
    twilio_from_number: str = Field("", description="Whom SMS and calls come from, like +1….")
    twilio_url: str = Field("https://api.twilio.com", description="Twilio, or what speaks like it.")
    apprise_urls: SecretStr | None = Field(
        None, description="What `apprise` contact methods may name: name=url, by spaces or lines."
    )
    sealing_key: SecretStr | None = Field(
        None, description="Seals addresses and secrets in the database; several: `new,old`."
    )
    metrics_token: SecretStr | None = Field(None, description="Asked for at /metrics when set.")
    heartbeat_url: SecretStr | None = Field(
        None, description="A dead-man's switch, called about every minute while pages get through."
    )
    ingest_body_bytes: int = Field(
        16 * 1024 * 1024, ge=1024, description="The longest webhook, as it is sent."
    )
    ingest_unpacked_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="The longest webhook, unpacked."
    )
    ingest_alerts: int = Field(20_000, ge=1, description="Alerts in a webhook.")
    ingest_labels: int = Field(64, ge=1, description="Labels kept of an alert, and annotations.")
    ingest_depth: int = Field(
        256, ge=8, le=500, description="How deep a webhook's JSON may be nested."
    )
    header_bytes: int = Field(
        65_536, ge=1024, description="The longest head of a request: its address and headers."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Whose pages may call the API from browsers: https://host, comma-separated."
    )
    api_requests_per_second: float = Field(
        50, ge=0, description="What each API process lets a key, or an address, ask; 0: all."
    )
    api_request_burst: int = Field(200, ge=1, description="How much of that at once.")
    streams: int = Field(100, ge=0, description="Streams of changes at once, in each process.")
    database_pool_size: int = Field(10, ge=2, le=200)
    transaction_seconds: float = Field(
        12.0, gt=0, description="What takes the database longer is given up, and answered 503."
    )
    auto_close_days: int = Field(
        30, ge=0, description="When what is resolved is closed by itself; 0: never."
    )
    keep_incidents_days: int = Field(
        365,
        ge=0,
        description="How long closed incidents and theirs are kept; 0: for ever.",
    )
    keep_alerts_days: int = Field(
        30, ge=0, description="How long ended alerts without an incident are kept; 0: for ever."
    )
    keep_notes_days: int = Field(
        30, ge=0, description="How long tests, codes and notices are kept; 0: for ever."
    )
    keep_audit_days: int = Field(
        730, ge=0, description="How long the audit log is kept, 31 or more; 0: for ever."
    )
    worker_jobs: int = Field(20, ge=1, le=200, description="Jobs at once, in each worker.")
    otel: bool = Field(
        False, description="Record spans by OpenTelemetry, as its own OTEL_… variables say."
    )
    access_log: AccessLog = Field(AccessLog.ON, description="Which requests are logged.")
    log_level: str = "INFO"
    log_json: bool = True

    @field_validator("database_url")
    @classmethod
    def _name_the_driver(cls, url: str) -> str:
        """Accept the address as other tools write it."""
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return "postgresql+asyncpg://" + url.removeprefix(scheme)
        if url and not url.startswith("postgresql+asyncpg://"):
            raise ValueError("must start with postgresql://")
        return url

    @field_validator("keep_audit_days")
    @classmethod
    def _is_kept_long_enough(cls, days: int) -> int:
        if 0 < days <= AUDIT_IS_KEPT_DAYS:  # the database refuses to delete it
            raise ValueError(f"must be more than {AUDIT_IS_KEPT_DAYS}, or 0")
        return days

    @field_validator("secret_key")
    @classmethod
    def _is_long_enough(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys and any(len(key) < SECRET_KEY_LENGTH for key in read_keys(keys)):
            raise ValueError(f"each key must have at least {SECRET_KEY_LENGTH} characters")
        return keys

    @field_validator("heartbeat_url")
    @classmethod
    def _is_web_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url

    @field_validator("apprise_urls")
    @classmethod
    def _names_urls(cls, pairs: SecretStr | None) -> SecretStr | None:
        read_named_urls(secret_text(pairs))
        return pairs

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if any(origin != "*" and not ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError("must be like https://host or https://host:port, without a path, or *")
        return origins

    @field_validator("outbound_allow", "cors_origins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 - raw environment
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level")
    @classmethod
    def _upper(cls, level: str) -> str:
        known = ("DEBUG", "INFO", "WARNING", "ERROR")
        if level.upper() not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return level.upper()

    @property
    def named_apprise_urls(self) -> dict[str, str]:
        """The Apprise URLs by the names that contact methods give; each is a secret."""
        return read_named_urls(secret_text(self.apprise_urls))

    @property
    def minute(self) -> timedelta:
        """The length of a policy's minute."""
        return timedelta(seconds=self.escalation_minute_seconds)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys that links are signed with, the newest first; none when none is set."""
        return read_keys(self.secret_key) if self.secret_key else ()

    @property
    def sealing_keys(self) -> tuple[str, ...]:
        """The keys that seal addresses, the newest first; none when none is set."""
        return read_keys(self.sealing_key) if self.sealing_key else ()

    @property
    def local_url(self) -> str:
        """How this machine reaches the API."""
        host = LOOPBACK.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The service's own address, for links, without a slash at its end."""
        return self.public_url.rstrip("/") or self.local_url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over files."""
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings


def secret_text(secret: SecretStr | None) -> str:
    """Return a secret for use; an empty text when none is set."""
    return secret.get_secret_value() if secret else ""


def read_named_urls(pairs: str) -> dict[str, str]:
    """Read `name=url` pairs, parted by spaces or line breaks: an Apprise URL has none of these.

    Raises:
        ValueError: a pair is none, or a name comes twice; the message repeats no URL.
    """
    found: dict[str, str] = {}
    for pair in pairs.split():
        name, _, url = pair.partition("=")
        if not name or "://" in name or "://" not in url:
            raise ValueError("must be name=url pairs, parted by spaces or line breaks")
        if name in found:
            raise ValueError("must give each name once")
        found[name] = url
    return found
