"""The daemon as a process: its API, its sockets, two clients at once, a crash in the middle."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import websockets

from assistant.server.app import openapi_document
from tests.support.daemons import ROOT, Daemon


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_it_says_that_it_is_well(daemon: Daemon) -> None:
    with daemon.client() as client:
        health = client.get("/healthz").json()
    assert health["status"] == "ok"
    assert daemon.process is not None
    assert health["pid"] == daemon.process.pid
    assert {"email", "reminders", "system"} <= set(health["skills"]["loaded"])
    assert not health["skills"]["problems"]


def test_nobody_else_may_open_its_files(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.paths.socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(daemon.paths.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(daemon.paths.database.stat().st_mode) == 0o600
    assert not daemon.paths.logs.stat().st_mode & 0o077


def test_a_turn_streams_its_events(daemon: Daemon) -> None:
    events = daemon.say("are you there, my friend?", session="stream")
    assert [event["type"] for event in events] == ["turn-started", "token", "reply", "done"]
    assert events[2]["text"] == "Hello."


def test_a_conversation_is_kept_and_read_back(daemon: Daemon) -> None:
    daemon.say("remind me tomorrow at 9 to call the clinic", session="kept")
    with daemon.client() as client:
        assert "kept" in [one["session"] for one in client.get("/v1/sessions").json()["items"]]
        (turn,) = client.get("/v1/sessions/kept").json()["items"]
    assert turn["text"] == "remind me tomorrow at 9 to call the clinic"


def test_a_socket_hears_every_event_and_can_start_a_turn(daemon: Daemon) -> None:
    async def listen() -> list[str]:
        async with websockets.unix_connect(str(daemon.paths.socket), "ws://localhost/v1/events") as socket:
            await socket.send(json.dumps({"v": 1, "type": "turn", "text": "hello there", "session": "ws"}))
            seen: list[str] = []
            while "done" not in seen:
                seen.append(json.loads(await asyncio.wait_for(socket.recv(), 30))["type"])
            await socket.send("no json at all")
            seen.append(json.loads(await asyncio.wait_for(socket.recv(), 30))["type"])
            return seen

    seen = asyncio.run(listen())
    assert seen[0] == "turn-started"
    assert seen[-2:] == ["done", "error"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/turns", {}, 422, "server.bad_field"),
        ("POST", "/v1/turns", {"text": "x", "extra": 1}, 422, "server.bad_field"),
        ("POST", "/v1/turns", {"text": "x" * 20_001}, 422, "server.bad_field"),
        ("POST", "/v1/turns", {"text": "x", "session": "../x"}, 422, "server.bad_field"),
        ("POST", "/v1/turns/none/cancel", {}, 404, "server.no_turn"),
        ("GET", "/v1/sessions/none", None, 404, "server.no_session"),
        ("GET", "/nowhere", None, 404, "server.no_path"),
        ("DELETE", "/v1/turns", None, 405, "server.no_method"),
        ("GET", "/v1/audit?limit=many", None, 422, "server.bad_field"),
        ("POST", "/v1/approvals/none", {"decision": "approve"}, 422, "server.bad_field"),
        ("POST", "/v1/approvals/none", {"decision": "approve", "bound_to": "x"}, 404, None),
        ("POST", "/v1/outbox/none/cancel", {}, 404, None),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    daemon: Daemon, method: str, path: str, body: object, status: int, code: str | None
) -> None:
    with daemon.client() as client:
        for language, letters in (("en", r"[A-Za-z]"), ("zh", r"[一-鿿]")):
            response = client.request(method, path, json=body, headers={"Accept-Language": language})
            assert response.status_code == status, response.text
            assert response.headers["content-type"] == "application/problem+json"
            problem = response.json()
            assert code is None or problem["code"] == code
            assert re.search(letters, problem["detail"])


def test_what_is_no_json_or_too_large_is_refused(daemon: Daemon) -> None:
    with daemon.client() as client:
        assert client.post("/v1/turns", content=b"text=hi").status_code == 415
        headers = {"content-type": "application/json"}
        assert client.post("/v1/turns", content=b" " * 2_000_000, headers=headers).status_code == 413


def test_the_document_describes_every_endpoint(daemon: Daemon) -> None:
    with daemon.client() as client:
        served = client.get("/openapi.json").json()
    assert served == json.loads(json.dumps(openapi_document()))
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(served)))
    assert references <= set(served["components"]["schemas"])
    assert "/v1/turns" in served["paths"]


def test_many_clients_at_once_are_all_served(daemon: Daemon) -> None:
    def one(number: int) -> str:
        return str(daemon.say(f"are you there, number {chr(97 + number)}?", session=f"many{number % 3}")[-2]["text"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(16))) == ["Hello."] * 16


def test_a_second_daemon_is_refused_with_a_sentence(daemon: Daemon) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "assistant", "--language", "en", "daemon", "run"],
        cwd=ROOT,
        env=daemon._environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode != 0
    assert "running already" in outcome.stderr + outcome.stdout
    assert "Traceback" not in outcome.stderr + outcome.stdout


def test_it_stops_in_order_and_leaves_no_socket(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home")
    daemon.start()
    assert daemon.stop() == 0
    assert not daemon.paths.socket.exists()


def test_after_a_kill_it_comes_back_with_all_it_knew(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home")
    daemon.start()
    daemon.say("remind me tomorrow at 9 to call the clinic", session="before")
    daemon.kill()
    daemon.start()
    try:
        events = daemon.say("show my reminders", session="after")
        assert "call the clinic" in str(events[-2]["text"])
        with daemon.client() as client:
            assert client.get("/v1/audit/verify").json()["ok"]
    finally:
        daemon.stop()


def test_loopback_needs_the_token(tmp_path: Path) -> None:
    with Daemon(tmp_path / "home", settings={"server.tcp": True}) as daemon:
        port = (daemon.paths.run / "server-port").read_text(encoding="utf-8")
        token = (daemon.paths.run / "server-token").read_text(encoding="utf-8")
        assert not (daemon.paths.run / "server-token").stat().st_mode & 0o077
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/healthz").status_code == 401
        good = {"authorization": f"Bearer {token}"}
        assert httpx.get(f"{base}/healthz", headers=good).json()["status"] == "ok"
        assert httpx.get(f"{base}/healthz", headers=good | {"host": "evil.example"}).status_code == 400
        assert httpx.get(f"{base}/healthz", headers=good | {"origin": "http://evil.example"}).status_code == 403
