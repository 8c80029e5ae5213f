"""Checks of PostgreSQL and Redis."""

from redis.exceptions import RedisError, ResponseError
from sqlalchemy import text

from incident_service.cli.doctor.finding import Finding, Patient, ok, problem, warning
from incident_service.cli.migrating import compare, described
from incident_service.core.db import DATABASE_AWAY
from incident_service.core.runtime import LARGE_OFFSET_S

OLDEST_MAJOR = 15
# Cyrillic; none of it is in an index where LC_CTYPE is C.
KNOWS_LETTERS = text("SELECT show_trgm('пожар') <> '{}'")
SERVER = text("SELECT current_setting('server_version_num')::int, pg_is_in_recovery()")


async def check_database(patient: Patient) -> Finding:
    """Does PostgreSQL answer?"""
    if not patient.settings.database_url:
        return problem("no database is set", "set INCIDENT_SERVICE_DATABASE_URL")
    try:
        async with patient.runtime.transactions.sessions() as session:
            await session.execute(text("SELECT 1"))
    except DATABASE_AWAY as error:
        return problem(
            f"the database cannot be reached: {described(error)}",
            "check INCIDENT_SERVICE_DATABASE_URL, and that PostgreSQL runs and lets us in",
        )
    return ok("PostgreSQL answers")


async def check_database_server(patient: Patient) -> Finding:
    """Is it new enough, and one that can be written to?"""
    async with patient.runtime.transactions.sessions() as session:
        version, is_standby = (await session.execute(SERVER)).one()
    major = version // 10_000
    if is_standby:
        return problem(
            "PostgreSQL is a read-only standby",
            "point INCIDENT_SERVICE_DATABASE_URL to the primary",
        )
    if major < OLDEST_MAJOR:
        return problem(
            f"PostgreSQL {major} is too old", f"upgrade it to PostgreSQL {OLDEST_MAJOR} or later"
        )
    return ok(f"PostgreSQL {major} takes writes")


async def check_migrations(patient: Patient) -> Finding:
    """Do the tables fit this release?"""
    revisions = await compare(patient.settings.database_url)
    if revisions.is_behind:
        return problem(
            f"the tables are {revisions.current or 'missing'}, not {revisions.head}",
            "run `incident-service migrate`",
        )
    if revisions.is_ahead:
        return warning(
            f"a later release has migrated the database, to {revisions.current}",
            "finish that upgrade, or go on knowing that it is half done",
        )
    return ok(f"the tables are at {revisions.head}")


async def check_letters(patient: Patient) -> Finding:
    """Does the index of searches know the letters of all scripts?"""
    async with patient.runtime.transactions.sessions() as session:
        knows = await session.scalar(KNOWS_LETTERS)
    if not knows:
        return warning(
            "PostgreSQL knows no letters but a to z: searches for other words read every row",
            "make a database whose LC_CTYPE is C.UTF-8, or another of UTF-8, and restore into it",
        )
    return ok("words of all scripts are searched by the index")


async def check_clock(patient: Patient) -> Finding:
    """Does this machine's clock agree with PostgreSQL's?"""
    await patient.runtime.measure_clock()
    offset_s = patient.runtime.clock.offset.total_seconds()
    if abs(offset_s) > LARGE_OFFSET_S:
        return warning(
            f"PostgreSQL's clock is {offset_s:+.1f} s from this machine's",
            "let NTP set both; the service follows PostgreSQL's meanwhile",
        )
    return ok(f"the clocks of PostgreSQL and this machine differ by {abs(offset_s):.3f} s")


async def check_redis(patient: Patient) -> Finding:
    """Does Redis answer?"""
    if not patient.settings.redis_url:
        return problem("no Redis is set", "set INCIDENT_SERVICE_REDIS_URL")
    try:
        await patient.runtime.redis.ping()
    except (RedisError, OSError) as error:
        return problem(
            f"Redis cannot be reached: {type(error).__name__}",
            "check INCIDENT_SERVICE_REDIS_URL; until then pages come up to 10 s late",
        )
    return ok("Redis answers; it need not keep its data over a restart")


async def check_eviction(patient: Patient) -> Finding:
    """Does Redis throw jobs away when its memory is full?"""
    try:
        found = await patient.runtime.redis.config_get("maxmemory-policy")
    except ResponseError:
        return ok("Redis does not tell its eviction policy; noeviction is the right one")
    policy = found.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        return warning(
            f"Redis evicts keys ({policy}): jobs get lost, and their pages come late",
            "set maxmemory-policy to noeviction",
        )
    return ok("Redis keeps every job (noeviction)")
