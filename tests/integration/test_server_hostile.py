"""The daemon on its real sockets against whoever should not be there: everything is refused, and nothing changes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import websockets

from assistant.client import Client
from assistant.errors import ConfigError
from assistant.safety.tokens import Tokens
from tests.support.daemons import Daemon
from tests.support.hostile import CASES, TURN, Case, World, connected, exchange, frame, status_of

TABLES = ("turns", "open_questions", "undoable", "approvals", "operations", "operation_history", "audit", "schedules")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
MAIL = "send an email to {to} with the subject S saying that it is here"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    base = tmp_path_factory.mktemp("home")
    mailbox = base / "mailbox"
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True)
    email = {"mailbox": str(mailbox), "address": "mei@example.org", "smtp_host": "127.0.0.1", "smtp_port": 9}
    settings = {f"skills.email.settings.{name}": value for name, value in email.items()}
    with Daemon(base, settings={"server.tcp": True, "approvals.hold_s": 3600, **settings}) as running:
        yield running


@pytest.fixture(scope="module")
def world(daemon: Daemon) -> World:
    """Something waits for a yes, something had one and is held, two programs have tokens, one of them is revoked."""
    decided, pending = (
        next(
            event["approval"]
            for event in daemon.say(MAIL.format(to=f"r{n}@there.example"), session="s")
            if event["type"] == "approval-wanted"
        )
        for n in (1, 2)
    )  # fmt: skip
    with daemon.client() as client:
        sent = {"decision": "approve", "bound_to": decided["bound_to"]}
        assert client.post(f"/v1/approvals/{decided['id']}", json=sent).status_code == 200
        operation = client.get("/v1/outbox").json()["items"][0]["id"]
    tokens = Tokens(daemon.paths.tokens)
    program, other = tokens.add("notes", "program", NOW), tokens.add("gone", "person", NOW)
    tokens.remove("gone")
    return World(
        port=int((daemon.paths.run / "server-port").read_text()),
        socket=daemon.paths.socket,
        token=(daemon.paths.run / "server-token").read_text(),
        program=program,
        other=other,
        pending=pending["id"],
        bound_to=pending["bound_to"],
        decided=decided["id"],
        decided_bound_to=decided["bound_to"],
        operation=operation,
    )


def state(daemon: Daemon) -> dict[str, object]:
    """All that a request could have changed: every row of every table but the index, the settings and the tokens."""
    with sqlite3.connect(f"file:{daemon.paths.database}?mode=ro", uri=True) as db:
        rows: dict[str, object] = {
            name: db.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in TABLES
        }
    files = (daemon.paths.config_file, daemon.paths.tokens, daemon.paths.profile_file)
    return rows | {file.name: file.read_bytes() if file.exists() else None for file in files}


def test_the_table_is_long_enough_and_each_case_is_of_its_own() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_and_changes_nothing(daemon: Daemon, world: World, case: Case) -> None:
    before = state(daemon)
    answer, closed = exchange(world, case.bytes(world), unix=case.unix)
    status = status_of(answer)
    assert closed, answer[:300]
    assert status in case.wants if case.wants else status is None or 400 <= status < 500, answer[:300]
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) <= 1  # no second request was found inside the first
    told = answer.lower()
    assert not [
        word for word in (b"traceback", b"site-packages", b".py", b"access-control-", b"uvicorn") if word in told
    ]
    assert world.token.encode() not in answer
    assert state(daemon) == before


def test_what_is_right_has_its_effect(daemon: Daemon, world: World) -> None:
    """The same requests without the flaw do something: the table above would notice."""
    for data, unix in (
        (world.request(more=(("Connection", "close"),)), False),
        (world.request(authorization=f"Bearer {world.program}"), False),
        (world.request(host=f"LOCALHOST:{world.port}"), False),
        (world.request(more=(("Origin", f"http://127.0.0.1:{world.port}"), ("Sec-Fetch-Site", "same-origin"))), False),
        (world.request(content_type="application/json; charset=utf-8"), False),
        (world.request(host="localhost", authorization=""), True),
    ):  # fmt: skip
        before = state(daemon)
        answer, _ = exchange(world, data, unix=unix)
        assert status_of(answer) == 200, answer
        after = state(daemon)
        assert len(after["turns"]) == len(before["turns"]) + 1  # type: ignore[arg-type]
        assert len(after["schedules"]) == len(before["schedules"]) + 1  # type: ignore[arg-type]
        assert b"x-content-type-options: nosniff" in answer.lower()
        assert b"cache-control: no-store" in answer.lower()


def test_ordinary_clients_are_served(daemon: Daemon, world: World) -> None:
    base, good = f"http://127.0.0.1:{world.port}", {"Authorization": f"Bearer {world.token}"}
    assert httpx.post(f"{base}/v1/turns", json={"text": "hello there"}, headers=good, timeout=30).status_code == 200
    assert httpx.get(f"{base}/openapi.json", headers=good).json()["openapi"] == "3.1.0"
    with httpx.Client(base_url=base, headers=good) as client:  # one connection, many requests
        assert [client.get("/v1/sessions").status_code for _ in range(5)] == [200] * 5

    async def through_our_client() -> str:
        async with Client(daemon.paths) as client:
            assert (await client.health()).status == "ok"
            return "".join([event.type async for event in client.turn("are you there?", session="cli")])

    async def through_sockets() -> list[str]:
        page = f"ws://127.0.0.1:{world.port}/v1/events"
        by_header = websockets.connect(page, additional_headers=good, proxy=None)
        offered = [websockets.Subprotocol("assistant.v1"), websockets.Subprotocol(f"bearer.{world.token}")]
        by_protocol = websockets.connect(
            page, subprotocols=offered, origin=f"http://127.0.0.1:{world.port}", proxy=None
        )  # type: ignore[arg-type]
        seen = []
        for opening in (by_header, by_protocol):
            async with opening as socket:
                await socket.send(json.dumps({"v": 1, "type": "turn", "text": "hello", "session": "page"}))
                assert json.loads(await asyncio.wait_for(socket.recv(), 30))["type"] == "turn-started"
                seen.append(str(socket.subprotocol))
        return seen

    assert "reply" in asyncio.run(through_our_client())
    assert asyncio.run(through_sockets()) == ["None", "assistant.v1"]


def test_a_program_says_turns_reads_its_own_and_hears_its_own(daemon: Daemon, world: World) -> None:
    theirs = {"Authorization": f"Bearer {world.program}"}

    async def overhear() -> list[tuple[str, str]]:
        page = f"ws://127.0.0.1:{world.port}/v1/events"
        async with websockets.connect(page, additional_headers=theirs, proxy=None) as socket:
            await asyncio.to_thread(daemon.say, "hello from the person", session="s")
            await socket.send(json.dumps({"v": 1, "type": "turn", "text": "hello", "session": "program:notes:b"}))
            await socket.send(json.dumps({"v": 1, "type": "turn", "text": "hello", "session": "s"}))
            heard: list[tuple[str, str]] = []
            while not {"done", "error"} <= {kind for kind, _ in heard}:
                event = json.loads(await asyncio.wait_for(socket.recv(), 30))
                heard.append((event["type"], event.get("session", "")))
            return heard

    heard = asyncio.run(overhear())
    assert {session for kind, session in heard if kind != "error"} == {"program:notes:b"}

    with httpx.Client(base_url=f"http://127.0.0.1:{world.port}", headers=theirs, timeout=30) as client:
        sent = client.post("/v1/turns", json={"text": "hello", "present": True, "surface": "cli"})
        assert json.loads(sent.text.splitlines()[0])["session"] == "program:notes"
        names = [one["session"] for one in client.get("/v1/sessions").json()["items"]]
        assert set(names) == {"program:notes", "program:notes:b"}
        assert client.get("/v1/sessions/program:notes").json()["items"][0]["surface"] == "api"
        assert client.get("/healthz").json()["status"] == "ok"


def test_a_program_that_says_it_is_a_person_gets_nothing_sent_and_no_yes_counted(daemon: Daemon, world: World) -> None:
    theirs = {"Authorization": f"Bearer {world.program}"}
    before = state(daemon)
    with httpx.Client(base_url=f"http://127.0.0.1:{world.port}", headers=theirs, timeout=30) as client:
        for text in (MAIL.format(to="x@evil.example"), "yes", "好的，发吧"):
            events = [
                json.loads(line)
                for line in client.post(
                    "/v1/turns", json={"text": text, "present": True, "surface": "cli"}
                ).text.splitlines()
            ]
            assert "approval-wanted" not in [event["type"] for event in events]
    after = state(daemon)
    assert after["approvals"] == before["approvals"]
    assert after["operations"] == before["operations"]


def test_no_path_of_the_api_changes_settings_or_skills(daemon: Daemon, world: World) -> None:
    """A setting may name a program (`email.sendmail`): such a change is made on this computer, by its person."""
    before = state(daemon)
    with daemon.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        posts = {path for path, methods in paths.items() if "post" in methods}
        assert posts == {
            "/v1/turns",
            "/v1/turns/{id}/cancel",
            "/v1/plan",
            "/v1/approvals/{id}",
            "/v1/undo",
            "/v1/outbox/{id}/cancel",
            "/v1/outbox/{id}/resolve",
            "/v1/models/use",
            "/v1/profile/facts/{id}/forget",
            "/v1/profile/facts/{id}/pin",
            "/v1/profile/habits/{id}/forget",
            "/v1/profile/facts/{id}/edit",
            "/v1/profile/export",
            "/v1/profile/import",
            "/v1/profile/never",
            "/v1/profile/pause",
            "/v1/profile/resume",
            "/v1/profile/tidy",
            "/v1/profile/undo",
        }
        for name in ("/bin/sh", "scripted:/etc/passwd", "../../x", "auto\nskills:"):
            assert client.post("/v1/models/use", json={"name": name}).status_code in (400, 404, 422)
    assert state(daemon) == before


def test_who_says_nothing_more_is_not_waited_for(daemon: Daemon, world: World) -> None:
    before = state(daemon)
    again = world.request("GET", "/healthz", b"", more=(("Connection", "keep-alive"),))
    beginnings = {
        "silent": b"",
        "half a line": b"POST /v1/turns HTTP/1.1\r\nHost: 127",
        "half a head": world.request()[:120],
        "half a body": world.request()[:-10],
        "half a chunk": world.request(body=b"5\r\nab", length=None, more=(("Transfer-Encoding", "chunked"),)),
        "half a second request": again + b"POST /v1/tu",
        "nothing after a request": again,
        "drop by drop": b"",
    }

    def wait(name: str) -> tuple[str, float, bytes]:
        begun = time.monotonic()
        with connected(world) as connection:
            connection.settimeout(20)
            if name == "drop by drop":
                threading.Thread(target=_drip, args=(connection, world.request()), daemon=True).start()
            connection.sendall(beginnings[name])
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
        return name, time.monotonic() - begun, answer

    with ThreadPoolExecutor(len(beginnings)) as pool:
        for name, seconds, answer in pool.map(wait, beginnings):
            assert seconds < 15, name
            assert answer.count(b" 200 ") == (again == beginnings[name][: len(again)]), (name, answer)
    assert state(daemon) == before


def _drip(connection: socket.socket, data: bytes) -> None:
    for place in range(len(data)):
        try:
            connection.sendall(data[place : place + 1])
        except OSError:
            return
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(b"", length=2_000_000), 1009),
        (frame(b"x" * 1_100_000), 1009),
        (frame(TURN, masked=False), 1002),
        (frame(b"x", opcode=3), 1002),
        (frame(b"\xff\xfe"), 1007),
        (b"\xf1" + frame(b"x")[1:], 1002),
    ],
    ids=["a length too large", "a message too large", "unmasked", "no such frame", "no UTF-8", "compressed"],
)
def test_a_wrong_frame_ends_the_event_socket(daemon: Daemon, world: World, frames: bytes, code: int) -> None:
    before = state(daemon)
    with connected(world) as connection:
        connection.settimeout(10)
        connection.sendall(world.upgrade())
        assert status_of(connection.recv(65536)) == 101
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(frames)
        last = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):  # until the daemon closes
                last += piece
    assert code.to_bytes(2, "big") in last
    assert state(daemon) == before


def test_many_wrong_tokens_are_slowed_and_the_right_one_passes(world: World) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{world.port}") as client:
        told = [client.get("/healthz", headers={"Authorization": f"Bearer {n}"}) for n in range(15)]
        assert {answer.status_code for answer in told[10:]} == {429}
        assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in told[10:])
        assert client.get("/healthz", headers={"Authorization": f"Bearer {world.token}"}).status_code == 200


STRANGER = textwrap.dedent(
    """
    import os, socket, sys
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(sys.argv[1])
            connection.sendall(sys.stdin.buffer.read())
            print("answered" if connection.recv(100) else "closed")
    except PermissionError:
        print("kept out")
    except (ConnectionResetError, BrokenPipeError):
        print("closed")
    """
)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_folder_stands_open(daemon: Daemon, world: World) -> None:
    before = state(daemon)
    said = world.request(host="localhost", authorization="")

    def stranger() -> str:
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, str(world.socket)], input=said, capture_output=True, timeout=30, check=True
        )
        return done.stdout.decode().strip()

    assert stranger() == "kept out"
    opened = {folder: folder.stat().st_mode for folder in (world.socket, *world.socket.parents[:-2])}
    try:
        world.socket.chmod(0o666)
        for folder in list(opened)[1:]:
            folder.chmod(0o755)
        assert stranger() == "closed"
        assert status_of(exchange(world, said, unix=True)[0]) == 200  # its own user still comes in
        after = state(daemon)
    finally:
        for folder, mode in opened.items():
            folder.chmod(mode & 0o7777)
    assert len(after["turns"]) == len(before["turns"]) + 1  # type: ignore[arg-type]


def test_a_run_folder_that_is_a_link_or_anothers_is_refused(tmp_path: Path) -> None:
    for name in ("link", "other"):
        base = tmp_path / name
        daemon = Daemon(base)
        daemon.paths.run.rmdir()
        if name == "link":
            (base / "elsewhere").mkdir(mode=0o700)
            daemon.paths.run.symlink_to(base / "elsewhere")
        else:
            daemon.paths.run.mkdir(mode=0o700)
            if os.geteuid() != 0:
                continue
            os.chown(daemon.paths.run, 65534, 65534)
        with pytest.raises(AssertionError, match="so the assistant does not open its socket there"):
            daemon.start()

        async def speak(daemon: Daemon = daemon) -> None:
            async with Client(daemon.paths) as client:
                await client.health()

        with pytest.raises(ConfigError, match="unsafe_folder"):  # nor does a client speak to what lies there
            asyncio.run(speak())


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_nothing_beyond_this_computer_is_served(tmp_path: Path, host: str) -> None:
    daemon = Daemon(tmp_path / "home", settings={"server.tcp": True, "server.host": host})
    with pytest.raises(AssertionError, match="as there is no TLS") as told:
        daemon.start()
    assert "ssh -L" in str(told.value)
    assert "Traceback" not in str(told.value)


def test_the_token_of_one_day_is_not_the_next_ones(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home", settings={"server.tcp": True, "server.host": "::1"})
    seen = set()
    for _ in range(2):
        with daemon:
            file = daemon.paths.run / "server-token"
            assert file.stat().st_mode & 0o777 == 0o600
            seen.add(file.read_text())
            port = (daemon.paths.run / "server-port").read_text()
            good = {"Authorization": f"Bearer {file.read_text()}"}
            assert httpx.get(f"http://[::1]:{port}/healthz", headers=good).status_code == 200
        assert not file.exists()
    assert len(seen) == 2
    assert all(
        re.fullmatch(r"[A-Za-z0-9_-]{43}", token) and len(base64.urlsafe_b64decode(token + "=")) == 32 for token in seen
    )
