"""How else than in the terminal `dev` reaches a person: NTFY_TOPIC and EMAIL."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from incident_service.cli.failing import CannotRun
from incident_service.settings import Settings
from incident_service.teams.addresses import problem_with
from incident_service.teams.models import Channel


@dataclass(frozen=True, slots=True)
class Reach:
    """Addresses beside the console; an empty one is not used."""

    ntfy_topic: str = ""
    email: str = ""

    def by_channel(self) -> dict[Channel, str]:
        """Return the address of each channel."""
        return {Channel.NTFY: self.ntfy_topic, Channel.EMAIL: self.email}


def read_reach(environ: Mapping[str, str], settings: Settings) -> Reach:
    """Read the plain variables that `make run NTFY_TOPIC=… EMAIL=…` hands on.

    Raises:
        CannotRun: one cannot be used.
    """
    reach = Reach(environ.get("NTFY_TOPIC", "").strip(), environ.get("EMAIL", "").strip())
    for channel, address in reach.by_channel().items():
        if address and (problem := problem_with(channel, address)):
            raise CannotRun(f"{address!r} cannot be used. {problem}")
    if reach.email and not settings.smtp_url:
        raise CannotRun(
            "EMAIL needs a mail server: set INCIDENT_SERVICE_SMTP_URL, "
            "such as smtp://user:password@mail.example.org:587."
        )
    return reach


def with_sender(settings: Settings, reach: Reach) -> Settings:
    """Let mails come from somebody whom the mail server believes, unless a sender is set.

    That is who logs in there, or else whom they go to: providers refuse `…@localhost`.
    """
    if not reach.email or "email_from" in settings.model_fields_set:
        return settings
    user = unquote(urlsplit(settings.smtp_url).username or "")
    sender = reach.email if problem_with(Channel.EMAIL, user) else user
    return settings.model_copy(update={"email_from": sender})
