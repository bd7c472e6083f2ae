"""The hosts under which others find this server: its own addresses, or what the operator says."""

from __future__ import annotations

import ipaddress
import re
import socket

import psutil

from im_protocol.invite import OTHERS_MAX, is_host

HOSTS_MAX = 1 + OTHERS_MAX
LOOPBACK = "127.0.0.1"
EVERY_ADDRESS = ("0.0.0.0", "::")
_VIRTUAL = re.compile(r"(docker|virbr|br-|veth|lxcbr|cni|podman|vmnet|vboxnet)")  # nobody else is on these networks


def address_text(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def own_addresses() -> list[str]:
    """IPv4 and IPv6 addresses of this machine's networks, the one of the default route first; no loopback, and no
    address that means something on one link only (RFC 4291, section 2.5.6), since that cannot be written in a link."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup and not _VIRTUAL.match(name)}
    found = [
        ipaddress.ip_address(entry.address.partition("%")[0])
        for name, entries in psutil.net_if_addrs().items()
        if name in up
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6)
    ]
    usable = [address for address in found if not (address.is_loopback or address.is_link_local)]
    first = _of_the_default_route()
    usable.sort(key=lambda address: (str(address) not in first, address.version))
    return list(dict.fromkeys(map(str, usable)))[:HOSTS_MAX]


def _of_the_default_route() -> set[str]:
    """The addresses that packets to elsewhere would leave from. No packet is sent for this."""
    found = set()
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # RFC 5737, RFC 3849
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))
                found.add(str(probe.getsockname()[0]))
        except OSError:
            continue
    return found


def checked_host(text: str) -> str:
    """A host as a link can name it; brackets around an IPv6 address may stay. Raises ValueError with a sentence."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if host.count(":") == 1 or host.startswith("["):
        raise ValueError(f"{text!r} names a port; write the host alone (the port is said with --port or --listen)")
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f"{text!r} is not an IP address, nor a host name") from None
        if address.is_link_local and address.version == 6:
            raise ValueError(f"{text!r} means something on one cable only; write another address of this machine")
        return str(address)
    if not is_host(host) or host.startswith(("-", ".")) or ".." in host:
        raise ValueError(f"{text!r} is not a host name or address; write for example 192.168.1.20 or chat.example.org")
    return host
