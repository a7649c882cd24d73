"""What the DNS says of a domain's mail and calendars: MX, and SRV (RFC 2782, 6186, 6764, 8314)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from assistant.models import Value

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_WITHIN_S = 5.0


class Unanswered(Exception):
    """Nobody answers for names: no network, or no name server."""


class Service(Value):
    """Where a service is, of one SRV record."""

    priority: int
    weight: int
    port: int
    host: str


class Names(Protocol):
    """Looks names up. An empty answer means that there is no such record; Unanswered that nobody answered."""

    async def mx(self, domain: str) -> Sequence[str]:
        """Hosts that take its mail, the preferred first."""
        ...

    async def srv(self, name: str) -> Sequence[Service]:
        """The records of `_service._tcp.domain`, the preferred first."""
        ...

    async def txt(self, name: str) -> Sequence[str]:
        """Its texts."""
        ...


class Dns:
    """Adapter of `Names` on this machine's name servers (dnspython)."""

    def __init__(self, nameservers: Sequence[str] = (), port: int = 53) -> None:
        self._nameservers = nameservers
        self._port = port

    async def mx(self, domain: str) -> Sequence[str]:
        """Hosts that take its mail, the preferred first."""
        found = await self._ask(domain, "MX")
        pairs = sorted((one.preference, one.exchange.to_text(omit_final_dot=True)) for one in found)
        return [host for _, host in pairs if host]

    async def srv(self, name: str) -> Sequence[Service]:
        """The records of `_service._tcp.domain`, the preferred first."""
        found = [
            Service(
                priority=one.priority,
                weight=one.weight,
                port=one.port,
                host=one.target.to_text(omit_final_dot=True),
            )
            for one in await self._ask(name, "SRV")
        ]
        offered = [one for one in found if one.host not in ("", ".") and one.port]  # "." : decidedly not there
        return sorted(offered, key=lambda one: (one.priority, -one.weight))

    async def txt(self, name: str) -> Sequence[str]:
        """Its texts."""
        return [b"".join(one.strings).decode("utf-8", "replace") for one in await self._ask(name, "TXT")]

    def _resolver(self) -> Resolver:
        from dns.asyncresolver import Resolver

        resolver = Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = list(self._nameservers)
            resolver.port = self._port
        resolver.lifetime = _WITHIN_S
        return resolver

    async def _ask(self, name: str, kind: str) -> list[Any]:
        from dns.exception import DNSException
        from dns.resolver import NXDOMAIN, YXDOMAIN, NoAnswer

        try:
            async with asyncio.timeout(_WITHIN_S + 1):
                return list(await self._resolver().resolve(name, kind))
        except (NXDOMAIN, NoAnswer, YXDOMAIN):
            return []
        except (DNSException, OSError, TimeoutError) as error:
            raise Unanswered(f"{kind} {name}: {type(error).__name__}") from error
