"""The line that tests cut: it passes what it shall, and not a byte more."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.cutting import Line


class Echo(socketserver.BaseRequestHandler):
    """Gives back what it gets."""

    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.server.got += data  # type: ignore[attr-defined]
                self.request.sendall(data)
        except OSError:
            pass


@pytest.fixture
def echo() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.got = b""  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def line(echo: socketserver.ThreadingTCPServer) -> Iterator[Line]:
    with Line(echo.server_address[1]) as made:
        yield made


def call(line: Line) -> socket.socket:
    return socket.create_connection(("127.0.0.1", line.port), timeout=5)


def answer(client: socket.socket, size: int) -> bytes:
    """Up to so many bytes, or what came before the end."""
    got = b""
    try:
        while len(got) < size and (data := client.recv(size - len(got))):
            got += data
    except ConnectionResetError:
        pass
    return got


def test_it_passes_both_ways_and_counts(line: Line) -> None:
    with call(line) as client:
        client.sendall(b"x" * 200_000)
        assert answer(client, 200_000) == b"x" * 200_000
        assert (line.up, line.down, line.connections, line.open) == (200_000, 200_000, 1, 1)


def test_the_end_of_one_direction_leaves_the_other_open(line: Line) -> None:
    with call(line) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert answer(client, 100) == b"last words"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_cut_on_the_way_back_comes_after_exactly_so_many_bytes(line: Line, count: int, reset: bool) -> None:
    line.cut_after(count, "down", reset=reset)
    with call(line) as client:
        client.sendall(b"0123456789")
        got = answer(client, 10)
    assert b"0123456789".startswith(got)
    assert len(got) == count or (reset and len(got) <= count)  # RST may overtake what was not read yet
    assert (line.cuts, line.armed, line.down) == (1, False, count)
    with call(line) as client:
        client.sendall(b"again")
        assert answer(client, 5) == b"again"


def test_a_cut_on_the_way_there_keeps_the_rest_from_the_server(
    line: Line, echo: socketserver.ThreadingTCPServer
) -> None:
    line.cut_after(4, "up")
    with call(line) as client:
        client.sendall(b"0123456789")
        assert answer(client, 10) in (b"", b"0123")
    until = time.monotonic() + 5
    while echo.got != b"0123" and time.monotonic() < until:  # type: ignore[attr-defined]
        time.sleep(0.01)
    assert echo.got == b"0123"  # type: ignore[attr-defined]


def test_it_cuts_as_often_as_it_is_told(line: Line) -> None:
    line.cut_after(2, "down", times=2)
    seen = []
    for _ in range(3):
        with call(line) as client:
            client.sendall(b"abcd")
            seen.append(answer(client, 4))
    assert seen == [b"ab", b"ab", b"abcd"]


def test_a_stalled_line_says_nothing_and_goes_on_when_it_is_healed(line: Line) -> None:
    with call(line) as client:
        line.stall()
        client.sendall(b"hello")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        line.heal()
        client.settimeout(5)
        assert answer(client, 5) == b"hello"


def test_a_line_that_refuses_takes_connections_again_at_the_same_port(line: Line) -> None:
    with call(line) as client:
        client.sendall(b"a")
        assert answer(client, 1) == b"a"
        line.refuse()
        assert answer(client, 1) == b""
        with pytest.raises(ConnectionRefusedError):
            call(line)
    line.heal()
    with call(line) as client:
        client.sendall(b"b")
        assert answer(client, 1) == b"b"


def test_a_slow_line_is_slow(line: Line) -> None:
    line.delay_s = 0.1
    with call(line) as client:
        began = time.monotonic()
        client.sendall(b"a")
        answer(client, 1)
        assert time.monotonic() - began >= 0.2
