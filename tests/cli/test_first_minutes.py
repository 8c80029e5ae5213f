"""What somebody does who has just cloned the repository: `make run`, `make demo`, Ctrl-C, again."""

from pathlib import Path

import httpx
import pytest
from tests.notifications.channels.test_email import Inbox, mail_server, part_of
from tests.processes import Command, command
from tests.waiting import eventually

from incident_service.cli.samples import disk_alert, webhook

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


async def fire(dev: Command, address: str) -> httpx.Response:
    """Fire an alert by hand, as the banner says."""
    key = (await dev.says("credentials:")).split()[-1]
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(
            f"{address}/v1/ingest/alertmanager",
            headers={"Authorization": f"Bearer {key}"},
            json=webhook([disk_alert("db-1", service="checkout")]),
        )


async def test_run_demo_stop_and_run_again(run_directory, tmp_path):
    given = environment(run_directory / "first-minutes")
    (run_directory / "first-minutes").mkdir()

    async with command("dev", environment=given, home=tmp_path) as dev:
        key = await printed(dev, "API key")
        await fire(dev, await printed(dev, "Address"))
        await dev.says("── page to")
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
    assert [incident["status"] for incident in kept] == ["RESOLVED"] * 50 + ["ACKNOWLEDGED"]


async def test_with_email_and_a_mail_server_the_first_alert_is_in_the_mailbox(
    run_directory, tmp_path
):
    home = run_directory / "first-mail"
    home.mkdir()
    inbox = Inbox()

    async def has_mail() -> bool:
        return bool(inbox.mails)

    with mail_server(inbox) as url:
        reach = {"EMAIL": "me@example.org", "INCIDENT_SERVICE_SMTP_URL": url}
        async with command("dev", environment=environment(home) | reach, home=tmp_path) as dev:
            said = await dev.says("Pages go to")
            address = await printed(dev, "Address")
            answer = await fire(dev, address)
            await eventually(has_mail, "a mail")
            dev.interrupt()
            await dev.exit_code()

    assert answer.status_code == 202, answer.text
    assert "email me@example.org" in said
    assert inbox.recipients[0] == "me@example.org"
    assert inbox.mails[0]["From"] == "me@example.org"
    assert f"answer: {address}/a/" in part_of(inbox.mails[0], "plain")
