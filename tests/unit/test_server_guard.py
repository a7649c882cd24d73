"""The loopback port: right Host, right Origin, right token, or nothing."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from assistant.server.guard import Guard

GOOD = {"host": "127.0.0.1:8123", "authorization": "Bearer right"}


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("in")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("in")
    await websocket.close()


@pytest.fixture
def client() -> TestClient:
    inner = Starlette(routes=[Route("/", hello, methods=["GET", "POST"]), WebSocketRoute("/ws", socket)])
    return TestClient(Guard(inner, port=8123, token="right", origins=["http://localhost:5173"]))


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
    assert client.get("/", headers=GOOD | headers).text == "in"


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
