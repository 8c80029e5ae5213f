"""How much processor time processes take, by what they are. Linux only."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
UTIME, STIME = 11, 12  # of /proc/…/stat, after the name


@dataclass
class Meter:
    """Cores in use by group, from now on; a group is processes and all below them."""

    roots: Mapping[str, Iterable[int]]
    began: dict[str, float] = field(init=False)
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = perf_counter()
        self.began = {name: used_s(pids) for name, pids in self.roots.items()}

    def read(self) -> dict[str, float]:
        passed_s = perf_counter() - self.began_s
        return {
            name: (used_s(pids) - self.began[name]) / passed_s for name, pids in self.roots.items()
        }


def used_s(roots: Iterable[int]) -> float:
    """Return what these processes and all below them have used."""
    children = children_of_all()
    pending, total = list(roots), 0.0
    while pending:
        pid = pending.pop()
        total += ticks(pid) / TICKS_PER_S
        pending += children.get(pid, [])
    return total


def stat(pid: int) -> list[str]:
    """Return what stands after the name, or nothing when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def ticks(pid: int) -> int:
    fields = stat(pid)
    # What its ended children used counts: PostgreSQL's backends come and go.
    return (
        sum(int(fields[place]) for place in (UTIME, STIME, UTIME + 2, STIME + 2)) if fields else 0
    )


def children_of_all() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := stat(int(entry.name))):
            found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found
