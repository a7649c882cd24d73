"""A contained process's only way to the network: a proxy on a Unix socket, in the daemon, for one process's hosts.

`CONNECT host:port` gives a tunnel, whose bytes we don't read. `GET https://host/…` as the whole target is sent by us,
over TLS that we open and check; there alone `{{secret:NAME}}` in a header becomes the secret, which the process never
has. `GET http://host/…` goes out as it is, or over TLS where only the TLS port was declared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import h11

from assistant.sandbox.addresses import NotAllowed, Place, addresses_of, place_of
from assistant.sandbox.forward import Exchange, Secrets, target_of

_log = logging.getLogger(__name__)

REFUSED = "assistant-refused"
"""Header of an answer of ours: why."""
_AT_ONCE = 32
"""Connections of one process."""
_HEAD_S = 15.0
_CONNECT_S = 20.0
_IDLE_S = 120.0
_BLOCK = 65_536
_STATUS = {"unreachable": 502, "untrusted": 502, "odd": 502, "too_long": 502}


@dataclass(frozen=True)
class Passed:
    """One connection that ended."""

    place: str
    refused: str = ""
    """Why it was not made; empty where it was."""
    sent: int = 0
    received: int = 0


Note = Callable[[Passed], None]


@dataclass
class Proxy:
    """One process's proxy."""

    allowed: frozenset[Place]
    secrets: Mapping[str, frozenset[str]]
    """By the name of a secret: the hosts it may be sent to."""
    secret: Callable[[str], Awaitable[str | None]]
    note: Note
    trust: Callable[[], ssl.SSLContext] | None = None
    """Whose certificates count; without it the usual authorities'."""
    _server: asyncio.Server | None = None
    _busy: set[asyncio.Task[None]] = field(default_factory=set)
    _context: ssl.SSLContext | None = None

    async def start(self, socket: Path) -> None:
        """Listen at `socket`. Raises OSError."""
        socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, path=str(socket), limit=_BLOCK)
        socket.chmod(0o600)

    async def aclose(self) -> None:
        """Stop, and cut all connections."""
        if self._server is not None:
            self._server.close()
        for task in tuple(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._busy) >= _AT_ONCE:
            writer.close()
            self.note(Passed("-", refused="too_many"))
            return
        self._busy.add(task)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError, h11.ProtocolError):
                await self._serve(reader, writer)
        except Exception:
            _log.exception("a skill's connection failed")
        finally:
            self._busy.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        async with asyncio.timeout(_HEAD_S):
            request = await _request(connection, reader)
        if request is None:
            return
        told = request.target.decode("ascii", "replace")
        try:
            if request.method == b"CONNECT":
                place = self._declared(place_of(told))
                told = str(place)
                await self._tunnel(place, connection, reader, writer)
            else:
                target = target_of(request, self.allowed)
                told = str(target.place)
                place = self._declared(target.place)
                keys = Secrets(self.secrets, self.secret)
                headers = await keys.put_into(request, target)
                far = await self._connect(place, tls=target.tls)
                exchange = Exchange(request.method, target, headers, keys.used, _IDLE_S)
                try:
                    await exchange.run(connection, (reader, writer), far)
                finally:
                    self.note(Passed(told, sent=exchange.sent, received=exchange.received))
        except NotAllowed as refusal:
            # What is no host at all is told as no more than that: it is the process's own text.
            self.note(Passed("-" if refusal.reason == "no_host" else told, refused=refusal.reason))
            _refuse(connection, writer, refusal.reason)
            await writer.drain()

    def _declared(self, place: Place) -> Place:
        found = next((one for one in self.allowed if (one.host, one.port) == (place.host, place.port)), None)
        if found is None:
            raise NotAllowed("not_declared")
        return found

    async def _connect(self, place: Place, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To an address that was checked, never to the name again. Raises NotAllowed."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                addresses = await addresses_of(place)
                for index, address in enumerate(addresses):
                    try:
                        return await asyncio.open_connection(
                            address,
                            place.port,
                            limit=_BLOCK,
                            ssl=self._tls() if tls else None,
                            server_hostname=place.host if tls else None,
                        )
                    except ssl.SSLError as error:
                        raise NotAllowed("untrusted") from error
                    except OSError:
                        if index == len(addresses) - 1:
                            raise
        except (OSError, TimeoutError) as error:
            raise NotAllowed("unreachable") from error
        raise NotAllowed("unreachable")

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            import httpx

            self._context = self.trust() if self.trust else httpx.create_ssl_context()
        return self._context

    async def _tunnel(
        self,
        place: Place,
        connection: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        outward, away = await self._connect(place, tls=False)
        early, _ = connection.trailing_data
        counts = [len(early), 0]
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            away.write(early)
            await asyncio.gather(_copy(reader, away, counts, 0), _copy(outward, writer, counts, 1))
        finally:
            away.close()
            self.note(Passed(str(place), sent=counts[0], received=counts[1]))


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(_BLOCK))


def _refuse(connection: h11.Connection, writer: asyncio.StreamWriter, reason: str) -> None:
    if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
        return  # an answer has begun: cut it
    headers = [(REFUSED, reason), ("content-length", "0"), ("connection", "close")]
    answer = h11.Response(status_code=_STATUS.get(reason, 403), headers=headers)
    writer.write(connection.send(answer) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, counts: list[int], index: int) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        while block := await asyncio.wait_for(source.read(_BLOCK), _IDLE_S):
            counts[index] += len(block)
            target.write(block)
            await target.drain()
    with contextlib.suppress(OSError, RuntimeError):
        target.write_eof()
