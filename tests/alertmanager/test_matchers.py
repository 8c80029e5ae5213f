"""Our matchers decide as Alertmanager's: the same texts, the same labels, asked of amtool."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from incident_service.catalog.matchers import MatcherWrong, parse, quote

TEXTS = [
    "team=db",
    'team="db"',
    'team = "db"',
    "team!=db",
    "team=",
    "team!=",
    "team=~db|net",
    'team=~"d."',
    "team=~d",
    "team!~d.*",
    "team=~.*",
    "team=~.+",
    "team=~(?i)DB",
    'team="db",severity=critical',
    'team="db",severity!~"info|none",',
    '{team="db"}',
    "{severity=critical,team=~db}",
    'team="a,b"',
    r'team="say \"x\""',
    r'team="back\\slash"',
    r'team=~"\w+"',
    r"team=~\d+",
    "team=two words",
    'team=~"[a-z]{2,3}"',
    "team=a=b",
    "a:b=1",
]
WRONG = [
    "team",
    "=db",
    "team=~(",
    "team=~*",
    'team="db',
    'team=d"b"',
    'team="db" x',
    "team=~(?=x)",
    "team=~[a-z]{2,3}",
]
LABELS: list[dict[str, str]] = [
    {},
    {"team": "db"},
    {"team": "DB"},
    {"team": "net", "severity": "critical"},
    {"team": "db", "severity": "critical"},
    {"team": "db", "severity": "info"},
    {"team": "dba"},
    {"team": "a,b"},
    {"team": 'say "x"'},
    {"team": "back\\slash"},
    {"team": "two words"},
    {"team": "42"},
    {"team": "a=b"},
    {"a:b": "1"},
]

pytestmark = pytest.mark.e2e


async def amtool(*arguments: str) -> tuple[int, str]:
    path = shutil.which("amtool")
    assert path, "install amtool: Debian's prometheus-alertmanager has it"
    process = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    # Newer ones first say there what they would rather read.
    return process.returncode or 0, out.decode().strip().rpartition("\n")[2]


def configuration(path: Path, text: str) -> Path:
    routes = [{"receiver": "met", "matchers": [text]}]
    receivers = [{"name": "unmet"}, {"name": "met"}]
    # JSON is YAML too.
    path.write_text(
        json.dumps({"route": {"receiver": "unmet", "routes": routes}, "receivers": receivers})
    )
    return path


@pytest.mark.parametrize("text", TEXTS)
async def test_a_matcher_holds_where_alertmanager_says_so(tmp_path, text):
    path = configuration(tmp_path / "alertmanager.yml", text)
    ours, theirs = [], []
    for labels in LABELS:
        given = [f"{name}={quote(value)}" for name, value in labels.items()]
        status, receiver = await amtool("config", "routes", "test", f"--config.file={path}", *given)
        assert status == 0
        theirs.append(receiver)
        holds = all(matcher.holds(labels) for matcher in parse(text))
        ours.append("met" if holds else "unmet")

    assert ours == theirs


@pytest.mark.parametrize("text", WRONG)
async def test_what_alertmanager_refuses_is_refused(tmp_path, text):
    path = configuration(tmp_path / "alertmanager.yml", text)

    status, _ = await amtool("check-config", str(path))

    assert status != 0
    with pytest.raises(MatcherWrong):
        parse(text)
