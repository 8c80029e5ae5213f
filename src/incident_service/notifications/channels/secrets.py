"""Say which texts of the settings nobody may be shown, should a provider repeat them."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from incident_service.settings import Settings


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return them all: tokens, keys, and the passwords of the servers that are called."""
    return frozenset(filter(None, found_in(settings)))


def found_in(settings: Settings) -> Iterator[str]:
    """Return each, as it is set and as it is sent."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield from (value.get_secret_value(), *value.get_secret_value().split(","))
    yield from settings.named_apprise_urls.values()
    for url in (settings.smtp_url, settings.ntfy_url):
        password = password_in(url)
        yield from (password, unquote(password))


def password_in(url: str) -> str:
    """Return the password that a URL has; what cannot be read has none, and stops no worker."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
