"""The Makefile: what its commands run, once everything is installed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.packaging.checkout import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TELL = '#!/bin/sh\necho "$(basename "$0") $* topic=$NTFY_TOPIC"\n'


class Machine:
    """A machine with make and an environment of Python whose programs only say what they got."""

    def __init__(self, directory: Path) -> None:
        self.programs = directory / "programs"
        self.venv = directory / "venv"
        for name in ("bin/pytest", "bin/incident-service"):
            self.has(self.venv / name)
        self.programs.mkdir()
        (self.venv / ".installed").touch()

    def has(self, program: Path) -> None:
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(TELL)
        program.chmod(0o755)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        make = shutil.which("make")
        assert make, "make is needed"
        for tool in ("basename", "awk"):
            (self.programs / tool).symlink_to(str(shutil.which(tool)))
        return subprocess.run(
            [make, f"VENV={self.venv}", *words],
            cwd=ROOT,
            env={"PATH": str(self.programs)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_make_alone_lists_every_command(machine):
    [phony] = re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)

    listed = re.findall(r"^  make ([\w-]+) ", machine.make().stdout, re.MULTILINE)

    assert sorted(listed) == sorted(phony.split())


def test_variables_of_the_command_line_reach_what_is_run(machine):
    answer = machine.make("run", "NTFY_TOPIC=my-topic", "ARGS=--port 0")

    assert answer.stdout == "incident-service dev --port 0 topic=my-topic\n"


def test_without_an_alertmanager_the_end_to_end_tests_fail_in_words(machine):
    answer = machine.make("e2e")

    assert answer.returncode != 0
    assert "install the package prometheus-alertmanager" in answer.stderr


def test_without_prometheus_the_rules_are_not_tested_in_words(machine):
    answer = machine.make("rules")

    assert answer.returncode != 0
    assert "install the package prometheus" in answer.stderr


@pytest.mark.parametrize("name", ["prometheus-alertmanager", "alertmanager"])
def test_either_name_of_alertmanager_will_do(machine, name):
    machine.has(machine.programs / name)

    answer = machine.make("e2e")

    assert answer.returncode == 0
    assert "pytest -m e2e" in answer.stdout
