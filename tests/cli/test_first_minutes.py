"""What somebody does who has just cloned the repository: `make run`, `make demo`, Ctrl-C, again."""

from pathlib import Path

import httpx
import pytest
from tests.processes import Command, command

pytestmark = pytest.mark.e2e
FASTER = "2"  # seconds of a policy's minute: the demo waits for level 2


def environment(directory: Path) -> dict[str, str]:
    return {
        "HOME": str(directory),
        "INCIDENT_SERVICE_DATA_DIR": str(directory / "data"),
        "INCIDENT_SERVICE_ESCALATION_MINUTE_SECONDS": FASTER,
        "INCIDENT_SERVICE_PORT": "0",
    }


async def printed(dev: Command, words: str) -> str:
    """The last word of a line that the banner shows."""
    return (await dev.says(words)).split()[-1]


async def incidents(url: str, key: str) -> list[dict[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{url}/v1/incidents",
            params={"limit": 200},
            headers={"Authorization": f"Bearer {key}"},
        )
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_run_demo_stop_and_run_again(run_directory, tmp_path):
    given = environment(run_directory / "first-minutes")
    (run_directory / "first-minutes").mkdir()

    async with command("dev", environment=given, home=tmp_path) as dev:
        key = await printed(dev, "API key")
        async with command("demo", environment=given, home=tmp_path) as demo:
            played = await demo.exit_code(within_s=150)
        dev.interrupt()
        stopped = await dev.exit_code()
    async with command("dev", environment=given, home=tmp_path) as again:
        url, key_again = await printed(again, "Address"), await printed(again, "API key")
        kept = await incidents(url, key_again)
        again.interrupt()  # so that it stops its servers
        await again.exit_code()

    assert played == 0, demo.text
    assert stopped == 0, dev.text
    assert key_again == key
    assert [incident["status"] for incident in kept] == ["RESOLVED"] * 50
