"""Run a real PostgreSQL and a real Valkey as child processes, with nothing to install or set up.

Both listen on a unix socket only. Processes that name the same directory share one server: the
first one starts it, the last one to leave stops it.
"""

from incident_service.embedded.binaries import find_postgres_clients
from incident_service.embedded.directories import default_data_dir
from incident_service.embedded.errors import EmbeddedError
from incident_service.embedded.postgres import EmbeddedPostgres
from incident_service.embedded.valkey import EmbeddedValkey

__all__ = [
    "EmbeddedError",
    "EmbeddedPostgres",
    "EmbeddedValkey",
    "default_data_dir",
    "find_postgres_clients",
]
