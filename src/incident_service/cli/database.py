"""Which database a command works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from incident_service.cli.failing import CannotRun
from incident_service.embedded import EmbeddedPostgres, default_data_dir
from incident_service.settings import Settings


@contextmanager
def open_database(settings: Settings, *, make: bool) -> Iterator[str]:
    """Yield the address of the database: the one that is set, or that of `dev`.

    `dev` may run or not; its server runs for the length of the block. With `make`, a data
    directory that is missing is made.

    Raises:
        CannotRun: there is none.
        EmbeddedError: the embedded server does not run.
    """
    if settings.database_url:
        yield settings.database_url
        return
    directory = (settings.data_dir or default_data_dir()).expanduser().absolute()
    if not make and not (directory / "pgdata" / "PG_VERSION").exists():
        raise CannotRun(
            f"There is no database: INCIDENT_SERVICE_DATABASE_URL is not set, and {directory} "
            "holds none. INCIDENT_SERVICE_DATA_DIR names another directory."
        )
    with EmbeddedPostgres(directory) as server:
        yield server.url
