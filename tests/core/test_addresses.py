from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_service.core.addresses import refusal

REFUSED = {
    "a loopback address": ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"],
    "the unspecified address": ["0.0.0.0", "::", "::ffff:0.0.0.0"],
    "a link-local address": ["169.254.169.254", "fe80::1", "fe80::1%eth0"],
    "a metadata address": ["168.63.129.16", "64:ff9b::a83f:8110"],
    "a shared or provider's address": [
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "192.88.99.1",
    ],
    "a transition address": ["2002:7f00:1::", "2001:0:1::1", "::7f00:1", "64:ff9b:1::7f00:1"],
    "a multicast address": ["224.0.0.1", "239.1.2.3", "ff02::1"],
    "a private or reserved address": [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "0.1.2.3",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
        "255.255.255.255",
        "fc00::1",
        "fd00:ec2::254",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
    ],
}


@pytest.mark.parametrize(
    ("address", "reason"),
    [(address, reason) for reason, addresses in REFUSED.items() for address in addresses],
)
def test_an_address_that_is_not_public_is_refused_with_its_kind(address, reason):
    assert refusal(ip_address(address), []) == reason


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::5db8:d822"]
)
def test_a_public_address_is_called(address):
    assert refusal(ip_address(address), []) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.0.0.0/8"),
        ("64:ff9b::a01:203", "10.0.0.0/8"),
        ("fd12::1", "fd12::/16"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("2002:a00:1::", "2002::/16"),
    ],
)
def test_an_operator_may_allow_a_network(address, network):
    assert refusal(ip_address(address), [ip_network(network)]) is None


def test_allowing_one_network_allows_no_other():
    assert refusal(ip_address("10.1.2.3"), [ip_network("192.168.0.0/16"), ip_network("::/0")])


@given(st.ip_addresses(v=4))
def test_an_address_hidden_in_ipv6_is_judged_as_itself(address: IPv4Address):
    mapped = IPv6Address(b"\x00" * 10 + b"\xff\xff" + address.packed)
    translated = IPv6Address(ip_address("64:ff9b::").packed[:12] + address.packed)

    assert refusal(mapped, []) == refusal(address, []) == refusal(translated, [])
