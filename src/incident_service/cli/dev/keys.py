"""The file in which `dev` keeps what it shows again at the next start, and where it can be found.

The database has only hashes of the keys. The file is for its owner's eyes only.
"""

import os
import secrets
import tempfile
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

NAME = "dev-keys.json"


class Running(BaseModel):
    """A `dev` that runs, or ran until it was killed.

    `environment` are the variables that another worker for the same database needs.
    """

    url: str
    pid: int
    environment: dict[str, str]


class DevKeys(BaseModel):
    """What is kept. `ntfy_topic` and `email` are those of the last start."""

    api_key: str = ""
    integration_key: str = ""
    secret_key: str = ""
    ntfy_topic: str = ""
    email: str = ""
    running: Running | None = Field(None)


def read_keys(directory: Path) -> DevKeys:
    """Read the file; one that is missing or damaged is like an empty one: keys are made anew."""
    try:
        return DevKeys.model_validate_json((directory / NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return DevKeys()


def write_keys(directory: Path, keys: DevKeys) -> None:
    """Replace the file in one piece."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Such files are readable for their owner only.
    file, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=directory)
    with os.fdopen(file, "w") as unfinished:
        unfinished.write(keys.model_dump_json(indent=2) + "\n")
    Path(name).replace(directory / NAME)


def keep_secret_key(directory: Path) -> str:
    """Return the key that signs links, made at the first start: links outlive their process."""
    kept = read_keys(directory)
    if kept.secret_key:
        return kept.secret_key
    made = secrets.token_urlsafe(32)
    write_keys(directory, kept.model_copy(update={"secret_key": made}))
    return made


def find_running(directory: Path) -> Running | None:
    """Return the `dev` that keeps its data here, if its process lives."""
    try:
        running = read_keys(directory).running
    except PermissionError:
        return None
    if running is None:
        return None
    try:
        os.kill(running.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # it lives, and is another user's
    return running
