"""Read a Dockerfile: its stages, each a list of instructions."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    def arguments(self) -> list[str]:
        return [part for part in shlex.split(self.rest) if not part.startswith("--")]

    def option(self, name: str) -> str | None:
        found = re.search(rf"--{name}=(\S+)", self.rest)
        return found[1] if found else None


@dataclass(frozen=True)
class Stage:
    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[Instruction]:
        return [each for each in self.instructions if each.word == word]

    def environment(self) -> dict[str, str]:
        pairs = [pair for each in self.all("ENV") for pair in each.arguments()]
        return dict(pair.split("=", 1) for pair in pairs)


def read_dockerfile(path: Path) -> list[Stage]:
    """Return the stages in order; the last one is the image."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    stages: list[Stage] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base.strip(), name.strip()))
        elif word:
            stages[-1].instructions.append(Instruction(word, rest.strip()))
    return stages
