"""The files that the tests of packaging look at."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent


def project_files(*patterns: str) -> list[Path]:
    """Return what git keeps, or would keep, of the checkout: all files, or those that match."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    # In a container the checkout may belong to somebody else, which git would refuse to read.
    trusting = ["git", "-c", f"safe.directory={ROOT}", *command[1:]]
    listed = subprocess.run(trusting, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = dict.fromkeys(name for name in listed.split("\0") if name)
    return [ROOT / name for name in names if (ROOT / name).is_file()]
