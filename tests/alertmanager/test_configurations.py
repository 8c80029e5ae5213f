"""Ways to wire a real Alertmanager to the service; each of them ends in a page."""

import pytest
from tests.alertmanager.alertmanager import Alert, find_binary
from tests.alertmanager.configuration import basic, bearer, configuration

from incident_service.cli.dev.banner import Facts, alertmanager_snippet

pytestmark = pytest.mark.e2e


async def test_the_key_may_come_as_a_bearer_token(start_alertmanager, url, customer, receiver):
    sender = await start_alertmanager(configuration(url, bearer(customer.ingest_key)))

    await sender.fire(Alert("Disk"))

    assert await receiver.expect(1, to="one")


async def test_the_key_may_come_as_the_password(start_alertmanager, url, customer, receiver):
    sender = await start_alertmanager(configuration(url, basic(customer.ingest_key)))

    await sender.fire(Alert("Disk"))

    assert await receiver.expect(1, to="one")


async def test_the_key_may_come_in_the_address(start_alertmanager, url, customer, receiver):
    sender = await start_alertmanager(configuration(f"{url}/{customer.ingest_key}", {}))

    await sender.fire(Alert("Disk"))

    assert await receiver.expect(1, to="one")


async def test_the_configuration_that_dev_prints_pages(
    start_alertmanager, url, customer, receiver, tmp_path
):
    facts = Facts(
        url=url.removesuffix("/v1/ingest/alertmanager"),
        api_key="isk_of_a_person",
        integration_key=customer.ingest_key,
        data_dir=tmp_path,
        minute_s=60,
    )
    printed = alertmanager_snippet(facts)
    sooner = printed.replace("group_wait: 10s", "group_wait: 0s")

    sender = await start_alertmanager(sooner)
    await sender.fire(Alert("Disk"))

    assert await receiver.expect(1, to="one")
    assert sooner != printed


def test_without_alertmanager_these_tests_fail(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="prometheus-alertmanager"):
        find_binary(str(tmp_path))
