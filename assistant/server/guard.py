"""Who may speak to the loopback TCP port: right Host, right Origin, right token, in that order.

The Unix socket needs none of it: its folder is the user's own (0700). The Host is compared exactly after parsing: a
prefix test lets `127.0.0.1:evil.example` pass (GHSA-4w35-279q-9x9p), and without it DNS rebinding reaches the port.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from assistant.server.respond import problem_response

_HOSTS = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """Wraps the application that listens on TCP."""

    def __init__(self, app: ASGIApp, *, port: int, token: str, origins: Sequence[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = {f"{host}:{port}" for host in _HOSTS}
        self._origins = {f"http://{host}:{port}" for host in _HOSTS} | set(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, code, message = refusal
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4000 + status, "reason": code})
        else:
            await problem_response(status, code, message)(scope, receive, send)

    def _refusal(self, headers: Headers) -> tuple[int, str, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 400, "server.host", "This address is not served here."
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return 403, "server.origin", "This origin may not speak to the assistant."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "server.origin", "Another site may not speak to the assistant."
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), self._token.encode()):
            return 401, "server.token", "The token is missing or wrong."
        return None
