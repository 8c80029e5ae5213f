"""Follow the Dockerfile without Docker: the same files and commands, below a directory."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.packaging.checkout import ROOT
from tests.packaging.dockerfile import Instruction, Stage, read_dockerfile

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
# The image's user, when this process may become another one.
OTHER_USER = 10001


class Image:
    """What the Dockerfile makes, in a directory that stands for `/`.

    Both stages are made in the same place: an environment of Python cannot be moved.
    """

    def __init__(self, root: Path) -> None:
        python, self.user = choose_python()
        self.root = root
        self.workdir = root
        self.path = f"{self._stand_in_for_base(python)}:/usr/bin:/bin"
        stages = read_dockerfile(ROOT / "Dockerfile")
        self._places = places(stages)
        for stage in stages:
            self._follow(stage)
        [entrypoint] = stages[-1].all("ENTRYPOINT")
        self.entrypoint: list[str] = json.loads(entrypoint.rest)
        # Docker adds the home of the image's user.
        self.environment = {"HOME": "/nonexistent"} | self._environment(stages[-1])

    def inside(self, text: str) -> str:
        """Write the image's paths as those of this machine."""
        return re.sub(rf"(?<![\w./])/(?=(?:{'|'.join(self._places)})\b)", f"{self.root}/", text)

    def make_directory(self, path: str) -> Path:
        """Make a directory that every user may enter, whatever our umask."""
        directory = self.root
        for name in Path(path).parts[1:]:
            directory /= name
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        return directory

    def _stand_in_for_base(self, python: Path) -> Path:
        """Make what the base image has: a `python` with pip, of its own."""
        directory = self.make_directory("/usr/local")
        subprocess.run([python, "-m", "venv", directory], umask=0o022, check=True)
        return directory / "bin"

    def _environment(self, stage: Stage) -> dict[str, str]:
        given = {"PATH": self.path}
        for name, value in stage.environment().items():
            given[name] = self.inside(value).replace("$PATH", self.path)
        return given

    def _follow(self, stage: Stage) -> None:
        for instruction in stage.instructions:
            match instruction.word:
                case "WORKDIR":
                    self.workdir = self.make_directory(instruction.rest)
                case "COPY" if instruction.option("from"):
                    [source, destination] = instruction.arguments()
                    assert source == destination, "the stages share their places"
                case "COPY":
                    self._copy(*instruction.arguments())
                case "RUN" if not makes_a_user(instruction):
                    self._run(instruction.rest, stage)

    def _copy(self, *words: str) -> None:
        """Copy from a checkout that is closed to everybody else: modes get into images."""
        *sources, destination = words
        for name in sources:
            target = self.workdir / (name if destination == "./" else destination)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns(*kept_out()))
            else:
                shutil.copy(ROOT / name, target)
            for each in (target, *target.rglob("*")):
                each.chmod(0o700 if each.is_dir() else 0o600)

    def _run(self, command: str, stage: Stage) -> None:
        """Run with the machine's own environment: it may say where packages come from."""
        machine = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        done = subprocess.run(
            ["/bin/sh", "-c", self.inside(command)],
            cwd=self.workdir,
            env=machine | self._environment(stage),
            umask=0o022,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def choose_python() -> tuple[Path, int | None]:
    """Return a Python for the image and whom to run it as; None is this process's own user."""
    if os.geteuid() == 0 and (found := find_python(SYSTEM_PATH, OTHER_USER)):
        return found, OTHER_USER
    ours = Path(os.path.realpath(sys.executable))
    return ours, None


def find_python(path: str, user: int) -> Path | None:
    """Return a Python that the user may run; there may be none."""
    answer = subprocess.run(
        ["/bin/sh", "-c", (ROOT / "scripts" / "find-python").read_text()],
        cwd="/",
        env={"PATH": path},
        user=user,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def places(stages: list[Stage]) -> set[str]:
    """Return the directories of `/` that the Dockerfile writes to."""
    named = [
        path
        for stage in stages
        for instruction in (*stage.all("WORKDIR"), *stage.all("COPY"))
        for path in instruction.arguments()
    ]
    return {Path(path).parts[1] for path in named if path.startswith("/")}


def makes_a_user(instruction: Instruction) -> bool:
    """Say whether the command is about users; those of this machine stay as they are."""
    return instruction.rest.startswith("groupadd")


def kept_out() -> list[str]:
    """Return the names that .dockerignore keeps out, wherever they are."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line.removeprefix("**/") for line in lines if line.startswith("**/")]
