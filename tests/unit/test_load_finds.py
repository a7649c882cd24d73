"""What the load, fuzz and soak benches found: each stays mended."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assistant.clock import FrozenClock
from assistant.conversation.answers import answer_of
from assistant.conversation.sessions import Sessions
from assistant.engine.scripted import ScriptedModel
from assistant.models import Completion, Message, Turn
from assistant.server.wire import AuditQuery
from assistant.store import open_database
from tests.support.context import load_skill
from tests.support.mail import deliver, mail, module, reading
from tests.support.talk import NOW, USER, talking

_LONG = 1990


async def test_locks_of_sessions_that_are_quiet_are_gone(tmp_path: Path) -> None:
    async with talking(tmp_path, USER) as talk:
        for number in range(5):
            await talk.say("what time is it?", session=f"s{number}")
        gc.collect()
        assert len(talk.services.conversation._locks) == 0


async def test_turns_of_one_session_still_wait_for_each_other(tmp_path: Path) -> None:
    async with talking(tmp_path, USER) as talk:
        first, second = talk.say("note that a is b"), talk.say("undo that")
        await asyncio.gather(first, second)
        turns = talk.services.sessions.transcript("s")
    kinds = [event["type"] for turn in turns for event in turn["events"]]
    assert kinds.count("turn-started") == kinds.count("done") == len(turns)


async def test_a_scripted_model_keeps_no_more_requests_than_it_is_told_to() -> None:
    model = ScriptedModel(lambda _: "reply: x", keep=2)
    for number in range(5):
        request = Completion(messages=(Message(role="user", content=str(number)),))
        assert [chunk async for chunk in model.complete(request)]
    assert [one.messages[0].content for one in model.requests] == ["3", "4"]


async def test_a_scripted_list_is_used_up_in_order_even_where_nothing_is_kept() -> None:
    model = ScriptedModel(["a", "b"], keep=0)
    request = Completion(messages=())
    said = ["".join([chunk.text async for chunk in model.complete(request)]) for _ in range(2)]
    assert said == ["a", "b"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_is_too_long_is_refused_with_a_sentence(tmp_path: Path, language: str) -> None:
    async with talking(tmp_path, USER) as talk:
        started = time.monotonic()
        reply = await talk.reply(("remind me to " if language == "en" else "明天提醒我") * 2000)
        assert time.monotonic() - started < 2
        assert "2000" in reply.replace(",", "")
        assert not talk.model.requests


@pytest.mark.parametrize("gap", [" ", "\n"])
async def test_a_long_gap_is_read_in_no_time(tmp_path: Path, gap: str) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: hm") as talk:
        await talk.say("hello there")
        started = time.monotonic()
        await talk.say(f"x{gap * _LONG}x")
        assert time.monotonic() - started < 5  # minutes before


def test_a_list_of_a_thousand_things_is_no_answer() -> None:
    asked: list[str] = []

    def tool_of(clause: str) -> str:
        asked.append(clause)
        return "core.no" if clause == "no" else ""

    assert answer_of("a, " * 500, "en", tool_of) is None
    assert answer_of("no, " + "a, " * 500, "en", tool_of) == "no_and_more"
    assert len(asked) < 10


def _calendar() -> Any:
    load_skill("calendar")
    import importlib

    return importlib.import_module("assistant_skills.calendar.events")


def test_a_calendar_file_can_not_name_another_file_to_be_read(tmp_path: Path) -> None:
    other = tmp_path / "private.ics"
    other.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
        "DTSTART:20261124T150000Z\r\nSUMMARY:Secret\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        encoding="utf-8",
    )
    assert _calendar().parse(other.read_bytes())[0].main.title == "Secret"
    assert not _calendar().parse(str(other).encode())


def test_a_zone_that_is_a_folder_hides_no_other_calendar() -> None:
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z\r\n"
        "DTSTART;TZID=Europe:20261124T150000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    _calendar().parse(text.encode())  # IsADirectoryError before


async def test_who_searches_mail_at_once_has_it_looked_through_once(tmp_path: Path) -> None:
    deliver(tmp_path / "mail", mail(subject="Hello"))
    ctx = reading(tmp_path)
    mailbox = module("mailbox").opened(ctx)
    await mailbox.refresh(ctx.index)
    looks = mailbox._looks
    await asyncio.gather(*(mailbox.refresh(ctx.index) for _ in range(20)))
    assert mailbox._looks - looks <= 2
    deliver(tmp_path / "mail", mail(subject="Again"))
    await mailbox.refresh(ctx.index)
    assert len(await ctx.index.search("again")) == 1


def test_what_is_past_undoing_is_forgotten_with_old_turns(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)
    db = open_database(":memory:")
    sessions = Sessions(db, clock)
    sessions.keep(Turn(id="t", text="hi", session="s"), "en", "hello", "intent", 1, [])
    sessions.can_undo("s", "o", "notes.add", {"file": "x"})
    clock.at += timedelta(days=2)
    sessions.forget(1)
    counts = [db.conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("turns", "undoable")]
    assert counts == [0, 0]


def test_a_moment_outside_of_the_calendar_is_refused() -> None:
    assert AuditQuery.model_validate({"since": "2026-11-23T10:00:00Z"}).since is not None
    for since in ("0001-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        with pytest.raises(ValidationError):
            AuditQuery.model_validate({"since": since})
