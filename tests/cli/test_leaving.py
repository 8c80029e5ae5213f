"""What `make run` and `make demo` leave behind, however they are ended: nothing that runs."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from tests.processes import command
from tests.waiting import eventually

from incident_service.cli.dev.process import NOT_FOR_WORKERS, SHARED_WITH_WORKERS
from incident_service.cli.running import stop_without
from incident_service.embedded.processes import pid_in, runs_with
from incident_service.settings import Settings


def environment(directory: Path) -> dict[str, str]:
    directory.mkdir(exist_ok=True)
    return {
        "HOME": str(directory),
        "INCIDENT_SERVICE_DATA_DIR": str(directory / "data"),
        "INCIDENT_SERVICE_LOG_LEVEL": "INFO",
        "INCIDENT_SERVICE_PORT": "0",
    }


def started_by(pid: int) -> list[int]:
    """The processes of ours that end with this one."""
    words = f"\0--parent\0{pid}\0".encode()
    return [
        int(file.parent.name)
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if words in read_if_alive(file)
    ]


def read_if_alive(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


async def has_left_nothing(pid: int) -> bool:
    return not started_by(pid)


def test_a_worker_beside_dev_shares_each_setting_that_a_worker_reads():
    assert set(SHARED_WITH_WORKERS) == set(Settings.model_fields) - NOT_FOR_WORKERS
    assert {"sealing_key", "secret_key", "metrics_token", "heartbeat_url"} <= set(
        SHARED_WITH_WORKERS
    )


async def test_a_process_goes_on_while_its_parent_lives():
    stopping = asyncio.Event()

    looking = asyncio.create_task(stop_without(os.getppid(), stopping))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(looking), 0.1)
    stopping.set()

    await asyncio.wait_for(looking, 5)


async def test_a_process_stops_when_its_parent_is_gone():
    stopping = asyncio.Event()

    await stop_without(os.getpid(), stopping)  # no process is its own parent

    assert stopping.is_set()


@pytest.mark.e2e
async def test_dev_ends_with_its_parent_and_stops_its_servers(run_directory, tmp_path):
    given = environment(run_directory / "orphan")

    async with command("dev", "--parent", "1", environment=given, home=tmp_path) as dev:
        code = await dev.exit_code()

    assert code == 0, dev.text
    assert not (run_directory / "orphan/data/pgdata/postmaster.pid").exists()


@pytest.mark.e2e
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_dev_that_is_hurried_still_stops_its_servers(run_directory, tmp_path, ending):
    home = run_directory / f"hurried-{ending.value}"
    given = environment(home)

    async with command("dev", environment=given, home=tmp_path) as dev:
        await dev.says("API key")
        postgres = pid_in(home / "data/pgdata/postmaster.pid")
        assert postgres is not None
        os.kill(dev.pid, ending)
        await dev.says("process.stopping")
        os.kill(dev.pid, ending)
        await dev.exit_code()

    async def has_ended() -> bool:
        return not runs_with(postgres, str(home / "data/pgdata"))

    await eventually(has_ended, f"the server's end; it said:\n{dev.text}")


@pytest.mark.e2e
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_the_demos_worker_ends_with_the_demo(run_directory, tmp_path, ending):
    given = environment(run_directory / f"demo-{ending.value}")

    async with command("dev", environment=given, home=tmp_path) as dev:
        await dev.says("API key")
        async with command("demo", environment=given, home=tmp_path) as demo:
            await demo.says("A worker of the demo's own is at work")
            begun = started_by(demo.pid)
            os.kill(demo.pid, ending)
            await demo.exit_code()
            await eventually(lambda: has_left_nothing(demo.pid), "the worker's end")
        dev.interrupt()
        await dev.exit_code()

    assert len(begun) == 1


@pytest.mark.e2e
async def test_a_demo_that_is_told_to_end_stops_the_dev_that_it_has_started(
    run_directory, tmp_path
):
    given = environment(run_directory / "own-dev")

    async with command("demo", environment=given, home=tmp_path) as demo:
        await demo.says("A worker of the demo's own is at work")
        begun = started_by(demo.pid)
        demo.terminate()
        await demo.exit_code()

    assert len(begun) == 2
    assert started_by(demo.pid) == []
