"""Directories that every user can reach, and other processes that use what is in them."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.embedded.processes import OtherProcess, other_process

from incident_service import embedded


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """Make a directory that the user nobody can enter, which pytest's own are not for root."""
    directory = Path(tempfile.mkdtemp(prefix="embedded-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for one test."""
    with reachable_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory whose server, once made, is used by all tests of a module in turn."""
    with reachable_directory() as directory:
        yield directory / "data"
        with getattr(embedded, request.module.SERVER)(directory / "data"):
            pass  # stops what a failed test left behind


@pytest.fixture
def other(home: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[], OtherProcess]]:
    """Begin other processes that use `home`, of the module's class `SERVER`."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(other_process(request.module.SERVER, home))
