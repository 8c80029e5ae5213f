"""Real API processes: what one commits is told by the other, and each ends its streams in time."""

import asyncio

import pytest
from tests.api_steps import firing, set_up
from tests.incidents.stream.listening import listening
from tests.operations.fleet import fleet
from tests.processes import environment_of
from tests.running import drill_settings, running
from tests.waiting import eventually

from incident_service.core.clock import monotonic_s

pytestmark = pytest.mark.faults

SOON_S = 2.0


async def test_a_reader_goes_from_process_to_process_and_misses_nothing(
    transactions, database_url, valkey, tmp_path
):
    drill = drill_settings(database_url, valkey.url, 60)
    async with (
        running(drill, workers=0) as service,
        fleet(environment_of(drill), tmp_path, "api-1", "api-2") as processes,
    ):
        customer = await set_up(service.api, ["https://pager.example/one"])
        headers = {"Authorization": service.api.headers["Authorization"]}
        one, two = (f"http://127.0.0.1:{processes.ports[name]}" for name in ("api-1", "api-2"))
        async with listening(one, headers, kind="opened") as first:
            began_s = monotonic_s()
            await customer.webhook(firing("One"))
            await first.hears(1)
            took_s = monotonic_s() - began_s
            replacing = asyncio.create_task(processes.replace("api-1"))
            await first.ends(within_s=5)
            await customer.webhook(firing("Two"))
            after = first.parser.last_id
            async with listening(two, headers, after=after, kind="opened") as second:

                async def hears_more() -> bool:
                    return bool(set(second.sequences) - set(first.sequences))

                await eventually(hears_more, "what came while the reader was on its way")
            await replacing

    assert took_s < SOON_S
    assert first.has_ended
    assert "come back" in first.parser.comments
    assert processes.codes == [0]
    # What was not settled yet may come again; a reader drops what it has.
    new = [each for each in second.sequences if each not in first.sequences]
    assert [title for title, _ in new] == ["Two"]
