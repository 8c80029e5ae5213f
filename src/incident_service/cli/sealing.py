"""Seal what is stored in plain text, or with an earlier key."""

import asyncio

from incident_service.cli.configuring import open_transactions
from incident_service.cli.database import open_database
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import described
from incident_service.core.db import DATABASE_AWAY
from incident_service.core.resealing import reseal
from incident_service.core.sealing import Sealer
from incident_service.subscriptions.models import WebhookSubscription
from incident_service.teams.models import ContactMethod

SEALED = (
    ContactMethod.address,
    ContactMethod.signing_secret,
    WebhookSubscription.url,
    WebhookSubscription.secret,
    WebhookSubscription.previous_secret,
)


def run_reseal() -> None:
    """Seal everything with the first of the keys, and say how much that was.

    Raises:
        CannotRun: no key is set, or the database is away.
    """
    settings = load_settings()
    if not settings.sealing_keys:
        raise CannotRun("Set INCIDENT_SERVICE_SEALING_KEY, here and for every API and worker.")
    with open_database(settings, make=False) as url:
        try:
            sealed, left = asyncio.run(seal_all(url, settings.sealing_keys))
        except DATABASE_AWAY as error:
            raise CannotRun(f"The database did not do it: {described(error)}") from error
    print(f"Sealed: {sealed}. Left as they are: {left}.")


async def seal_all(url: str, keys: tuple[str, ...]) -> tuple[int, int]:
    """Seal every text that is to be sealed."""
    async with open_transactions(url, keys) as transactions:
        return await reseal(transactions, Sealer(keys), SEALED)
