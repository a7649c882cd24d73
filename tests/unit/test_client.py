"""The client against a server that speaks the published API on a Unix socket."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import client as client_module
from assistant import events, launch
from assistant.client import (
    Client,
    ConnectionLost,
    NoAnswer,
    NotRunning,
    RemoteProblem,
    StartFailed,
    _lines,
    ensure_running,
)
from assistant.errors import AssistantError
from assistant.models import UserContext
from assistant.paths import Paths, find
from tests.support.fake_daemon import FakeDaemon, serving


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "h"))
    monkeypatch.delenv("ASSISTANT_MODELS", raising=False)
    return find()


@pytest.fixture
def daemon(paths: Paths) -> Iterator[FakeDaemon]:
    fake = FakeDaemon()
    with serving(fake, paths.socket):
        yield fake


async def said(client: Client, text: str, **options: object) -> list[events.Event]:
    return [event async for event in client.turn(text, **options)]  # type: ignore[arg-type]


async def test_a_turn_streams_typed_events_in_order(paths: Paths, daemon: FakeDaemon) -> None:
    async with Client(paths, language="zh") as client:
        told = await said(client, "hello", session="s", present=False)
    assert [event.type for event in told] == [
        "turn-started",
        "tool-started",
        "tool-finished",
        "token",
        "token",
        "reply",
        "done",
    ]
    assert daemon.turns == [{"text": "hello", "surface": "cli", "present": False, "session": "s"}]
    assert daemon.languages == ["zh"]


async def test_a_line_separator_inside_an_event_does_not_break_it(paths: Paths, daemon: FakeDaemon) -> None:
    async with Client(paths) as client:
        told = await said(client, "x")
    assert [event.text for event in told if isinstance(event, events.Reply)] == ["You said x\u2028\x1b[31m"]


@settings(max_examples=50)
@given(
    st.lists(st.text(max_size=20).filter(lambda line: "\n" not in line and line.strip()), max_size=5), st.integers(1, 9)
)
async def test_lines_are_the_same_however_they_are_cut(wanted: list[str], size: int) -> None:
    raw = "\n".join(wanted).encode("utf-8", "surrogatepass")

    async def pieces():  # type: ignore[no-untyped-def]
        for start in range(0, len(raw), size):
            yield raw[start : start + size]

    found = [line.decode("utf-8", "surrogatepass") async for line in _lines(pieces())]
    assert found == wanted


async def test_a_problem_carries_the_daemons_own_sentence_and_mend(paths: Paths, daemon: FakeDaemon) -> None:
    async with Client(paths) as client:
        with pytest.raises(RemoteProblem) as caught:
            await said(client, "refuse")
        assert (caught.value.code, caught.value.message, caught.value.mend, caught.value.status) == (
            "server.bad_field",
            "Das geht nicht.",
            "Anders versuchen.",
            422,
        )
        with pytest.raises(RemoteProblem, match="502"):
            await said(client, "html")


@pytest.mark.parametrize("text", ["die", "garbage"])
async def test_a_stream_that_breaks_off_is_a_lost_connection(paths: Paths, daemon: FakeDaemon, text: str) -> None:
    told: list[events.Event] = []
    async with Client(paths) as client:
        async with aclosing(client.turn(text)) as stream:
            told += [await anext(stream) for _ in range(3)]
            with pytest.raises(ConnectionLost):
                await anext(stream)
    assert told[0].type == "turn-started"


async def test_no_daemon_is_said_so_by_every_call(paths: Paths) -> None:
    async with Client(paths) as client:
        for call in (client.health(), client.outbox(), client.skills(), client.verify_audit()):
            with pytest.raises(NotRunning):
                await call
        with pytest.raises(NotRunning):
            await said(client, "x")
        with pytest.raises(NotRunning):
            [event async for event in client.events()]


async def test_a_socket_that_a_killed_daemon_left_behind_is_no_daemon(paths: Paths) -> None:
    paths.make()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(paths.socket))
    async with Client(paths) as client:
        with pytest.raises(NotRunning):
            await client.health()


async def test_a_daemon_that_hangs_is_told_apart_from_none(paths: Paths) -> None:
    paths.make()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(paths.socket))
        silent.listen()
        async with Client(paths) as client:
            with pytest.raises(NoAnswer):
                await client.health(timeout=0.05)


async def test_every_part_of_the_api_is_typed(paths: Paths, daemon: FakeDaemon) -> None:
    async with Client(paths) as client:
        assert (await client.health()).pid == 4242
        assert (
            await client.plan("x", now=datetime(2026, 1, 1, tzinfo=UTC), context=UserContext(name="M"))
        ).kind == "call"
        assert daemon.plans[0]["now"] == "2026-01-01T00:00:00+00:00"
        assert daemon.plans[0]["context"]["name"] == "M"
        [waiting] = await client.approvals(state="pending")
        assert (await client.approval("ap-old")).state == "used"
        told = [event async for event in client.decide(waiting.id, approve=True, bound_to=waiting.bound_to)]
        assert told[0].type == "receipt"
        assert daemon.decisions[0]["decision"] == "approve"
        assert daemon.decisions[0]["bound_to"] == "hash-1"
        assert [found.state for found in await client.outbox()] == ["APPROVED"]
        assert (await client.cancel_operation("op-1")).outcome == "cancelled"
        assert (await client.resolve_operation("op-1", happened=True)).outcome == "done"
        assert [event.type async for event in client.undo("s")] == ["reply"]
        assert (await client.audit(limit=1))[0]["kind"] == "action"
        assert (await client.verify_audit())["ok"]
        assert (await client.use_model("m"))["chosen"] == "m"
        assert [skill["name"] for skill in await client.skills()] == ["email", "mine"]
        assert (await client.sessions())[0]["name"] == "default"
        await client.cancel_turn("t1")
        assert daemon.cancelled == ["t1"]


async def test_events_come_over_the_socket_until_the_daemon_goes(paths: Paths, daemon: FakeDaemon) -> None:
    async with Client(paths) as client:
        assert [event.type async for event in client.events()] == ["notice"]


async def test_a_running_daemon_is_not_started_again(
    paths: Paths, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "spawn", lambda output: pytest.fail("started"))
    assert (await ensure_running(paths)).pid == 4242


async def test_a_daemon_that_ends_at_once_is_told_with_its_last_words(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho earlier >&2\necho 'The disk is full.' >&2\necho 'Make room.' >&2\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(client_module, "_ANOTHER_S", 0.05)
    with pytest.raises(StartFailed) as caught:
        await ensure_running(paths)
    assert caught.value.data["reason"] == "The disk is full. Make room."
    assert Path(caught.value.data["log"]).stat().st_mode & 0o077 == 0


async def test_whoever_comes_second_waits_for_the_one_who_starts(paths: Paths) -> None:
    paths.make()
    with (paths.run / "start.lock").open("w") as held:
        assert launch.take(held.fileno())
        with pytest.raises(StartFailed) as caught:
            await ensure_running(paths, deadline=0.1)
    assert caught.value.code == "client.start_slow"


def test_every_failure_of_the_client_is_an_error_of_ours() -> None:
    for kind in (NotRunning, NoAnswer, ConnectionLost, StartFailed, RemoteProblem):
        assert issubclass(kind, AssistantError)


async def test_a_folder_too_long_for_a_socket_has_a_short_stand_in(paths: Paths, tmp_path: Path) -> None:
    deep = replace(paths, run=tmp_path / ("x" * 120))
    fake = FakeDaemon()
    deep.make()
    with serving(fake, deep.socket):
        async with Client(deep) as client:
            assert (await client.health()).status == "ok"
