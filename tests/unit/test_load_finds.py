"""What the load, fuzz and soak benches found: each stays mended."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import ValidationError

from assistant.clock import FrozenClock
from assistant.conversation.answers import answer_of
from assistant.conversation.running import RunningTurns
from assistant.conversation.sessions import Sessions
from assistant.engine.scripted import ScriptedModel
from assistant.events import Event, TurnDone, TurnStarted
from assistant.locale import Catalogue
from assistant.models import Completion, Message, Turn
from assistant.notify.bus import EventBus
from assistant.server.app import make_app
from assistant.server.callers import PERSON
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
        reply = await talk.reply(("remind me to " if language == "en" else "明天提醒我") * 5000)
        assert time.monotonic() - started < 2
        assert "20000" in reply.replace(",", "")
        assert not talk.model.requests


_PAGES = (
    "I was thinking about the boiler and what Anna said on Thursday at 3 pm. " * 300,
    "明天下午三点提醒我给安娜打电话，然后" * 1000,
    "(" * 20_000,
    "a, " * 6000,
    "9" * 20_000,
    "note that the code of box 7 is 77, " * 500,
    "search my inbox for " + "planetarium and Anna at 5 " * 700,
)


async def test_pages_of_text_are_read_in_no_time(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: hm") as talk:
        for words in (
            "what is Anna's email?",
            "who is it from?",
            "note that a is b",
            "安娜的邮箱是什么？",
            "hm, what?",
        ):
            await talk.say(words)  # what is loaded at the first need
        for number, text in enumerate(_PAGES):
            started = time.process_time()
            await talk.say(text[:20_000], session=f"p{number}")
            assert time.process_time() - started < 1, text[:20]  # 0.02 to 0.15; seconds to minutes before
            assert all(len(one.messages[-1].content) < 3000 for one in talk.model.requests)


async def test_a_page_that_is_dictated_is_kept_whole_and_the_model_reads_both_ends_of_another(tmp_path: Path) -> None:
    page = "the valve is behind the red box and it sticks, " * 60 + "so turn it twice"
    async with talking(tmp_path, USER, lambda _: "reply: hm") as talk:
        assert page in await talk.reply(f"note that {page}")
        assert not talk.model.requests
        await talk.reply(f"Dear all, {page}. Say that in one sentence, please")
    read = talk.model.requests[-1].messages[-1].content
    assert "Dear all" in read
    assert "Say that in one sentence" in read
    assert len(read) < len(page)


async def test_an_answer_of_a_page_is_taken_whole(tmp_path: Path) -> None:
    page = "we meet in the cellar, and everybody brings a lamp; " * 20 + "that is all"
    async with talking(tmp_path, USER, lambda _: "reply: hm") as talk:
        await talk.reply("make a note")
        assert page in await talk.reply(page)
        assert not talk.model.requests


async def test_pages_plan_as_they_act(tmp_path: Path) -> None:
    page = "the valve is behind the red box and it sticks, " * 60
    async with talking(tmp_path, USER, lambda _: "reply: hm") as talk:
        plan = await talk.services.conversation.plan(f"note that {page}end")
    assert [call.tool for call in plan.calls] == ["notes.add"]
    assert plan.calls[0].args["text"] == f"{page}end"


def _turn(name: str = "t1") -> Turn:
    return Turn(id=name, text="hello", session="s")


async def _endless() -> AsyncIterator[Event]:
    yield TurnStarted(turn="t1", session="s", text="hello")
    await asyncio.Event().wait()


@pytest.mark.parametrize("runs_first", [True, False])
async def test_a_turn_that_is_stopped_ends_even_if_it_never_ran(runs_first: bool) -> None:
    bus = EventBus()
    running = RunningTurns(bus, Catalogue(), FrozenClock(NOW))
    with bus.listen() as heard:
        stream = running.run(_turn(), _endless())
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)  # the stream has begun, and with it the turn's task is made
        assert running._tasks
        if runs_first:
            assert (await first).type == "turn-started"
        running.cancel("t1")
        kinds = [] if runs_first else [(await asyncio.wait_for(first, 5)).type]
        async with asyncio.timeout(5):
            kinds += [event.type async for event in stream]
    assert kinds == ["error", "done"]
    told = [heard.get_nowait() for _ in range(heard.qsize())]
    assert [event.type for event in told if event] == ["turn-started"] * runs_first + kinds
    assert not running._tasks


class _Line:
    """An event socket's two ends, without a network: what the client sends, and how fast it takes."""

    def __init__(self, *sends: dict[str, Any]) -> None:
        self._sends = [{"type": "websocket.connect"}, *sends]
        self.takes, self.open = asyncio.Event(), asyncio.Event()
        self.got: list[Any] = []

    async def run(self, bus: EventBus) -> None:
        app = make_app(cast(Any, SimpleNamespace(bus=bus, catalogue=Catalogue(), language="en")))
        scope = {"type": "websocket", "path": "/v1/events", "headers": [], "subprotocols": [], "query_string": b""}
        await app({**scope, "state": {"caller": PERSON}}, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._sends:
            await asyncio.Event().wait()
        return self._sends.pop(0)

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.takes.wait()
        self.open.set()
        self.got.append(message)


async def test_who_reads_too_slowly_is_told_that_something_is_missing() -> None:
    bus, line = EventBus(), _Line()
    serving = asyncio.create_task(line.run(bus))
    await asyncio.wait_for(line.open.wait(), 5)
    for number in range(1500):
        bus.publish(TurnDone(turn=str(number), session="s", ms=0, at=NOW))
    await asyncio.sleep(0.05)
    line.takes.set()
    await asyncio.wait_for(serving, 30)
    texts = [json.loads(one["text"])["turn"] for one in line.got if one["type"] == "websocket.send"]
    assert texts == [str(number) for number in range(len(texts))]  # none is missing before the end
    assert len(texts) >= 1000
    assert (line.got[-1]["type"], line.got[-1]["code"]) == ("websocket.close", 1013)


async def test_one_who_reads_too_slowly_takes_nothing_from_others() -> None:
    bus = EventBus()
    with bus.listen() as slow, bus.listen() as quick:
        for number in range(1500):
            bus.publish(TurnDone(turn=str(number), session="s", ms=0, at=NOW))
            event = quick.get_nowait()
            assert event is not None
            assert event.turn == str(number)
        assert slow.qsize() == 1001


async def test_bytes_at_the_event_socket_close_it_at_once_with_a_code() -> None:
    line = _Line({"type": "websocket.receive", "bytes": b"{}"})
    await asyncio.wait_for(line.run(EventBus()), 5)
    assert (line.got[-1]["type"], line.got[-1]["code"]) == ("websocket.close", 1003)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("new contact Anna Schmitt, email as@x.example", "Anna Schmitt"),
        ("save Ana Schmidt's number: 0170 1234567", "Ana Schmidt"),
        ("new contact Anna, email as@x.example", "Anna"),
        ("新建联系人林兰，邮箱 ll@x.example", "林兰"),
        ("add phone number 0171 9998887 to my sister", "Lan Lin"),
        ("add phone number 0171 9998887 to Weber", "Anna Weber"),
    ],
)
async def test_who_is_written_down_is_called_as_was_said(tmp_path: Path, words: str, name: str) -> None:
    async with talking(tmp_path, USER) as talk:
        plan = await talk.services.conversation.plan(words)
    assert [(call.tool, call.args["name"]) for call in plan.calls] == [("contacts.add", name)]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("Tom Berg <tom@berg.example>", "Added to Tom Berg: e-mail other@x.example"),
        ("the first one", "Added to Tom Berg: e-mail other@x.example"),
        ("Tom Berg Munich", "Saved Tom Berg Munich among your contacts: e-mail other@x.example"),
    ],
)
async def test_a_strangers_address_goes_to_no_card_before_it_is_said_whose_it_is(
    tmp_path: Path, answer: str, told: str
) -> None:
    async with talking(tmp_path, USER) as talk:
        await talk.say("new contact Tom Berg, email tom@berg.example")
        asked = await talk.reply("new contact Tom Berg, email other@x.example")
        assert "Tom Berg <tom@berg.example>" in asked
        assert await talk.reply("what's Tom Berg's email?", session="other") == "Tom Berg: e-mail tom@berg.example"
        assert await talk.reply(answer) == told


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
    mailbox = module("stores").opened(ctx)
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


async def test_a_latin_name_between_chinese_characters_was_said(tmp_path: Path) -> None:
    async with talking(tmp_path, USER) as talk:
        events = await talk.say("把zqbago加到联系人，邮箱是zqbago@example.cn")
    assert "approval-wanted" not in [event.type for event in events]
