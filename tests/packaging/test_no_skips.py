""".ci/no_skips.py: a run of tests counts only when tests ran, and all of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.packaging.checkout import ROOT

RAN = '<testcase classname="tests.a" name="test_one"/>'
SKIPPED = '<testcase classname="tests.a" name="test_two"><skipped/></testcase>'


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report.xml"


def judge(report: Path, *cases: str) -> subprocess.CompletedProcess[str]:
    report.write_text(
        f'<testsuites><testsuite tests="{len(cases)}">{"".join(cases)}</testsuite></testsuites>'
    )
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "no_skips.py", report],
        capture_output=True,
        text=True,
        check=False,
    )


def test_tests_that_all_ran_are_accepted(report):
    answer = judge(report, RAN, RAN)

    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_skipped_test_is_refused_by_its_name(report):
    answer = judge(report, RAN, SKIPPED)

    assert answer.returncode == 1
    assert "tests.a::test_two" in answer.stderr


def test_a_run_without_tests_is_refused(report):
    answer = judge(report)

    assert answer.returncode == 1
    assert answer.stderr == "No test ran.\n"
