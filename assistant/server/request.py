"""What is wrong with a request before anything is done with it: its line, headers and body. Knows no credential.

One reading of a request must be possible: what two parsers could understand differently (a repeated Host, a length
and chunks, a slash in disguise) is refused instead of guessed at.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping

from starlette.types import Message, Receive, Scope

from assistant.errors import AssistantError

MOST_BYTES = 1_048_576
HEAD_BYTES = 16_384
PATIENCE_S = 5.0
"""A head, and then a body, must be there within so many seconds."""

_MOST_HEADERS = 64
_MOST_PATH = 2048
_METHODS = ("GET", "HEAD", "POST")
_ONCE = (
    b"host origin authorization content-length content-type content-encoding transfer-encoding connection upgrade"
    b" expect sec-fetch-site sec-fetch-mode sec-websocket-key sec-websocket-protocol sec-websocket-version"
).split()
_PATH = re.compile(rb"/[A-Za-z0-9._~:@!$&'()*+,;=%/-]*")
_ODD = re.compile(r"//|\\|%|[\x00-\x1f\x7f-\x9f\ufffd]|/\.{1,2}(/|$)")
_JSON = re.compile(rb"application/json(\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)
_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url")


class Refused(AssistantError):
    """A request that goes no further. `status` is HTTP's."""

    default_code = "server.malformed"

    def __init__(self, status: int, code: str, /, *, wait_s: int = 0, **data: object) -> None:
        super().__init__(code, **data)
        self.status = status
        self.wait_s = wait_s


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by their lower-case names. Raises Refused for too many, or one that counts twice."""
    raw: list[tuple[bytes, bytes]] = scope["headers"]
    if len(raw) > _MOST_HEADERS or sum(len(name) + len(value) + 4 for name, value in raw) > HEAD_BYTES:
        raise Refused(431, "server.long_headers")
    counts = Counter(name.lower() for name, _ in raw)
    if any(counts[name] > 1 for name in _ONCE):
        raise Refused(400, "server.malformed")
    return {name.lower(): value for name, value in raw}


def check_line(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """The path and the protocol. Raises Refused."""
    if scope.get("http_version", "1.1") != "1.1" or any(name in headers for name in _OVERRIDES):
        raise Refused(400, "server.malformed")
    if scope["type"] == "http" and b"upgrade" in headers:  # h2c and whatever comes: only the event socket is there
        raise Refused(400, "server.malformed")
    raw = scope.get("raw_path") or scope["path"].encode()
    if len(raw) + len(scope["query_string"]) > _MOST_PATH:
        raise Refused(414, "server.long_path")
    plain: str = scope["path"]
    if not _PATH.fullmatch(raw) or raw.count(b"/") != plain.count("/") or _ODD.search(plain):
        raise Refused(400, "server.malformed")


def check_method(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """The method, and whether what comes with it is the JSON of a size that is read here. Raises Refused."""
    method = scope.get("method", "GET")
    if method not in _METHODS:
        raise Refused(405, "server.no_method", path=scope["path"])
    length, chunked = headers.get(b"content-length"), b"transfer-encoding" in headers
    if length is not None and (chunked or not re.fullmatch(rb"[0-9]{1,15}", length)):
        raise Refused(400, "server.malformed")
    if method != "POST":
        if chunked or int(length or 0):
            raise Refused(400, "server.malformed")
        return
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refused(415, "server.not_json")
    if not _JSON.fullmatch(headers.get(b"content-type", b"").strip()):
        raise Refused(415, "server.not_json")
    if int(length or 0) > MOST_BYTES:
        raise Refused(413, "server.too_large", limit=MOST_BYTES)


async def whole(receive: Receive) -> Receive:
    """The body, read to its end before anything happens, as a `receive` that gives it in one piece. Raises Refused."""
    pieces: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(PATIENCE_S):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refused(400, "server.malformed")
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > MOST_BYTES:
                    raise Refused(413, "server.too_large", limit=MOST_BYTES)
                more = message.get("more_body", False)
    except TimeoutError:
        raise Refused(408, "server.late") from None
    body = b"".join(pieces)
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
