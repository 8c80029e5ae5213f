"""Run the image's commands as docker-compose.yml does, with nothing else in the environment."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.packaging.checkout import ROOT
from tests.packaging.image import Image

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]

# Docker gives every container its proxy, when it is told of one. Nobody listens at port 9.
NO_WAY_OUT = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Installation:
    """An image, its secrets, and what stands here for the hosts `postgres` and `valkey`."""

    image: Image
    secrets: Path
    scratch: Path
    redis: str
    port: int

    def environment(self, name: str) -> dict[str, str]:
        """Return all that the service's commands find in their environment."""
        ours = {
            "INCIDENT_SERVICE_HOST": "127.0.0.1",
            "INCIDENT_SERVICE_PORT": str(self.port),
            "TMPDIR": str(self.scratch),
        }
        given = {
            variable: value.replace("/run/secrets", str(self.secrets)).replace(
                "valkey:6379", self.redis
            )
            for variable, value in SERVICES[name]["environment"].items()
        }
        return self.image.environment | given | ours

    def words(self, name: str, *words: str) -> list[str]:
        """Return the command of a service, or another one of the same image."""
        return [*self.image.entrypoint, *(words or SERVICES[name]["command"])]

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return self._run(name, self.words(name, *words))

    def is_healthy(self, name: str) -> bool:
        """Ask as Compose asks."""
        kind, *command = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        here = [word.replace("8080", str(self.port)) for word in command]
        return self._run(name, here, **NO_WAY_OUT).returncode == 0

    @contextmanager
    def up(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a service's command meanwhile; `log` has what it says."""
        with self._log_file(name).open("wb") as log:
            process = subprocess.Popen(
                self._find(self.words(name)), stdout=log, stderr=log, **self._as_container(name)
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def log(self, name: str) -> str:
        """Return what the service has said since it was started last."""
        return self._log_file(name).read_text()

    def _log_file(self, name: str) -> Path:
        return self.secrets.parent / f"{name}.log"

    def _run(self, name: str, command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._find(command),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **self._as_container(name, **more),
        )

    def _find(self, command: list[str]) -> list[str]:
        """Look for the program in the image, where our own PATH does not lead."""
        for directory in self.image.environment["PATH"].split(":"):
            if (program := Path(directory) / command[0]).exists():
                return [str(program), *command[1:]]
        raise LookupError(f"The image has no {command[0]}.")

    def _as_container(self, name: str, **more: str) -> dict[str, Any]:
        user = self.image.user
        return {
            "cwd": self.image.workdir,
            "env": self.environment(name) | more,
            "stdin": subprocess.DEVNULL,
            "start_new_session": True,
            "user": user,
            "group": user,
            "extra_groups": [] if user else None,
        }


def free_port() -> int:
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port
