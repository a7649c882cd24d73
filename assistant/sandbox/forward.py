"""One request that the proxy sends itself: its target taken apart, secrets put in, the answer handed back.

Both sides are parsed and written anew (h11): nothing that one side reads otherwise than the other gets through.
"""

from __future__ import annotations

import asyncio
import base64
import re
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

from assistant.sandbox.addresses import NotAllowed, Place, place_of

Headers = list[tuple[bytes, bytes]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Event = h11.Event | type[h11.PAUSED]

_URL = re.compile(r"(https?)://([^/?#\\@\s]+)([/?][^#\s]*)?", re.IGNORECASE)
_HANDLE = re.compile(rb"\{\{secret:([A-Za-z0-9_./-]{1,100})\}\}")
_OF_THE_HOP = frozenset(
    b"host connection proxy-connection keep-alive proxy-authorization proxy-authenticate te trailer upgrade".split()
)
_OUR_OWN = frozenset({b"assistant-refused"})
_MOST_SCREENED = 8 << 20
"""Bytes of an answer to a request that held a secret: it is read whole before it is handed on."""
_BLOCK = 65_536


@dataclass(frozen=True)
class Target:
    """Where a request goes."""

    place: Place
    path: bytes
    tls: bool


def target_of(request: h11.Request, allowed: frozenset[Place]) -> Target:
    """The whole target of a proxy's request. Raises NotAllowed."""
    found = _URL.fullmatch(request.target.decode("ascii", "replace"))
    if found is None:
        raise NotAllowed("no_host")
    tls = found[1].lower() == "https"
    place = place_of(found[2], 443 if tls else 80)
    if not tls and ":" not in found[2].rpartition("]")[2]:
        ports = {one.port for one in allowed if one.host == place.host}
        if 80 not in ports and 443 in ports:  # only the safe way was asked for
            tls, place = True, Place(place.host, 443)
    path = found[3] or "/"
    return Target(place, (path if path.startswith("/") else f"/{path}").encode("ascii"), tls)


@dataclass
class Secrets:
    """Puts secrets into a request's headers, and remembers which."""

    hosts: Mapping[str, frozenset[str]]
    value: Callable[[str], Awaitable[str | None]]
    used: dict[str, str] = field(default_factory=dict)

    async def put_into(self, request: h11.Request, target: Target) -> Headers:
        """The headers to send. Raises NotAllowed where a secret may not go there."""
        headers: Headers = []
        for name, value in request.headers:
            if name in _OF_THE_HOP:
                continue
            for handle in dict.fromkeys(_HANDLE.findall(value)):
                secret = await self._secret(handle.decode(), target)
                value = value.replace(b"{{secret:%s}}" % handle, secret.encode())
            headers.append((name, value))
        if self.used:
            headers = [(name, value) for name, value in headers if name != b"accept-encoding"]
        return headers

    async def _secret(self, name: str, target: Target) -> str:
        if target.place.host not in self.hosts.get(name, frozenset()):
            raise NotAllowed("secret_host")
        if not target.tls:
            raise NotAllowed("secret_needs_tls")
        value = await self.value(name)
        if value is None or not value.strip():
            raise NotAllowed("secret_missing")
        self.used[name] = value.strip()
        return value.strip()


@dataclass
class Exchange:
    """A request that is on its way, and its answer."""

    method: bytes
    target: Target
    headers: Headers
    secrets: Mapping[str, str]
    """Those in the headers, by name: an answer that repeats one is handed on without it."""
    idle_s: float
    sent: int = 0
    received: int = 0

    async def run(self, inward: h11.Connection, near: Streams, far: Streams) -> None:
        """Send it over `far` and hand the answer to `near`. Raises NotAllowed, OSError, TimeoutError."""
        outward = h11.Connection(h11.CLIENT)
        body = asyncio.create_task(self._send(inward, outward, near[0], far[1]))
        try:
            await self._answer(inward, outward, near[1], far[0])
        except h11.RemoteProtocolError as error:
            raise NotAllowed("odd") from error
        finally:
            body.cancel()
            await asyncio.gather(body, return_exceptions=True)
            far[1].close()

    async def _send(
        self, inward: h11.Connection, outward: h11.Connection, source: asyncio.StreamReader, far: asyncio.StreamWriter
    ) -> None:
        headers = [(b"host", _authority(self.target)), *self.headers, (b"connection", b"close")]
        if self.secrets:
            headers.append((b"accept-encoding", b"identity"))
        request = h11.Request(method=self.method, target=self.target.path, headers=headers)
        await self._put(far, outward.send(request), upward=True)
        while True:
            event = await self._next(inward, source)
            if isinstance(event, h11.Data):
                await self._put(far, outward.send(h11.Data(data=bytes(event.data))), upward=True)
            elif isinstance(event, h11.EndOfMessage):
                await self._put(far, outward.send(h11.EndOfMessage()), upward=True)
                return
            else:
                return

    async def _answer(
        self, inward: h11.Connection, outward: h11.Connection, near: asyncio.StreamWriter, source: asyncio.StreamReader
    ) -> None:
        response = await self._next(outward, source)
        while isinstance(response, h11.InformationalResponse):
            response = await self._next(outward, source)
        if not isinstance(response, h11.Response):
            raise NotAllowed("odd")
        headers = [(name, value) for name, value in response.headers if name not in _OF_THE_HOP | _OUR_OWN]
        if self.secrets:
            await self._screened(inward, outward, near, source, (response.status_code, headers))
            return
        kept = [*headers, (b"connection", b"close")]
        await self._put(near, inward.send(h11.Response(status_code=response.status_code, headers=kept)))
        while isinstance(event := await self._next(outward, source), h11.Data):
            self.received += len(event.data)
            await self._put(near, inward.send(h11.Data(data=bytes(event.data))))
        if isinstance(event, h11.EndOfMessage):
            await self._put(near, inward.send(h11.EndOfMessage()))

    async def _screened(
        self,
        inward: h11.Connection,
        outward: h11.Connection,
        near: asyncio.StreamWriter,
        source: asyncio.StreamReader,
        head: tuple[int, Headers],
    ) -> None:
        """An answer to a request that held a secret: read whole, and handed on without it."""
        status, headers = head
        if any(name == b"content-encoding" and value.lower() != b"identity" for name, value in headers):
            raise NotAllowed("odd")
        body = b""
        while isinstance(event := await self._next(outward, source), h11.Data):
            self.received += len(event.data)
            body += bytes(event.data)
            if len(body) > _MOST_SCREENED:
                raise NotAllowed("too_long")
        body = self._without(body)
        kept = [
            (name, self._without(value))
            for name, value in headers
            if name not in (b"content-length", b"transfer-encoding")
        ]
        kept += [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        await self._put(near, inward.send(h11.Response(status_code=status, headers=kept)))
        if self.method != b"HEAD":
            await self._put(near, inward.send(h11.Data(data=body)))
        await self._put(near, inward.send(h11.EndOfMessage()))

    def _without(self, text: bytes) -> bytes:
        """The text with each secret, as it is or in a common disguise, replaced by its name."""
        for name, value in self.secrets.items():
            plain = value.encode()
            quoted = urllib.parse.quote(value, safe="").encode()
            for form in {plain, plain[::-1], plain.hex().encode(), quoted, base64.b64encode(plain).rstrip(b"=")}:
                text = text.replace(form, b"{{secret:%s}}" % name.encode())
        return text

    async def _next(self, connection: h11.Connection, source: asyncio.StreamReader) -> Event:
        while True:
            event = connection.next_event()
            if not isinstance(event, type) or event is h11.PAUSED:
                return event
            connection.receive_data(await asyncio.wait_for(source.read(_BLOCK), self.idle_s))

    async def _put(self, target: asyncio.StreamWriter, block: bytes | None, *, upward: bool = False) -> None:
        if block:
            self.sent += len(block) if upward else 0
            target.write(block)
            await asyncio.wait_for(target.drain(), self.idle_s)


def _authority(target: Target) -> bytes:
    usual = 443 if target.tls else 80
    host = f"[{target.place.host}]" if ":" in target.place.host else target.place.host
    return (host if target.place.port == usual else f"{host}:{target.place.port}").encode("ascii")
