"""The image: pinned, small, and not run as root."""

import re
import subprocess

from tests.packaging.checkout import PROGRAMS, ROOT
from tests.packaging.dockerfile import read_dockerfile

STAGES = read_dockerfile(ROOT / "Dockerfile")


def test_hadolint_has_nothing_to_say():
    linter = PROGRAMS / "hadolint"

    answer = subprocess.run(
        [linter, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (answer.returncode, answer.stdout) == (0, "")


def test_every_stage_stands_on_the_same_exact_release():
    bases = {stage.base for stage in STAGES}

    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases.pop())


def test_the_image_runs_as_a_numbered_user_who_is_not_root():
    [user] = STAGES[-1].all("USER")

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.rest)


def test_the_command_chooses_what_the_image_does():
    image = STAGES[-1]

    assert [each.rest for each in image.all("ENTRYPOINT")] == ['["incident-service"]']
    assert [each.rest for each in image.all("CMD")] == ['["api"]']


def test_each_command_is_healthy_in_its_own_way_so_compose_says_how():
    assert [each for stage in STAGES for each in stage.all("HEALTHCHECK")] == []


def test_the_image_gets_nothing_from_here_but_by_way_of_the_build():
    assert all(copy.option("from") == "build" for copy in STAGES[-1].all("COPY"))
    assert [run.rest.split()[0] for run in STAGES[-1].all("RUN")] == ["groupadd"]


def test_nothing_gets_into_the_build_but_what_is_copied():
    let_in = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for stage in STAGES
        for copy in stage.all("COPY")
        if not copy.option("from")
        for source in copy.arguments()[:-1]
    }

    assert let_in == copied
