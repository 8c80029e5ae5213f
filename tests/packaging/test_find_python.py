"""scripts/find-python: the Python to install with, or a sentence that helps."""

import subprocess
from pathlib import Path

from tests.packaging.checkout import ROOT

OLD = "exit 1"
WITHOUT_VENV = 'case "$2" in *version_info\\ *) exit 0 ;; *print*) echo 3.11 ;; *) exit 1 ;; esac'
GOOD = "exit 0"


def find_python(directory: Path, **pythons: str) -> subprocess.CompletedProcess[str]:
    for name, behaviour in pythons.items():
        program = directory / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{behaviour}\n")
        program.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "find-python"],
        env={"PATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_that_works_is_found_behind_those_that_do_not(tmp_path):
    answer = find_python(tmp_path, python3_11=OLD, python3_12=WITHOUT_VENV, python3=GOOD)

    assert answer.stdout == f"{tmp_path / 'python3'}\n"


def test_a_python_that_is_too_old_is_refused_in_words(tmp_path):
    answer = find_python(tmp_path, python3=OLD)

    assert answer.returncode == 1
    assert answer.stderr.startswith("Python 3.11 or newer is needed")


def test_a_debian_python_without_venv_is_told_the_package(tmp_path):
    answer = find_python(tmp_path, python3_11=WITHOUT_VENV)

    assert answer.returncode == 1
    assert "install the package python3.11-venv" in answer.stderr
