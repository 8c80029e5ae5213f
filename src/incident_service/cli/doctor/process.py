"""Examine an installation: every check in its order, a line each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from incident_service.cli.dev.keys import find_running
from incident_service.cli.doctor import configuration, operation, people, sealing, servers
from incident_service.cli.doctor.finding import Check, Finding, Level, Patient, problem
from incident_service.cli.environment import load_settings
from incident_service.cli.failing import CannotRun
from incident_service.cli.migrating import described
from incident_service.cli.openapi import NOWHERE
from incident_service.core.db import DATABASE_AWAY
from incident_service.core.runtime import open_runtime
from incident_service.embedded import default_data_dir
from incident_service.settings import PREFIX, Settings


@dataclass(frozen=True, slots=True)
class Stage:
    """Checks that make sense only when all `gates` before them found no problem."""

    gates: Sequence[Check]
    checks: Sequence[Check]


STAGES = (
    Stage(
        gates=(),
        checks=(
            configuration.check_minute,
            configuration.check_public_url,
            configuration.check_secret_key,
            configuration.check_fallback_contact,
            configuration.check_mail_server,
        ),
    ),
    Stage(
        gates=(servers.check_redis,),
        checks=(servers.check_eviction,),
    ),
    Stage(
        gates=(servers.check_database, servers.check_database_server, servers.check_migrations),
        checks=(
            servers.check_letters,
            servers.check_clock,
            sealing.check_sealing,
            people.check_admin_key,
            people.check_managers,
            people.check_services,
            people.check_levels,
            people.check_mail_contacts,
            people.check_webhook_contacts,
            people.check_provider_contacts,
            people.check_apprise_contacts,
            operation.check_integrations,
            operation.check_timers,
            operation.check_pages,
            operation.check_failed_pages,
        ),
    ),
)


def run_doctor() -> int:
    """Print what is found; return the exit code: 1 when something is a problem."""
    try:
        settings = settings_to_examine()
    except CannotRun as unreadable:
        print(problem(str(unreadable), "correct the environment"))
        return 1
    return asyncio.run(report(settings))


def settings_to_examine() -> Settings:
    """Return the settings, or, when they name no server, those of a `dev` that runs.

    Raises:
        CannotRun: some cannot be read.
    """
    settings = load_settings()
    if settings.database_url or settings.redis_url:
        return settings
    running = find_running(settings.data_dir or default_data_dir())
    if running is None:
        return settings
    print(f"The settings name no servers: this examines the `dev` at {running.url}.")
    return load_settings(
        **{name.removeprefix(PREFIX).lower(): value for name, value in running.environment.items()}
    )


async def report(settings: Settings) -> int:
    """Print what is found; return the exit code."""
    reachable = settings.model_copy(
        update={name: url for name, url in NOWHERE.items() if not getattr(settings, name)}
    )
    exit_code = 0
    async with open_runtime(reachable) as runtime:
        async for finding in examine(Patient(settings, runtime)):
            print(finding, flush=True)
            if finding.level is Level.PROBLEM:
                exit_code = 1
    return exit_code


async def examine(patient: Patient, stages: Sequence[Stage] = STAGES) -> AsyncIterator[Finding]:
    """Run the checks and yield what they find."""
    for stage in stages:
        passed = True
        for gate in stage.gates:
            if passed:
                finding = await run_check(gate, patient)
                passed = finding.level is not Level.PROBLEM
                yield finding
        if passed:
            for check in stage.checks:
                yield await run_check(check, patient)


async def run_check(check: Check, patient: Patient) -> Finding:
    """Run one check; a database that goes away meanwhile is a finding too."""
    try:
        return await check(patient)
    except DATABASE_AWAY as error:
        return problem(
            f"{check.__name__} could not be done: {described(error)}",
            "look at PostgreSQL, and run this again",
        )
