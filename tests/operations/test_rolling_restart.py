"""An upgrade under load: two APIs and two workers are replaced, one after the other."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from tests.api_steps import set_up
from tests.chaos import promises
from tests.operations.fleet import Senders, fleet
from tests.processes import environment_of
from tests.receiver import webhook_receiver
from tests.running import drill_settings, running

pytestmark = pytest.mark.faults

MINUTE_S = 0.4  # level 1 lasts 2 s
PLACES = ("api-1", "worker-1", "api-2", "worker-2")
BEGAN_AT = datetime(2026, 11, 2, 11, tzinfo=UTC)


async def test_a_rolling_restart_loses_and_doubles_nothing(
    transactions, database_url, valkey, tmp_path
):
    drill = drill_settings(database_url, valkey.url, MINUTE_S)
    async with webhook_receiver() as receiver, running(drill, workers=0) as service:
        customer = await set_up(
            service.api,
            [receiver.url("one"), receiver.url("two")],
            bundle=False,
            policy={"exhausted_reminder_minutes": None},
        )
        async with fleet(environment_of(drill), tmp_path, *PLACES) as processes:
            senders = Senders(processes, customer.ingest_key)
            async with senders.sending(2, pause_s=0.25):
                for place in PLACES:
                    await processes.replace(place)
            await receiver.expect_titles(senders.answered, to="one", within_s=60)
            await receiver.expect_titles(senders.answered, to="two", within_s=60)
        async with transactions.open() as tx:
            broken = await promises.broken(tx.session)
            lost = await promises.not_stored(
                tx.session, [(name, BEGAN_AT) for name in senders.answered]
            )

    once = dict.fromkeys(senders.answered, 1)
    assert processes.codes == [0] * len(PLACES)
    assert senders.refused == []
    assert len(senders.answered) > 20
    assert broken == lost == []
    assert Counter(title for item in receiver.to("one") for title in item.titles) == once
    assert Counter(title for item in receiver.to("two") for title in item.titles) == once
