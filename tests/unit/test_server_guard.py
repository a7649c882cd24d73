"""The loopback port: right Host, right Origin, right token, or nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from assistant.errors import AssistantError
from assistant.locale import Catalogue
from assistant.safety.tokens import Tokens
from assistant.server.callers import caller
from assistant.server.guard import SUBPROTOCOL, Door, Failures, Guard

GOOD = {"host": "127.0.0.1:8123", "authorization": "Bearer right"}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"in {caller(request).scope} {caller(request).name}".strip())


async def socket(websocket: WebSocket) -> None:
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
    await websocket.send_text("in")
    await websocket.close()


CATALOGUE = Catalogue()


def guarded(door: Door, tokens: Tokens, failures: Failures | None = None) -> TestClient:
    inner = Starlette(routes=[Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/ws", socket)])
    return TestClient(Guard(inner, door, lambda: tokens, lambda: CATALOGUE, lambda: "en", failures))


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "tokens.json")


@pytest.fixture
def client(tokens: Tokens) -> TestClient:
    return guarded(Door.tcp(8123, "right", ["http://localhost:5173"]), tokens)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:8123"},
        {"host": "[::1]:8123"},
        {"host": "LOCALHOST:8123"},
        {"origin": "http://127.0.0.1:8123"},
        {"origin": "http://localhost:5173"},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_the_owner_comes_in(client: TestClient, headers: dict[str, str]) -> None:
    assert client.get("/", headers=GOOD | headers).text == "in person"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"host": "127.0.0.1"}, 400),
        ({"host": "127.0.0.1:80"}, 400),
        ({"host": "127.0.0.1:8123.evil.example"}, 400),
        ({"host": "127.0.0.1:evil.example"}, 400),
        ({"host": "evil.example:8123"}, 400),
        ({"host": "127.0.0.1.nip.example:8123"}, 400),
        ({"host": "user@127.0.0.1:8123"}, 400),
        ({"host": "0.0.0.0:8123"}, 400),
        ({"host": ""}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://127.0.0.1:8123"}, 403),
        ({"origin": "http://127.0.0.1:8124"}, 403),
        ({"origin": "http://127.0.0.1:8123.evil.example"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Bearer right "}, 401),
        ({"authorization": "Basic right"}, 401),
        ({"authorization": "Bearer rïght"}, 401),
        ({"authorization": "right"}, 401),
        ({"authorization": "bearer right"}, 401),
        ({"origin": "http://localhost:5173", "sec-fetch-site": "same-origin"}, 403),
    ],
)
def test_a_stranger_stays_out(client: TestClient, headers: dict[str, str], status: int) -> None:
    encoded = {name: value.encode("latin-1") for name, value in (GOOD | headers).items()}
    response = client.post("/", headers=encoded, json={})  # type: ignore[arg-type]
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


def test_a_strange_page_gets_no_socket(client: TestClient) -> None:
    with client.websocket_connect("/ws", headers=GOOD) as good:
        assert good.receive_text() == "in"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/ws", headers=GOOD | {"origin": "http://evil.example"}),
    ):
        pass


def test_a_page_shows_its_token_without_a_header_and_gets_only_the_protocol_back(client: TestClient) -> None:
    host = {"host": GOOD["host"]}
    with client.websocket_connect("/ws", headers=dict(host), subprotocols=[SUBPROTOCOL, "bearer.right"]) as good:
        assert good.accepted_subprotocol == SUBPROTOCOL
    for offered in (["bearer.wrong"], ["bearer.right", "bearer.right"], ["bearer."], ["right"], [SUBPROTOCOL]):
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect("/ws", headers=dict(host), subprotocols=offered),
        ):
            pass


def test_a_program_is_who_its_token_says_until_it_is_revoked(client: TestClient, tokens: Tokens) -> None:
    token = tokens.add("notes", "program", NOW)
    theirs = GOOD | {"authorization": f"Bearer {token}"}
    assert client.get("/", headers=theirs).text == "in program notes"
    for wrong in (token[:-1], token + "x", token.swapcase(), token.removeprefix("hearth_")):
        assert client.get("/", headers=GOOD | {"authorization": f"Bearer {wrong}"}).status_code == 401
    assert tokens.remove("notes")
    assert client.get("/", headers=theirs).status_code == 401


def test_on_the_users_socket_a_smaller_credential_stays_small(tokens: Tokens) -> None:
    token = tokens.add("notes", "program", NOW)
    client = guarded(Door.unix(), tokens)
    host = {"host": "localhost"}
    assert client.get("/", headers=host).text == "in person"
    assert client.get("/", headers=host | {"authorization": f"Bearer {token}"}).text == "in program notes"
    assert client.get("/", headers=host | {"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/", headers=host | {"origin": "http://localhost"}).status_code == 403


def test_a_damaged_list_of_tokens_lets_no_program_in_and_the_person_still(client: TestClient, tokens: Tokens) -> None:
    token = tokens.add("notes", "program", NOW)
    tokens._file.write_text("[{")
    assert client.get("/", headers=GOOD | {"authorization": f"Bearer {token}"}).status_code == 401
    assert client.get("/", headers=GOOD).status_code == 200


def test_after_ten_wrong_tokens_a_minute_it_says_wait_and_the_right_one_passes(tokens: Tokens) -> None:
    now = [1000.0]
    client = guarded(Door.tcp(8123, "right", []), tokens, Failures(lambda: now[0]))
    wrong = GOOD | {"authorization": "Bearer wrong"}
    assert [client.get("/", headers=wrong).status_code for _ in range(12)] == [401] * 10 + [429] * 2
    told = client.get("/", headers=wrong)
    assert 1 <= int(told.headers["retry-after"]) <= 60
    assert client.get("/", headers=GOOD).status_code == 200
    now[0] += 61
    assert client.get("/", headers=wrong).status_code == 401


def test_an_answer_tells_a_browser_to_keep_nothing_and_show_nobody(client: TestClient) -> None:
    for headers in (GOOD, {"host": "evil.example"}):
        told = client.get("/", headers=headers).headers
        assert told["x-content-type-options"] == "nosniff"
        assert told["cache-control"] == "no-store"
        assert told["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert not [name for name in told if name.startswith("access-control")]


def test_a_token_is_kept_as_a_hash_in_a_file_of_the_users_alone(tokens: Tokens) -> None:
    token = tokens.add("notes", "program", NOW)
    assert token not in tokens._file.read_text()
    assert tokens._file.stat().st_mode & 0o777 == 0o600
    for bad in ("", "Notes", "a:b", "x" * 33, "../x"):
        with pytest.raises(AssistantError, match="bad_name"):
            tokens.add(bad, "program", NOW)
    with pytest.raises(AssistantError, match="taken"):
        tokens.add("notes", "person", NOW)
