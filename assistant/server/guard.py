"""Who may speak to the daemon: right Host, right Origin, right credential, and a request that reads one way only.

It stands before both doors. The Host is compared exactly: a prefix test lets `127.0.0.1:evil.example` pass
(GHSA-4w35-279q-9x9p), and without it DNS rebinding reaches the port. On the Unix socket the system has said already
that the other end is this user (`peers.py`); a program there may still show its own, smaller credential.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.errors import AssistantError
from assistant.server.callers import PERSON, Caller
from assistant.server.request import Refused, check_line, check_method, headers_of, whole
from assistant.server.respond import language, problem_response

if TYPE_CHECKING:  # the door is open before they are loaded
    from assistant.locale import Catalogue
    from assistant.models import Language
    from assistant.safety.tokens import Tokens

_log = logging.getLogger(__name__)

SUBPROTOCOL = "assistant.v1"
_BEARER = "bearer."
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_FAILURES, _WINDOW_S = 10, 60.0

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


@dataclass(frozen=True)
class Door:
    """What a listening socket expects of those who come."""

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    token: str = field(default="", repr=False)
    """The person's token; empty where the system itself says who is there."""
    open_to: Caller | None = None
    """Who comes without a credential; None: nobody."""

    @classmethod
    def unix(cls) -> Door:
        """The Unix socket: no browser can reach it, so no origin is right."""
        return cls(hosts=frozenset({"localhost"}), open_to=PERSON)

    @classmethod
    def tcp(cls, port: int, token: str, origins: Sequence[str]) -> Door:
        """The loopback port: the three names of this computer, the page served here, and the origins allowed."""
        hosts = frozenset(f"{host}:{port}" for host in _HOSTS)
        return cls(hosts, frozenset(f"http://{host}" for host in hosts) | frozenset(origins), token)


class Failures:
    """Wrong credentials of the last minute. After ten they get 429 for as long as they go on.

    The right token always passes: 256 bits are not guessed, and a lock would let any program on this computer shut
    the user out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque(maxlen=_FAILURES)
        self._told = -_WINDOW_S

    def add(self) -> int:
        """Count one; gives the seconds to wait, 0 while there are few."""
        now = self._clock()
        age = now - self._times[0] if len(self._times) == _FAILURES else _WINDOW_S
        self._times.append(now)
        if age >= _WINDOW_S:
            return 0
        if now - self._told >= _WINDOW_S:
            _log.warning("more than ten wrong credentials within a minute")
            self._told = now
        return max(1, round(_WINDOW_S - age))


class Guard:
    """Wraps the application at one door."""

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        tokens: Callable[[], Tokens],
        catalogue: Callable[[], Catalogue],
        fallback: Callable[[], Language],
        failures: Failures | None = None,
    ) -> None:
        self._app = app
        self._door = door
        self._tokens = tokens
        self._catalogue = catalogue
        self._fallback = fallback
        self._failures = failures or Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        try:
            headers = headers_of(scope)
            check_line(scope, headers)
            self._check_place(headers)
            found = self._who(scope, headers)
            check_method(scope, headers)
            if scope["type"] == "http" and scope["method"] == "POST":
                receive = await whole(receive)
        except Refused as refused:
            await self._refuse(refused, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = found
        await self._app(scope, receive, send)

    def _check_place(self, headers: Mapping[bytes, bytes]) -> None:
        """Which name the client thinks it speaks to, and which page lets it. Raises Refused."""
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._door.hosts:
            raise Refused(400, "server.host")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") not in self._door.origins:
            raise Refused(403, "server.origin")
        site = headers.get(b"sec-fetch-site")
        own = origin is None or origin.decode("latin-1").removeprefix("http://") in self._door.hosts
        if site is not None and site not in ((b"none", b"same-origin") if own else (b"same-site", b"cross-site")):
            raise Refused(403, "server.origin")

    def _who(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller:
        """Whose credential it is. Raises Refused."""
        given = _credential(scope, headers)
        if given is None and self._door.open_to is not None:
            return self._door.open_to
        if given is not None:
            if self._door.token and secrets.compare_digest(given, self._door.token.encode()):
                return PERSON
            try:
                known = self._tokens().find(given)
            except AssistantError as error:
                _log.error("no program can be let in: %s", error)
                known = None
            if known is not None:
                return Caller(known.scope, known.name)
        wait = self._failures.add()
        raise Refused(429, "server.slower", wait_s=wait, seconds=wait) if wait else Refused(401, "server.token")

    async def _refuse(self, refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
        tongue = language(HTTPConnection(scope), self._fallback())
        message, mend = self._catalogue().explain(refused, tongue)
        response = problem_response(refused.status, refused.code, message, mend)
        response.headers["connection"] = "close"  # what follows on this connection may be anything
        if refused.status == 401:
            response.headers["www-authenticate"] = "Bearer"
        if refused.wait_s:
            response.headers["retry-after"] = str(refused.wait_s)
        if scope["type"] == "websocket":
            await receive()  # the ASGI order: a socket is refused once its `connect` was taken
        await response(scope, receive, send)


def _credential(scope: Scope, headers: Mapping[bytes, bytes]) -> bytes | None:
    """The token in the header or, for a page's event socket, among its subprotocols; b"" for anything else there.

    A browser can set no header on a WebSocket, and a URL would end up in histories and logs: the page asks for the
    subprotocols `assistant.v1` and `bearer.TOKEN`, and is answered with the first alone.
    """
    given = headers.get(b"authorization")
    offered = [name for name in scope.get("subprotocols", ()) if name.startswith(_BEARER)]
    if given is not None:
        return given[7:] if given.startswith(b"Bearer ") and not offered else b""
    if not offered:
        return None
    return offered[0].removeprefix(_BEARER).encode("latin-1", "replace") if len(offered) == 1 else b""


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            message = {**message, "headers": [*given, *(one for one in _HEADERS if one[0] not in names)]}
        await send(message)

    return sending
