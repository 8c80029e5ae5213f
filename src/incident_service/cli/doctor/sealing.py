"""Check of what is sealed in the database, and of the keys that are there to open it."""

from collections import Counter

from incident_service.cli.doctor.finding import Finding, Patient, ok, problem, warning
from incident_service.cli.sealing import SEALED
from incident_service.core.resealing import Stored, survey
from incident_service.core.sealing import Sealer

VARIABLE = "INCIDENT_SERVICE_SEALING_KEY"
RESEAL = "run `incident-service reseal`"


async def check_sealing(patient: Patient) -> Finding:
    """Are addresses and secrets sealed, and can they be opened?"""
    keys = patient.settings.sealing_keys
    async with patient.runtime.transactions.sessions() as session:
        found = await survey(session, Sealer(keys), SEALED)
    if unopened := counted(found[Stored.UNOPENED]):
        return cannot_be_opened(unopened, has_key=bool(keys))
    plain, earlier = found[Stored.PLAIN], found[Stored.SEALED_EARLIER]
    if not keys:
        return warning(
            f"SEALING_KEY is not set: {plain.total()} addresses and secrets can be read in the "
            "database and in each backup",
            f"set {VARIABLE} to 32 random characters or more, for API, workers and commands; then "
            f"{RESEAL}",
        )
    if plain or earlier:
        return warning(
            "addresses and secrets that the newest key has not sealed: "
            f"{plain.total()} in plain text, {earlier.total()} with an earlier key "
            f"({counted(plain + earlier)})",
            f"{RESEAL}; until then keep the earlier key" if earlier else RESEAL,
        )
    return ok(f"{found[Stored.SEALED].total()} addresses and secrets are sealed")


def cannot_be_opened(which: str, *, has_key: bool) -> Finding:
    """Say which key is missing, as far as that can be known: what is sealed names no key."""
    if has_key:
        return problem(
            f"addresses and secrets that none of the keys opens, and that are not used: {which}",
            f"add the key that sealed them to {VARIABLE}, behind the present one: NEW,OLD; "
            "what nobody has the key of has to be written anew",
        )
    return problem(
        f"SEALING_KEY is not set, and addresses and secrets are sealed, so not used: {which}",
        f"set {VARIABLE} to the key that sealed them, for API, workers and commands",
    )


def counted(found: Counter[str]) -> str:
    """Say how many there are, by column."""
    return ", ".join(f"{count} in {name}" for name, count in sorted(found.items()))
