"""What operators set is read as they mean it."""

import pytest

from incident_service.settings import Settings


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ({}, "http://127.0.0.1:8080"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80"),
        ({"host": "::"}, "http://[::1]:8080"),
        ({"host": "::1"}, "http://[::1]:8080"),
        ({"host": "0.0.0.0", "public_url": "https://pages.example/"}, "https://pages.example"),
    ],
)
def test_links_lead_to_an_address_that_can_be_opened(given, link):
    assert Settings(_env_file=None, **given).base_url == link


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_the_database_may_be_named_as_other_tools_name_it(scheme):
    settings = Settings(_env_file=None, database_url=f"{scheme}://user@host/name")

    assert settings.database_url == "postgresql+asyncpg://user@host/name"


def test_another_database_is_refused_in_words():
    with pytest.raises(ValueError, match="must start with postgresql://"):
        Settings(_env_file=None, database_url="mysql://host/name")


def test_networks_are_given_with_commas():
    settings = Settings(_env_file=None, outbound_allow="10.1.0.0/16, fd00::/8")

    assert [str(network) for network in settings.outbound_allow] == ["10.1.0.0/16", "fd00::/8"]


def test_apprise_urls_have_names():
    settings = Settings(
        _env_file=None, apprise_urls="ops=json://u:p@host/?a=b,c\n  pager=pover://user@token\n"
    )

    assert settings.named_apprise_urls == {
        "ops": "json://u:p@host/?a=b,c",
        "pager": "pover://user@token",
    }


@pytest.mark.parametrize(
    "pairs", ["json://host", "json://host/?a=b", "ops=", "=json://host", "a=json://h a=json://i"]
)
def test_apprise_urls_without_a_name_of_their_own_are_refused(pairs):
    with pytest.raises(ValueError, match=r"name=url pairs|each name once"):
        Settings(_env_file=None, apprise_urls=pairs)
