"""Requests that must be refused, as the bytes that go over the socket: no client library that tidies them up."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

WISH = "remind me tomorrow at 9 to call the clinic"
"""What every request asks for, so that one that gets through leaves a turn and a reminder."""

TURN = json.dumps({"text": WISH}).encode()
Name = str | bytes


@dataclass(frozen=True)
class World:
    """The daemon that is attacked, as a stranger who knows much would see it."""

    port: int
    socket: Path
    token: str
    program: str
    other: str
    pending: str
    bound_to: str
    decided: str
    decided_bound_to: str
    operation: str

    def request(
        self,
        method: Name = "POST",
        target: Name = "/v1/turns",
        body: bytes = TURN,
        *,
        host: Name | None = None,
        authorization: Name | None = None,
        content_type: Name | None = "application/json",
        length: int | None = -1,
        more: tuple[tuple[Name, Name], ...] = (),
        version: Name = "HTTP/1.1",
    ) -> bytes:
        """One request, right in all that is not named."""
        fields: list[tuple[Name, Name]] = [("Host", f"127.0.0.1:{self.port}" if host is None else host)]
        fields.append(("Authorization", f"Bearer {self.token}" if authorization is None else authorization))
        if content_type is not None:
            fields.append(("Content-Type", content_type))
        if length is not None and (body or length >= 0):
            fields.append(("Content-Length", str(len(body) if length < 0 else length)))
        if not any(name == "Connection" for name, _ in more):
            fields.append(("Connection", "close"))
        head = b"%s %s %s\r\n" % (_bytes(method), _bytes(target), _bytes(version))
        for name, value in (*((n, v) for n, v in fields if v != ""), *more):
            head += b"%s: %s\r\n" % (_bytes(name), _bytes(value))
        return head + b"\r\n" + body

    def upgrade(
        self, *, token: bool = True, target: str = "/v1/events", more: tuple[tuple[Name, Name], ...] = ()
    ) -> bytes:
        """The opening of an event socket."""
        key = base64.b64encode(bytes(16)).decode()
        fields: tuple[tuple[Name, Name], ...] = (
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
            *more,
        )
        given = None if token else ""
        return self.request("GET", target, b"", authorization=given, content_type=None, more=fields)


def _bytes(text: Name) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


@dataclass(frozen=True)
class Case:
    """A name, and what is sent."""

    name: str
    bytes: Callable[[World], bytes]
    unix: bool = False
    wants: tuple[int, ...] = field(default=())
    """Statuses that are right; any 4xx, or none at all and the connection closed, where it is empty."""


def status_of(answer: bytes) -> int | None:
    """The status of the first answer; None where there was none."""
    line = answer.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if len(line) > 1 and line[0].startswith(b"HTTP/") else None


def exchange(world: World, data: bytes, *, unix: bool = False, patience: float = 8.0) -> tuple[bytes, bool]:
    """Send the bytes; everything that came back, and whether the daemon closed the connection by itself."""
    with connected(world, unix=unix) as connection:
        connection.settimeout(patience)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        answer = b""
        with contextlib.suppress(TimeoutError):
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer, True
        return answer, False


@contextlib.contextmanager
def connected(world: World, *, unix: bool = False) -> Iterator[socket.socket]:
    """A bare connection."""
    family = socket.AF_UNIX if unix else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.connect(str(world.socket) if unix else ("127.0.0.1", world.port))
        yield connection


def frame(payload: bytes, *, opcode: int = 1, masked: bool = True, length: int | None = None) -> bytes:
    """One WebSocket frame of a client; `length` is what its head says where that is a lie."""
    size = len(payload) if length is None else length
    mask = 0x80 if masked else 0
    head = bytes([0x80 | opcode])
    if size < 126:
        head += bytes([mask | size])
    elif size < 65536:
        head += struct.pack("!BH", mask | 126, size)
    else:
        head += struct.pack("!BQ", mask | 127, size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def _hosts() -> Iterator[Case]:
    spellings = (
        "evil.example", "evil.example:{port}", "127.0.0.1:{port}.evil.example", "127.0.0.1:{port}:evil.com",
        "127.0.0.1:evil.com", "localhost.:{port}", "localhost", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:0{port}",
        "127.1:{port}", "2130706433:{port}", "0x7f000001:{port}",
        "0.0.0.0:{port}", "[::]:{port}", "[::1]", "::1:{port}",
        "[::1%lo]:{port}", "[0:0:0:0:0:0:0:1]:{port}", "[::ffff:127.0.0.1]:{port}", "user@127.0.0.1:{port}",
        "127.0.0.1:{port}@evil.example", "127.0.0.1.nip.example:{port}",
        "127.0.0.1:{port}/", "127.0.0.1:{port},evil.example",
        "http://127.0.0.1:{port}", "ⅼocalhost:{port}",
    )  # fmt: skip
    for spelling in spellings:

        def send(world: World, spelling: str = spelling) -> bytes:
            return world.request(host=spelling.format(port=world.port).encode())

        yield Case(f"Host {spelling}", send)


def _origins() -> Iterator[Case]:
    for value in (
        "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1:{other}", "http://localhost",
        "http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "HTTP://127.0.0.1:{port}", "file://",
        "chrome-extension://abcdef", "http://127.0.0.1:{port} http://evil.example", " ",
    ):  # fmt: skip

        def send(world: World, value: str = value) -> bytes:
            return world.request(more=(("Origin", value.format(port=world.port, other=world.port + 1)),))

        yield Case(f"Origin {value}", send)
    for value in ("cross-site", "same-site", "", "Same-Origin"):
        yield Case(f"Sec-Fetch-Site {value!r}", lambda w, v=value: w.request(more=(("Sec-Fetch-Site", v),)))


def _tokens() -> Iterator[Case]:
    variants: dict[str, Callable[[str], Name]] = {
        "none": lambda token: "",
        "empty": lambda token: "Bearer ",
        "prefix": lambda token: f"Bearer {token[:-1]}",
        "suffix": lambda token: f"Bearer {token}A",
        "case": lambda token: f"Bearer {token.swapcase()}",
        "two spaces": lambda token: f"Bearer  {token}",
        "tab": lambda token: f"Bearer\t{token}",
        "bare": lambda token: token,
        "lower scheme": lambda token: f"bearer {token}",
        "basic": lambda token: "Basic " + base64.b64encode(f"user:{token}".encode()).decode(),
        "quoted": lambda token: f'Bearer "{token}"',
        "list": lambda token: f"Bearer {token}, Bearer x",
        "latin": lambda token: f"Bearer {token}é".encode("latin-1"),
        "utf-8": lambda token: "Bearer ｔｏｋｅｎ".encode(),
        "overlong utf-8": lambda token: b"Bearer \xc1\xa1" + token.encode(),
        "long": lambda token: "Bearer " + token * 200,
        "percent": lambda token: "Bearer " + "".join(f"%{ord(letter):02x}" for letter in token),
    }
    for name, value in variants.items():
        yield Case(f"token {name}", lambda w, v=value: w.request(authorization=v(w.token)), wants=(401, 429))
    for key in ("token", "access_token", "authorization", "key"):
        yield Case(
            f"token in the query as {key}",
            lambda w, k=key: w.request(target=f"/v1/turns?{k}={w.token}", authorization=""),
            wants=(401, 429),
        )
    for more in (
        "Cookie: token={token}",
        "X-Api-Key: {token}",
        "X-Authorization: Bearer {token}",
        "Proxy-Authorization: Bearer {token}",
    ):
        name, _, value = more.partition(": ")

        def send(world: World, name: str = name, value: str = value) -> bytes:
            return world.request(authorization="", more=((name, value.format(token=world.token)),))

        yield Case(f"token in {name}", send, wants=(401, 429))
    yield Case(
        "token in the body",
        lambda w: w.request(body=json.dumps({"text": WISH, "token": w.token}).encode(), authorization=""),
    )
    yield Case(
        "preflight",
        lambda w: w.request(
            "OPTIONS",
            body=b"",
            authorization="",
            more=(("Origin", "http://evil.example"), ("Access-Control-Request-Method", "POST")),
        ),
    )
    yield Case(
        "preflight of the own page",
        lambda w: w.request("OPTIONS", body=b"", more=(("Origin", f"http://127.0.0.1:{w.port}"),)),
    )


def _bodies() -> Iterator[Case]:
    form = b"text=remind+me+tomorrow+at+9+to+call+the+clinic"
    for kind in (
        None, "", "text/plain",
        "text/plain; application/json", "application/x-www-form-urlencoded", "application/json-seq",
        "multipart/form-data; boundary=x", "application/jsonx", "application/json; charset=utf-16", "text/json",
        "application/json, text/plain", "application/vnd.api+json", "application/json; charset=utf-8; x=1",
    ):  # fmt: skip
        yield Case(f"content type {kind!r}", lambda w, k=kind: w.request(content_type=k), wants=(415,))
    yield Case("a form", lambda w: w.request(body=form, content_type="application/x-www-form-urlencoded"), wants=(415,))
    yield Case("a body in gzip", lambda w: w.request(more=(("Content-Encoding", "gzip"),)), wants=(415,))
    yield Case("a charset of its own", lambda w: w.request(body=TURN.decode().encode("utf-16")), wants=(422,))
    yield Case("no JSON", lambda w: w.request(body=b'{"text": "' + WISH.encode()), wants=(422,))
    yield Case("more than it may know", lambda w: w.request(body=b'{"text": "x", "scope": "person"}'), wants=(422,))
    yield Case("an array", lambda w: w.request(body=b"[" + TURN + b"]"), wants=(422,))
    yield Case("deep", lambda w: w.request(body=b"[" * 100_000 + b"]" * 100_000), wants=(422,))
    yield Case("a huge body", lambda w: w.request(body=b" " * 1_048_577 + TURN), wants=(413,))
    yield Case("a huge length", lambda w: w.request(length=10**14), wants=(413,))
    yield Case(
        "a huge body in chunks",
        lambda w: w.request(
            body=chunked(*[b" " * 65536] * 17, TURN), length=None, more=(("Transfer-Encoding", "chunked"),)
        ),
        wants=(413,),
    )
    yield Case("a body on GET", lambda w: w.request("GET", "/v1/sessions"))
    yield Case("a length that is too long", lambda w: w.request(length=len(TURN) + 50))
    for length in ("-1", "+50", "0x32", "50,50", "1e2", "50 50", "９"):
        yield Case(
            f"Content-Length {length}",
            lambda w, n=length: w.request(length=None, more=(("Content-Length", n.encode()),)),
        )


def _framing() -> Iterator[Case]:
    chunks = (("Transfer-Encoding", "chunked"),)
    body = chunked(TURN)
    yield Case("chunks and a length", lambda w: w.request(body=body, more=chunks))
    yield Case(
        "a length and chunks, a second request inside",
        lambda w: w.request(body=b"0\r\n\r\n" + w.request(), more=chunks),
    )
    yield Case("two lengths", lambda w: w.request(more=(("Content-Length", "5"),)))
    for coding in ("gzip, chunked", "chunked, chunked", "xchunked", "identity", " chunked\x0b", "chunked;x"):
        yield Case(
            f"Transfer-Encoding {coding!r}",
            lambda w, c=coding: w.request(body=body, length=None, more=(("Transfer-Encoding", c),)),
        )
    yield Case("Transfer-Encoding twice", lambda w: w.request(body=body, length=None, more=chunks * 2))
    yield Case("a space before the colon", lambda w: w.request(more=(("Transfer-Encoding ", "chunked"),)))
    yield Case(
        "a folded header",
        lambda w: w.request(more=(("X-A", "b\r\n Transfer-Encoding: chunked"),), body=body, length=None),
    )
    yield Case(
        "a chunk whose size is a lie",
        lambda w: w.request(body=b"5\r\n" + TURN + b"\r\n0\r\n\r\n", length=None, more=chunks),
    )
    yield Case(
        "a chunk of a negative size", lambda w: w.request(body=b"-5\r\nabcde\r\n0\r\n\r\n", length=None, more=chunks)
    )
    yield Case("a chunk that says too much", lambda w: w.request(body=b"1;" + b"x" * 70_000, length=None, more=chunks))
    yield Case("two Hosts", lambda w: w.request(more=(("Host", f"127.0.0.1:{w.port}"),)))
    yield Case("two Hosts, one evil", lambda w: w.request(more=(("Host", "evil.example"),)))
    yield Case("no Host", lambda w: w.request(host=""))
    yield Case("two tokens", lambda w: w.request(more=(("Authorization", "Bearer wrong"),)))
    yield Case(
        "two tokens, the first wrong",
        lambda w: w.request(authorization="Bearer wrong", more=(("Authorization", f"Bearer {w.token}"),)),
    )
    yield Case(
        "two origins",
        lambda w: w.request(more=(("Origin", f"http://127.0.0.1:{w.port}"), ("Origin", "http://evil.example"))),
    )
    yield Case("two content types", lambda w: w.request(more=(("Content-Type", "text/plain"),)))
    yield Case("a NUL in a header", lambda w: w.request(more=(("X-A", b"a\x00b"),)))
    yield Case("a bare CR in a header", lambda w: w.request(more=(("X-A", b"a\rb"),)))
    yield Case("a header with no name", lambda w: w.request(more=(("", "x"),)))
    yield Case("a hundred headers", lambda w: w.request(more=tuple((f"X-{n}", "y") for n in range(100))))
    yield Case("headers of 20 kB", lambda w: w.request(more=(("X-A", "y" * 20_000),)))
    yield Case("headers of 200 kB", lambda w: w.request(more=(("X-A", "y" * 200_000),)))
    yield Case(
        "h2c",
        lambda w: w.request(
            more=(("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__"))
        ),
    )
    yield Case("HTTP/2 at once", lambda w: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    yield Case("TLS", lambda w: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200))
    yield Case("HTTP/1.0", lambda w: w.request(version="HTTP/1.0"))
    yield Case("HTTP/0.9", lambda w: b"GET /v1/sessions\r\n\r\n")
    yield Case("HTTP/3.7", lambda w: w.request(version="HTTP/3.7"))
    yield Case("garbage", lambda w: b"\x00\xff" * 400 + b"\r\n\r\n")


def _targets() -> Iterator[Case]:
    for target in (
        "//v1/turns", "/v1//turns", "/v1/turns/", "/v1/../v1/turns", "/./v1/turns", "/v1/x/../turns", "/v1%2fturns",
        "/v1%2Fturns", "/%76%31%2fturns", "/v1/%2e%2e/v1/turns", "/v1\\turns", "/v1%5cturns", "/v1/turns%00",
        "/v1/turns%0d%0aX:1", "/v1/turns%252f", "/V1/turns", "/v1/turns;x=1",
        "/v1/turns%20", "/v1/turns.json", "v1/turns", "*",
        "/v1/turns#x", "/v1/turns?" + "x" * 3000, "/" + "x" * 30_000,
        "/v1/t%C5%ABrns", "/v1/turns%ff", "/healthz/../v1/turns",
        "/v1/config", "/v1/settings", "/v1/skills/enable", "/config.apply", "/v1/skills", "/debug", "/docs",
    ):  # fmt: skip
        yield Case(f"target {target[:30]}", lambda w, t=target: w.request(target=t))
    yield Case("absolute target", lambda w: w.request(target=f"http://127.0.0.1:{w.port}/v1/turns"))
    yield Case("absolute target elsewhere", lambda w: w.request(target="http://evil.example/v1/turns"))
    yield Case("proxy", lambda w: w.request("CONNECT", "evil.example:443", b""))
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "post", "POSTER", "GET", "HEAD"):
        yield Case(f"method {method}", lambda w, m=method: w.request(m, body=b"" if m in ("GET", "HEAD") else TURN))
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        yield Case(f"{name}", lambda w, n=name: w.request("GET", body=b"", more=((n, "POST"),)))
        yield Case(f"{name} on POST", lambda w, n=name: w.request(more=((n, "DELETE"),)))
    yield Case("X-Original-URL", lambda w: w.request(target="/healthz", more=(("X-Original-URL", "/v1/turns"),)))
    yield Case("_method", lambda w: w.request("GET", "/v1/turns?_method=POST", b""))
    yield Case(
        "JSONP",
        lambda w: w.request(
            "GET",
            "/v1/sessions?callback=steal",
            b"",
            authorization="",
            more=(("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "script")),
        ),
    )
    yield Case(
        "forwarded",
        lambda w: w.request(
            host="evil.example", more=(("X-Forwarded-Host", f"127.0.0.1:{w.port}"), ("X-Forwarded-For", "127.0.0.1"))
        ),
    )


def _sockets() -> Iterator[Case]:
    own = (("Sec-WebSocket-Protocol", "assistant.v1"),)
    said = frame(json.dumps({"v": 1, "type": "turn", "text": WISH}).encode())
    yield Case("event socket without a token", lambda w: w.upgrade(token=False) + said)
    yield Case("event socket of another page", lambda w: w.upgrade(more=(("Origin", "http://evil.example"),)) + said)
    yield Case("event socket of a sandboxed page", lambda w: w.upgrade(more=(("Origin", "null"),)) + said)
    yield Case(
        "event socket of a page on another port",
        lambda w: w.upgrade(more=(("Origin", f"http://127.0.0.1:{w.port + 1}"),)) + said,
    )
    yield Case(
        "event socket, token in the query",
        lambda w: w.upgrade(token=False, target=f"/v1/events?token={w.token}") + said,
    )
    yield Case(
        "event socket, token in a cookie",
        lambda w: w.upgrade(token=False, more=(("Cookie", f"token={w.token}"),)) + said,
    )
    yield Case(
        "event socket, wrong subprotocol token",
        lambda w: w.upgrade(token=False, more=(("Sec-WebSocket-Protocol", "assistant.v1, bearer.wrong"),)) + said,
    )
    yield Case("event socket, no subprotocol token", lambda w: w.upgrade(token=False, more=own) + said)
    yield Case(
        "event socket, two subprotocol headers",
        lambda w: w.upgrade(token=False, more=(*own, ("Sec-WebSocket-Protocol", f"bearer.{w.token}"))) + said,
    )
    yield Case("event socket from another site", lambda w: w.upgrade(more=(("Sec-Fetch-Site", "cross-site"),)) + said)
    yield Case("event socket at another path", lambda w: w.upgrade(target="/v1/turns") + said)
    yield Case("event socket by POST", lambda w: w.upgrade().replace(b"GET", b"POST", 1) + said)
    yield Case("event socket of an old version", lambda w: w.upgrade().replace(b"Version: 13", b"Version: 8") + said)
    yield Case("event socket with a wrong key", lambda w: w.upgrade().replace(b"Key: AAAA", b"Key: !AAA") + said)


def _rights() -> Iterator[Case]:
    def by(world: World, method: str, target: str, data: object = None, token: str = "") -> bytes:
        body = b"" if method == "GET" else json.dumps(data or {}).encode()
        return world.request(method, target, body, authorization=f"Bearer {token or world.program}")

    def case(
        name: str, method: str, target: str, data: Callable[[World], object] = lambda w: None, *wants: int
    ) -> Case:
        return Case(name, lambda w: by(w, method, target.format(w=w), data(w)), wants=wants or (403, 404))

    def yes(world: World) -> object:
        return {"decision": "approve", "bound_to": world.bound_to, "surface": "cli"}

    yield case("a program says yes", "POST", "/v1/approvals/{w.pending}", yes)
    yield case("a program says no", "POST", "/v1/approvals/{w.pending}", lambda w: {"decision": "refuse"})
    yield case("a program reads what waits", "GET", "/v1/approvals")
    yield case("a program reads one that waits", "GET", "/v1/approvals/{w.pending}")
    yield case("a program reads the audit", "GET", "/v1/audit")
    yield case("a program reads the outbox", "GET", "/v1/outbox")
    yield case("a program stops a mail", "POST", "/v1/outbox/{w.operation}/cancel")
    yield case(
        "a program says a mail was sent", "POST", "/v1/outbox/{w.operation}/resolve", lambda w: {"happened": True}
    )
    yield case("a program chooses the model", "POST", "/v1/models/use", lambda w: {"name": "auto"})
    yield case("a program lists models", "GET", "/v1/models")
    yield case("a program lists skills", "GET", "/v1/skills")
    yield case("a program reads the profile", "GET", "/v1/profile/facts")
    yield case("a program reads why", "GET", "/v1/profile/facts/x")
    yield case("a program reads the profile's history", "GET", "/v1/profile/changes")
    yield case("a program forgets a fact", "POST", "/v1/profile/facts/x/forget")
    yield case("a program pins a fact", "POST", "/v1/profile/facts/x/pin", lambda w: {"pinned": True})
    yield case("a program takes back what was learned", "POST", "/v1/profile/undo", lambda w: {"batch": ""})
    yield case("a program takes back the person's act", "POST", "/v1/undo", lambda w: {"session": "s"})
    yield case(
        "a program speaks in the person's session", "POST", "/v1/turns", lambda w: {"text": WISH, "session": "s"}
    )
    yield case(
        "a program speaks as another program", "POST", "/v1/turns", lambda w: {"text": WISH, "session": "program:other"}
    )
    yield case(
        "a program's name that begins like another's",
        "POST",
        "/v1/turns",
        lambda w: {"text": WISH, "session": "program:notesx"},
    )
    yield case("a program reads the person's session", "GET", "/v1/sessions/s")
    yield case("a program reads another program's session", "GET", "/v1/sessions/program:other")
    yield case("a program names a file", "POST", "/v1/turns", lambda w: {"text": WISH, "attachments": ["/etc/passwd"]})
    yield case("a program declares its scope", "POST", "/v1/turns", lambda w: {"text": WISH, "scope": "person"}, 422)
    yield case("a program declares its name", "POST", "/v1/turns", lambda w: {"text": WISH, "caller": "person"}, 422)
    yield case("a program stops a turn", "POST", "/v1/turns/anything/cancel")

    def answer(world: World, id: str, data: dict[str, object]) -> bytes:
        return world.request(target=f"/v1/approvals/{id}", body=json.dumps(data).encode())

    yield Case(
        "a yes to something else",
        lambda w: answer(w, w.pending, {"decision": "approve", "bound_to": w.decided_bound_to}),
        wants=(409,),
    )
    yield Case("a yes to nothing in particular", lambda w: answer(w, w.pending, {"decision": "approve"}), wants=(422,))
    yield Case(
        "a yes to an empty hash", lambda w: answer(w, w.pending, {"decision": "approve", "bound_to": ""}), wants=(409,)
    )
    yield Case(
        "a yes in other letters",
        lambda w: answer(w, w.pending, {"decision": "approve", "bound_to": w.bound_to.upper() + "é"}),
        wants=(409,),
    )
    yield Case(
        "the same yes again",
        lambda w: answer(w, w.decided, {"decision": "approve", "bound_to": w.decided_bound_to}),
        wants=(409,),
    )
    yield Case(
        "a no after the yes",
        lambda w: answer(w, w.decided, {"decision": "refuse", "bound_to": w.decided_bound_to}),
        wants=(409,),
    )
    yield Case(
        "a yes to what is not there",
        lambda w: answer(w, "0" * 32, {"decision": "approve", "bound_to": w.bound_to}),
        wants=(404,),
    )
    yield Case(
        "a third decision", lambda w: answer(w, w.pending, {"decision": "always", "bound_to": w.bound_to}), wants=(422,)
    )
    yield Case("a model by its path", lambda w: w.request(target="/v1/models/use", body=b'{"name": "/bin/sh"}'))
    yield Case(
        "a scripted model", lambda w: w.request(target="/v1/models/use", body=b'{"name": "scripted:/etc/passwd"}')
    )
    yield Case(
        "a session out of its folder",
        lambda w: w.request(body=json.dumps({"text": WISH, "session": "../../x"}).encode()),
        wants=(422,),
    )


def _unix() -> Iterator[Case]:
    def at_home(world: World, **changes: object) -> bytes:
        given: dict[str, object] = {"host": "localhost", "authorization": ""}
        return world.request(**(given | changes))  # type: ignore[arg-type]

    yield Case("unix: another Host", lambda w: at_home(w, host="evil.example"), unix=True)
    yield Case("unix: a page", lambda w: at_home(w, more=(("Origin", "http://localhost"),)), unix=True)
    yield Case("unix: a wrong token", lambda w: at_home(w, authorization="Bearer wrong"), unix=True, wants=(401, 429))
    yield Case(
        "unix: a revoked token", lambda w: at_home(w, authorization=f"Bearer {w.other}"), unix=True, wants=(401, 429)
    )
    yield Case("unix: plain text", lambda w: at_home(w, content_type="text/plain"), unix=True, wants=(415,))
    yield Case("unix: two Hosts", lambda w: at_home(w, more=(("Host", "localhost"),)), unix=True)
    yield Case(
        "unix: chunks and a length",
        lambda w: at_home(w, body=chunked(TURN), more=(("Transfer-Encoding", "chunked"),)),
        unix=True,
    )


CASES = tuple(
    case
    for table in (_hosts, _origins, _tokens, _bodies, _framing, _targets, _sockets, _rights, _unix)
    for case in table()
)
