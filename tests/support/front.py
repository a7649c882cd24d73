"""A door before a real server at which single answers can be changed: a status, a header that is missing, a body.

`with Front(port) as front: front.rule = lambda seen: Said(507) if seen.method == "PUT" else None`
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LOCAL = "127.0.0.1"


@dataclass
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Seen:
    """A request, and the real server's answer where it was asked already."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    answer: Said | None = None


class Front:
    """`before` may answer in the server's place; `after` may change what it said. None changes nothing."""

    def __init__(self, target: int) -> None:
        self.before: Callable[[Seen], Said | None] = lambda _: None
        self.after: Callable[[Seen], Said | None] = lambda _: None
        self.seen: list[Seen] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                seen = Seen(self.command, self.path, dict(self.headers), self.rfile.read(length))
                front.seen.append(seen)
                said = front.before(seen)
                if said is None:
                    said = seen.answer = _forward(target, seen)
                    said = front.after(seen) or said
                self.send_response_only(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said.body)))
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_: Any) -> None:
                return

            do_GET = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = do_OPTIONS = _any

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                return  # a client that goes away is an ordinary thing here

        self._server = Server((LOCAL, 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _forward(target: int, seen: Seen) -> Said:
    left_out = {"connection", "content-length", "accept-encoding", "transfer-encoding"}
    connection = http.client.HTTPConnection(LOCAL, target, timeout=30)
    try:
        headers = {name: value for name, value in seen.headers.items() if name.lower() not in left_out}
        connection.request(seen.method, seen.path, body=seen.body or None, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in left_out}
        return Said(answer.status, kept, body)
    finally:
        connection.close()
