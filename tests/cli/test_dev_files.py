"""What `dev` keeps in its directory, and who has the place of its worker."""

import asyncio
import os
import stat

import pytest

from incident_service.cli.dev.handover import (
    Taken,
    is_wanted,
    wait_for_seat,
    wanting,
    work_unless_wanted,
)
from incident_service.cli.dev.keys import (
    NAME,
    DevKeys,
    Running,
    find_running,
    keep_secret_key,
    read_keys,
    write_keys,
)

NOBODYS_PID = 2**22 + 1  # beyond what Linux gives out


def test_keys_are_kept_for_their_owner_only(tmp_path):
    keys = DevKeys(api_key="isk_x", integration_key="isi_x")

    write_keys(tmp_path / "new", keys)

    mode = (tmp_path / "new" / NAME).stat().st_mode
    assert read_keys(tmp_path / "new") == keys
    assert stat.S_IMODE(mode) == 0o600


def test_the_key_of_links_is_made_once_and_keeps_its_neighbours(tmp_path):
    write_keys(tmp_path, DevKeys(api_key="isk_x"))

    made = keep_secret_key(tmp_path)

    assert keep_secret_key(tmp_path) == made
    assert read_keys(tmp_path) == DevKeys(api_key="isk_x", secret_key=made)
    assert len(made) >= 32


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00"])
def test_a_damaged_file_is_like_an_empty_one(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)

    assert read_keys(tmp_path) == DevKeys()


@pytest.mark.parametrize(
    ("pid", "found"), [(os.getpid(), True), (NOBODYS_PID, False)], ids=["alive", "dead"]
)
def test_a_dev_is_found_while_its_process_lives(tmp_path, pid, found):
    running = Running(url="http://127.0.0.1:8080", pid=pid, environment={})
    write_keys(tmp_path, DevKeys(running=running))

    assert find_running(tmp_path) == (running if found else None)


def test_only_one_process_wants_the_workers_place(tmp_path):
    with wanting(tmp_path):
        assert is_wanted(tmp_path)
        with pytest.raises(Taken), wanting(tmp_path):
            pass

    assert not is_wanted(tmp_path)


async def test_dev_stops_its_worker_for_another_and_takes_up_again(tmp_path):
    begun, stopping = asyncio.Event(), asyncio.Event()

    async def work(enough: asyncio.Event) -> None:
        begun.set()
        await enough.wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(work_unless_wanted(work, tmp_path, stopping))
        await begun.wait()
        with wanting(tmp_path):
            await wait_for_seat(tmp_path, 10)
            begun.clear()
        await begun.wait()
        stopping.set()


async def test_a_place_that_is_not_given_up_is_not_waited_for_forever(tmp_path):
    begun, stopping = asyncio.Event(), asyncio.Event()

    async def work(enough: asyncio.Event) -> None:
        begun.set()
        await enough.wait()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(work_unless_wanted(work, tmp_path, stopping))
        await begun.wait()
        with pytest.raises(TimeoutError):
            await wait_for_seat(tmp_path, 0.1)
        stopping.set()
