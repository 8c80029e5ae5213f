"""Headers of callers other than the admin whom the `api` fixture is."""

from typing import Any

from tests import factories

from incident_service.core.db import Transactions
from incident_service.teams.models import Team

ALL_BUT_ADMIN = ("read", "respond", "manage")


async def key_with(transactions: Transactions, **row: Any) -> dict[str, str]:
    """Return the headers of a fresh key; `row` are its columns."""
    async with transactions.open() as tx:
        key = await factories.make_api_key(tx, **row)
    return {"Authorization": f"Bearer {key}"}


async def limited_to(
    transactions: Transactions, *teams: Team, scopes: tuple[str, ...] = ALL_BUT_ADMIN
) -> dict[str, str]:
    """Return the headers of a key that is limited to teams."""
    ids = [str(team.id) for team in teams]
    return await key_with(transactions, scopes=list(scopes), team_ids=ids)
