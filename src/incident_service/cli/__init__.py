"""The commands: `incident-service dev | api | worker | migrate | backup | restore | …`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from incident_service.cli.backup.restoring import run_restore
from incident_service.cli.backup.saving import run_backup
from incident_service.cli.configuring import run_apply, run_export, schema_text
from incident_service.cli.demo.process import run_demo
from incident_service.cli.demo.service import Access
from incident_service.cli.dev.process import run_dev
from incident_service.cli.doctor.process import run_doctor
from incident_service.cli.environment import (
    configure_logging,
    load_settings,
    recording_spans,
    require_servers,
    warn_of_drill,
)
from incident_service.cli.failing import CannotRun, Commands
from incident_service.cli.migrating import look, migrate, told
from incident_service.cli.openapi import as_text
from incident_service.cli.pruning import run_prune
from incident_service.cli.running import run
from incident_service.cli.sealing import run_reseal
from incident_service.cli.serving import bind, run_api, with_bound_port
from incident_service.cli.working import heartbeat_file, is_alive, run_worker

app = typer.Typer(
    cls=Commands,
    help="The paging core behind Prometheus Alertmanager.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one.")]
Parent = Annotated[
    int | None, typer.Option("--parent", hidden=True, help="End with this process, our parent.")
]
Check = Annotated[bool, typer.Option("--check", help="Only look; exit code 1 when behind.")]
CheckAlive = Annotated[
    bool, typer.Option("--check-alive", help="Only ask whether this machine's worker is alive.")
]
To = Annotated[
    Path | None, typer.Argument(help="A new file, or a directory; otherwise this directory.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Drop the tables that are there, all of them.")
]
Force = Annotated[bool, typer.Option("--force", help="Even while an API or a worker is connected.")]
Console = Annotated[
    bool, typer.Option("--console", help="Print the pages of console contacts, as `dev` does.")
]
File = Annotated[
    Path, typer.Option("--file", "-f", help="The file, in YAML or JSON; - is standard input.")
]
In30 = Annotated[
    bool, typer.Option("--3.0", help="In OpenAPI 3.0, for generators that do not read 3.1.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do it, show it, and take it back.")]
Prune = Annotated[
    bool,
    typer.Option(
        "--prune", help="Delete what the lists of the file do not name; left-out lists stay."
    ),
]
SchemaAt = Annotated[str, typer.Option(help="Where editors find the JSON Schema, for line 1.")]
Url = Annotated[str, typer.Option(help="A service that runs; otherwise the one of `dev`.")]
Key = Annotated[str, typer.Option(help="Otherwise the one that `dev` has made.")]


@app.command()
def dev(port: Port = None, parent: Parent = None) -> None:
    """Run everything here, in one process, with servers of its own and something to try."""
    run_dev(port, parent)


@app.command()
def api(port: Port = None) -> None:
    """Serve the API."""
    given = {} if port is None else {"port": port}
    settings = require_servers(load_settings(**given))
    configure_logging(settings)
    warn_of_drill(settings)
    with recording_spans(settings), bind(settings.host, settings.port) as listening:
        run(run_api(with_bound_port(settings, listening), listening))


@app.command()
def worker(
    *, console: Console = False, check_alive: CheckAlive = False, parent: Parent = None
) -> None:
    """Escalate and deliver pages."""
    if check_alive:
        raise typer.Exit(0 if is_alive(heartbeat_file()) else 1)
    settings = require_servers(load_settings())
    configure_logging(settings)
    warn_of_drill(settings)
    with recording_spans(settings):
        run(run_worker(settings, console=sys.stdout if console else None, parent=parent))


@app.command("migrate")
def migrate_tables(*, check: Check = False) -> None:
    """Bring the tables to this release."""
    url = load_settings().database_url
    if not url:
        raise CannotRun("Set INCIDENT_SERVICE_DATABASE_URL to the database to migrate.")
    if not check:
        print(told(*migrate(url)))
        return
    revisions = look(url)
    if revisions.is_behind:
        raise CannotRun(
            f"The database is {revisions.current or 'empty'}, and this release needs "
            f"{revisions.head}: run `incident-service migrate`."
        )
    print(told(revisions, revisions))


@app.command()
def backup(to: To = None) -> None:
    """Write all that the database holds to a file; API and workers go on meanwhile."""
    run_backup(to)


@app.command()
def restore(
    dump: Annotated[Path, typer.Argument(help="What `backup` has written.")],
    *,
    replace: Replace = False,
    force: Force = False,
) -> None:
    """Fill an empty database from a backup, in one transaction, and migrate it."""
    run_restore(dump, replace=replace, force=force)


@app.command()
def doctor() -> None:
    """Look for what is wrong or risky, and say what to do about it."""
    raise typer.Exit(run_doctor())


@app.command()
def openapi(*, in_3_0: In30 = False) -> None:
    """Print the OpenAPI document, from which clients can be generated."""
    print(as_text(in_3_0=in_3_0))


@app.command("apply")
def apply_configuration(*, file: File, dry_run: DryRun = False, prune: Prune = False) -> None:
    """Make teams, people, schedules, policies, services and integrations as a file says."""
    configure_logging(load_settings())  # what is changed is logged, beside what is printed
    run_apply(file, dry_run=dry_run, prune=prune)


@app.command("export")
def export_configuration(*, schema: SchemaAt = "") -> None:
    """Print the configuration as a file that `apply` takes."""
    run_export(schema)


@app.command("reseal")
def reseal_texts() -> None:
    """Seal stored addresses and secrets with the first of INCIDENT_SERVICE_SEALING_KEY."""
    run_reseal()


@app.command("prune")
def prune_old(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
) -> None:
    """Forget what is older than the INCIDENT_SERVICE_KEEP_… settings say, as workers do daily."""
    configure_logging(load_settings())
    run_prune(dry_run=dry_run)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file that `apply` takes."""
    print(schema_text())


@app.command()
def demo(url: Url = "", api_key: Key = "", integration_key: Key = "") -> None:
    """Show in a minute what the service does, at the running `dev` or at one of its own."""
    raise typer.Exit(run_demo(Access(url.rstrip("/"), api_key, integration_key)))
