"""Login in a browser of this machine: Authorization Code with PKCE and a loopback redirect (RFC 8252, RFC 7636).

The listener lives for one login: it takes the one answer that carries the right state, and closes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import html
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from assistant.accounts.oauth import Endpoint, OAuthProblem, Tokens
from assistant.concealed import conceal

WITHIN_S = 600.0
_REQUESTS = 50
_HEAD = 16384
_READ_S = 10.0
_PAGE = (
    '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{title}</title><p style='font:1.2em sans-serif;margin:3em'>{title}</p>"
)

Answer = dict[str, list[str]]


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636 §4.2)."""
    return _url64(hashlib.sha256(verifier.encode("ascii")).digest())


async def log_in(
    endpoint: Endpoint,
    show: Callable[[str], Awaitable[None]],
    *,
    page: str,
    pasted: Callable[[], Awaitable[str]] | None = None,
    hint: str = "",
    within_s: float = WITHIN_S,
) -> Tokens:
    """Show the address of the login page, wait for the answer, give it for tokens. Raises OAuthProblem.

    `page` is what the browser says at the end. `pasted` gives the address at which a browser on another machine ended
    up. `hint` is the name to log in with.
    """
    verifier, state = _url64(secrets.token_bytes(32)), _url64(secrets.token_bytes(24))
    conceal(verifier)
    host = urlsplit(endpoint.client.authorize_url).hostname or ""
    async with _listening(endpoint.client.redirect, state, page) as (redirect, answered):
        await show(authorize_url(endpoint, redirect, challenge_of(verifier), state, hint))
        ways: list[asyncio.Future[Answer]] = [answered]
        if pasted is not None:
            ways.append(asyncio.ensure_future(_from_paste(pasted, state)))
        try:
            done, _ = await asyncio.wait(ways, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways[1:]:
                way.cancel()
        if not done:
            raise OAuthProblem("expired", host=host)
        answer = done.pop().result()
    if error := answer.get("error"):
        told = f"{error[0]} {answer.get('error_description', [''])[0]}"
        raise OAuthProblem("denied" if error[0] == "access_denied" else "odd", host=host, words=told)
    [code] = answer.get("code") or [""]
    if not code:
        raise OAuthProblem("odd", host=host, words="no code")
    conceal(code)
    return await endpoint.exchange(code, verifier, redirect)


def authorize_url(endpoint: Endpoint, redirect: str, challenge: str, state: str, hint: str) -> str:
    """The login page's address; what the endpoint's own address asks for is kept."""
    parts = urlsplit(endpoint.client.authorize_url)
    query = {
        **dict(parse_qsl(parts.query)),
        "response_type": "code",
        "client_id": endpoint.client.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(endpoint.client.scopes),
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    if "offline_access" in endpoint.client.scopes:
        query.setdefault("prompt", "consent")  # OpenID Connect Core §11: else no refresh token
    if hint:
        query["login_hint"] = hint
    return urlunsplit(parts._replace(query=urlencode(query)))


@contextlib.asynccontextmanager
async def _listening(registered: str, state: str, page: str) -> AsyncIterator[tuple[str, asyncio.Future[Answer]]]:
    """A listener on a free port of this machine; yields the redirect address with the port, and the answer to come."""
    parts = urlsplit(registered)
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    door = _Door(parts.path or "/", state, page, answered)
    # `localhost` may be either address of this machine for a browser; one given by number is that one.
    hosts = ["127.0.0.1", "::1"] if parts.hostname == "localhost" else [parts.hostname or "127.0.0.1"]
    server = await asyncio.start_server(door.serve, hosts[0], 0, limit=_HEAD)
    servers = [server]
    door.port = server.sockets[0].getsockname()[1]
    try:
        for other in hosts[1:]:
            with contextlib.suppress(OSError):  # no IPv6 here, or somebody else has that port
                servers.append(await asyncio.start_server(door.serve, other, door.port, limit=_HEAD))
        shown = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        yield urlunsplit(parts._replace(netloc=f"{shown}:{door.port}")), answered
    finally:
        for one in servers:
            one.close()
        for one in servers:
            await one.wait_closed()
        answered.cancel()


class _Door:
    """Answers a browser: the right address with the right state once, everything else with no."""

    def __init__(self, path: str, state: str, page: str, answered: asyncio.Future[Answer]) -> None:
        self.port = 0
        self._path = path
        self._state = state
        self._page = page
        self._answered = answered
        self._left = _REQUESTS

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request."""
        with contextlib.suppress(
            OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            async with asyncio.timeout(_READ_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self._left -= 1
                writer.write(self._answer(head) if self._left >= 0 else _response(429, ""))
                await writer.drain()
        writer.close()

    def _answer(self, head: str) -> bytes:
        line, *fields = head.split("\r\n")
        method, _, rest = line.partition(" ")
        target = urlsplit(rest.rpartition(" ")[0])
        hosts = [field.partition(":")[2].strip() for field in fields if field.casefold().startswith("host:")]
        if hosts not in ([f"127.0.0.1:{self.port}"], [f"localhost:{self.port}"], [f"[::1]:{self.port}"]):
            return _response(400, "")
        if method != "GET" or target.path != self._path:
            return _response(404, "")
        answer = parse_qs(target.query, max_num_fields=20)
        if not _right_state(answer, self._state) or self._answered.done():
            return _response(400, "")
        self._answered.set_result(answer)
        return _response(200, _PAGE.format(title=html.escape(self._page)))


async def _from_paste(pasted: Callable[[], Awaitable[str]], state: str) -> Answer:
    """The answer out of a pasted address; what is none is asked for again."""
    while True:
        address = await pasted()
        with contextlib.suppress(ValueError):
            answer = parse_qs(urlsplit(address.strip()).query, max_num_fields=20)
            if _right_state(answer, state):
                return answer


def _right_state(answer: Answer, state: str) -> bool:
    given = answer.get("state", [])
    return len(given) == 1 and hmac.compare_digest(given[0].encode(), state.encode())


def _response(status: int, body: str) -> bytes:
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}[status]
    content = body.encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
