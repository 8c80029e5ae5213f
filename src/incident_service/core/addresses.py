"""Decide which addresses the service may call. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from incident_service.settings import Network

Address = IPv4Address | IPv6Address

# Addresses that `is_global` calls public, or not for long: they differ between Python versions.
SPECIAL = {
    "a metadata address": ("168.63.129.16/32",),  # Azure's, in the middle of public space
    "a shared or provider's address": ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24"),
    "a transition address": ("2002::/16", "2001::/32", "::/96", "64:ff9b:1::/48"),
    "a multicast address": ("224.0.0.0/4", "ff00::/8"),
}
SPECIAL_NETWORKS = [
    (ip_network(network), name) for name, networks in SPECIAL.items() for network in networks
]
NAT64 = ip_network("64:ff9b::/96")


def refusal(address: Address, allow: Sequence[Network]) -> str | None:
    """Say why the service does not call an address, or None when it does.

    An IPv4 address inside an IPv6 one is judged as what it is; NAT64 (RFC 6052) is how a host
    without IPv4 reaches all of it.
    """
    if isinstance(address, IPv6Address):
        if any(address in network for network in allow):
            return None
        if address.ipv4_mapped:
            return refusal(address.ipv4_mapped, allow)
        if address in NAT64:
            return refusal(IPv4Address(int(address) & 0xFFFFFFFF), allow)
    if any(address in network for network in allow):
        return None
    return special_purpose(address)


def special_purpose(address: Address) -> str | None:
    """Name the kind of an address that does not belong to the public internet, or None."""
    if address.is_loopback:
        return "a loopback address"
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_link_local:
        return "a link-local address"
    for network, name in SPECIAL_NETWORKS:
        if address in network:
            return name
    return None if address.is_global else "a private or reserved address"
