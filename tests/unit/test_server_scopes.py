"""What a credential reaches is written at each endpoint, and a turn is stopped by its own side alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from assistant.clock import FrozenClock
from assistant.conversation.running import RunningTurns
from assistant.events import Event, TurnStarted
from assistant.locale import Catalogue
from assistant.models import Turn
from assistant.notify.bus import EventBus
from assistant.server.app import ENDPOINTS, make_app
from assistant.server.callers import PERSON, Caller

NOTES = Caller("program", "notes")


def test_what_programs_reach_is_this_and_no_more() -> None:
    assert {(one.method, one.path) for one in ENDPOINTS if one.programs} == {
        ("GET", "/healthz"),
        ("POST", "/v1/turns"),
        ("POST", "/v1/turns/{id}/cancel"),
        ("POST", "/v1/plan"),
        ("GET", "/v1/sessions"),
        ("GET", "/v1/sessions/{id}"),
    }


def asking(app: ASGIApp, caller: Caller | None) -> httpx.AsyncClient:
    """A client that the guard took for `caller`."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope | ({"state": {"caller": caller}} if caller else {}), receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://localhost")


@pytest.mark.parametrize(
    ("session", "caller", "status"),
    [
        ("s", PERSON, 200),
        ("program:notes", PERSON, 200),
        ("program:notes", NOTES, 200),
        ("program:notes:b", NOTES, 200),
        ("s", NOTES, 404),
        ("program:notesx", NOTES, 404),
        ("program:other", NOTES, 404),
        ("s", None, 403),
    ],
)
def test_a_turn_in_flight_is_stopped_by_its_own_side_alone(session: str, caller: Caller | None, status: int) -> None:
    async def endless() -> AsyncIterator[Event]:
        yield TurnStarted(turn="t1", session=session, text="hello")
        await asyncio.Event().wait()

    async def scene() -> tuple[int, bool]:
        running = RunningTurns(EventBus(), Catalogue(), FrozenClock(datetime(2026, 11, 23, tzinfo=UTC)))
        services = SimpleNamespace(running=running, catalogue=Catalogue(), language="en")
        events = running.run(Turn(id="t1", text="hello", session=session), endless())
        await anext(events)
        async with asking(make_app(cast(Any, services)), caller) as client:
            answer = await client.post("/v1/turns/t1/cancel", json={})
        await asyncio.sleep(0)
        kinds = []
        if answer.status_code == 200:
            kinds = [event.type async for event in events]
        else:
            assert running.session("t1") == session  # it goes on
        await running.aclose()
        return answer.status_code, "done" in kinds

    assert asyncio.run(scene()) == (status, status == 200)
