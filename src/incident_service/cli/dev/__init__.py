"""All in one process, for a fresh machine: servers, tables, API, worker, something to try."""
