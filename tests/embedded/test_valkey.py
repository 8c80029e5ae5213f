"""What the embedded Valkey promises to those who start it, also when things are killed."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from tests.embedded.processes import OtherProcess, eventually

from incident_service.embedded import EmbeddedError, EmbeddedValkey
from incident_service.embedded.directories import socket_path

pytestmark = pytest.mark.faults

SERVER = "EmbeddedValkey"

Begin = Callable[[], OtherProcess]


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(home) as server:
        yield server


def put(server: EmbeddedValkey, key: str, value: str) -> None:
    with redis.Redis.from_url(server.url) as client:
        client.set(key, value)


def get(server: EmbeddedValkey, key: str) -> str | None:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        value = client.get(key)
    assert value is None or isinstance(value, str)
    return value


def answers(server: EmbeddedValkey) -> bool:
    try:
        with redis.Redis.from_url(server.url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def pid_of(home: Path) -> int | None:
    file = home / "valkey.pid"
    return int(file.read_text()) if file.exists() else None


def kill(home: Path) -> int:
    pid = pid_of(home)
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


class Interrupted(EmbeddedValkey):
    """Somebody presses Ctrl-C as it is about to end the server."""

    interruptions = 1

    def _end(self) -> None:
        if self.interruptions:
            self.interruptions -= 1
            raise KeyboardInterrupt
        super()._end()


def test_who_is_interrupted_while_stopping_leaves_no_server_behind(home):
    server = Interrupted(home)
    server.start()
    assert answers(server)

    with pytest.raises(KeyboardInterrupt):
        server.stop()

    assert not answers(server)


def test_it_listens_on_a_private_socket_only(server):
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        port = client.config_get("port")

    assert port == {"port": "0"}
    assert (server.directory / "valkey.sock").stat().st_mode & 0o077 == 0


def test_data_survives_a_restart(home):
    with EmbeddedValkey(home) as server:
        put(server, "kept", "42")

    with EmbeddedValkey(home) as server:
        assert get(server, "kept") == "42"


def test_the_last_one_out_stops_it(home, server, other: Begin):
    pid = pid_of(home)
    second = other()
    second.hears("up")
    assert pid_of(home) == pid

    second.leave()
    assert answers(server)

    server.stop()
    assert not answers(server)
    assert pid_of(home) is None


def test_it_outlives_the_process_that_began_it(home, other: Begin):
    first = other()
    first.hears("up")
    pid = pid_of(home)

    with EmbeddedValkey(home) as server:
        first.leave()

        assert answers(server)
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_a_killed_server_is_brought_back_with_its_data(home, server):
    put(server, "precious", "42")

    killed = kill(home)
    eventually(lambda: pid_of(home) != killed and answers(server))

    assert get(server, "precious") == "42"


def test_users_bring_it_back_when_its_owner_is_gone(home, other: Begin):
    owner = other()
    owner.hears("up")
    with EmbeddedValkey(home) as server:
        owner.die()

        killed = kill(home)
        eventually(lambda: pid_of(home) != killed and answers(server))


def test_the_next_user_takes_over_from_a_killed_owner(home, other: Begin):
    owner = other()
    owner.hears("up")
    pid = pid_of(home)
    owner.die()

    with EmbeddedValkey(home) as server:
        assert answers(server)
        assert pid_of(home) == pid
    assert pid_of(home) is None


def test_ctrl_c_in_the_terminal_does_not_reach_it(home, other: Begin):
    owner = other()
    owner.hears("up")
    pid = pid_of(home)

    owner.interrupt()

    assert answers(EmbeddedValkey(home))
    assert pid_of(home) == pid
    owner.leave()


def test_a_path_too_long_for_a_socket_gets_a_short_one(place):
    with EmbeddedValkey(place / ("long" * 30) / "and strange?") as server:
        short = socket_path(server.directory / "valkey.sock").parent

        assert answers(server)
        assert short.stat().st_mode & 0o077 == 0
    assert not short.exists()


def test_a_short_socket_directory_that_is_somebody_elses_is_refused(place):
    server = EmbeddedValkey(place / ("long" * 30))
    short = socket_path(server.directory / "valkey.sock").parent
    short.symlink_to(place)

    with pytest.raises(EmbeddedError, match="it is a link or belongs to user"):
        server.start()
    short.unlink()


def test_a_server_that_ends_at_once_is_quoted(place):
    (place / "appendonlydir").mkdir()
    (place / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")

    with pytest.raises(EmbeddedError, match="AOF manifest"):
        EmbeddedValkey(place).start()
