"""A server that is missing is skipped in one line, or fails where servers are required; what certificates say is so."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.support.servers import certificates
from tests.support.servers.fixtures import missing
from tests.support.servers.process import Missing, free_ports, program
from tools import servers


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(
        Missing, match=r"^NO SERVER: no-such-program is not on this machine \(Debian package nothing\)$"
    ):
        program("no-such-program", "nothing")


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_it_is_skipped_or_fails_where_servers_are_required(
    monkeypatch: pytest.MonkeyPatch, required: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("REQUIRE_SERVERS", required)
    with pytest.raises(outcome, match="NO SERVER"):
        missing(Missing("NO SERVER: x"))


def test_only_packages_of_missing_programs_are_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "there").touch(mode=0o755)
    monkeypatch.setattr(servers, "_SEARCH", str(tmp_path))
    monkeypatch.setattr(servers, "SERVERS", {"there": "a", "not-there": "b", "/no/such/file": "b", "neither": "c"})
    monkeypatch.setattr("sys.argv", ["servers.py", "--packages"])
    assert servers.main() == 0
    assert capsys.readouterr().out == "b c\n"
    monkeypatch.setattr("sys.argv", ["servers.py"])
    monkeypatch.setenv("REQUIRE_SERVERS", "1")
    assert servers.main() == 1
    assert "file (Debian package b)" in capsys.readouterr().out


def test_ports_are_never_given_twice() -> None:
    ports = [port for _ in range(20) for port in free_ports(5)]
    assert len(set(ports)) == 100


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("right", ""),
        ("expired", "expired"),
        ("early", "not yet valid"),
        ("other", "mismatch"),
        ("unknown", "self-signed"),
    ],
)
def test_certificates_are_what_they_say(tmp_path: Path, kind: certificates.Kind, problem: str) -> None:
    made = certificates.make(tmp_path)
    near, far = socket.socketpair()
    with near, far:
        thread = threading.Thread(target=_serve, args=(made.server(kind), far))
        thread.start()
        try:
            if problem:
                with pytest.raises(ssl.SSLCertVerificationError, match=problem):
                    made.client().wrap_socket(near, server_hostname="localhost")
            else:
                made.client().wrap_socket(near, server_hostname="localhost").close()
        finally:
            near.close()
            thread.join()


def _serve(context: ssl.SSLContext, side: socket.socket) -> None:
    try:
        context.wrap_socket(side, server_side=True).close()
    except OSError:
        pass
