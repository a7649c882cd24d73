"""Which hosts may be reached, and which of a name's addresses: pure rules, and one look-up by the system's resolver."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_OF_A_HOME = (".local", ".lan", ".home.arpa", ".internal", ".home", ".fritz.box")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """A connection that is refused: the reason, as the end of a key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Place:
    """A host, by name or address, and a port."""

    host: str
    port: int
    of_the_user: bool = False
    """Whether the user wrote it into a setting: then it may lie anywhere."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def place_of(text: str, default: int | None = None) -> Place:
    """`host:port` and nothing else: no user, no path, no second colon. Raises NotAllowed."""
    found = _AUTHORITY.fullmatch(text)
    port = int(found[2]) if found and found[2] else default
    if found is None or port is None or not 0 < port < 65536:
        raise NotAllowed("no_host")
    host = found[1].lower().removesuffix(".")
    if host.startswith("["):
        try:
            return Place(str(ipaddress.IPv6Address(host[1:-1])), port)
        except ValueError as error:
            raise NotAllowed("no_host") from error
    if not _HOST.fullmatch(host):
        raise NotAllowed("no_host")
    return Place(host, port)


async def addresses_of(place: Place) -> list[str]:
    """The addresses that may be connected to, asked once: what is checked is what is used. Raises NotAllowed, OSError.

    A name of the public network must not lead into the user's own: else whoever holds the name could point it at the
    router, another program of this machine, or us.
    """
    answers = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not found or not all(fits(place, ipaddress.ip_address(one.partition("%")[0])) for one in found):
        raise NotAllowed("private_address")
    return found


def fits(place: Place, address: Address) -> bool:
    """Whether an address is one that this place may have."""
    address = _inner(address)
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    if place.of_the_user or _literal(place.host) is not None:
        return True
    if place.host == "localhost" or place.host.endswith(".localhost"):
        return address.is_loopback
    if address.is_loopback or address.is_link_local:
        return False
    return address.is_global or "." not in place.host or place.host.endswith(_OF_A_HOME)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
