"""Write a migration for what the models say and the migrations do not yet.

It compares with a database of its own, on an embedded PostgreSQL that is gone afterwards.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from incident_service.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[1]


def make_migration(message: str) -> None:
    """Write `migrations/versions/<date>_<message>.py`, to be read and corrected by a person."""
    with tempfile.TemporaryDirectory(prefix="incident-migration-") as directory:
        Path(directory).chmod(0o755)  # PostgreSQL does not run as root, and must get in
        with EmbeddedPostgres(Path(directory) / "pg", durable=False) as server:
            config = Config(ROOT / "alembic.ini")
            config.set_main_option("sqlalchemy.url", server.url.replace("%", "%%"))
            command.upgrade(config, "head")
            command.revision(config, message, autogenerate=True)


if __name__ == "__main__":
    make_migration(sys.argv[1])
