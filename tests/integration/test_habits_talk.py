"""Habits through a whole conversation: learned from what was done, filled in when asked for, shown, forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from assistant.clock import FrozenClock
from assistant.events import Question, ToolStarted
from assistant.memory.habits import KeptHabits
from assistant.safety.deeds import AuditedDeeds
from tests.support.talk import NOW, USER, Talk, talking


async def told(talk: Talk, *sentences: str) -> None:
    for number, said in enumerate(sentences):
        events = await talk.say(said, session=f"habit{number}")
        assert any(isinstance(event, ToolStarted) for event in events), said


PILLS = [f"remind me on {day} at 9:40 pm to take my pills" for day in ("Tuesday", "Wednesday", "Thursday", "Friday")]


async def test_the_usual_time_is_filled_in_shown_and_known_of_the_user(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        await told(talk, *PILLS)
        for said in ("remind me to take my pills as usual", "remind me to take my pills at the usual time"):
            reply = await talk.reply(said, session=said)
            assert "21:40" in reply, reply
        entries = [one for one in talk.services.audit.entries(200) if one.kind == "action"]
        assert entries[0].data["origins"]["when"] == "profile"
        assert entries[0].data["origins"]["text"] == "user"


async def test_the_usual_answers_a_question_and_what_is_not_known_is_asked(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        asked = await talk.say("remind me to take my pills as usual")
        assert any(isinstance(event, Question) for event in asked)
        await talk.say("never mind")
        await told(talk, *PILLS)
        await talk.say("remind me to take my pills", session="q")
        assert "21:40" in await talk.reply("the usual", session="q")


async def test_the_usual_is_known_in_chinese_too(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: 好的。") as talk:
        await told(talk, *(f"{day}晚上9点40提醒我吃药" for day in ("明天", "后天", "周四", "周五")))
        for said in ("老时间提醒我吃药", "照旧提醒我吃药", "跟平时一样提醒我吃药"):
            reply = await talk.reply(said, session=said)
            assert "21:40" in reply, reply


async def test_what_was_taken_back_and_what_was_barred_is_no_habit(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.", profile={"never": ["pills"]}) as talk:
        await told(talk, *PILLS)
        assert talk.services.profile.habits.listed() == []
    async with talking(tmp_path / "two", USER, lambda _: "reply: Fine.") as talk:
        for number, said in enumerate(PILLS):
            await talk.say(said, session=f"u{number}")
            await talk.reply("undo", session=f"u{number}")
        assert talk.services.profile.habits.listed() == []


async def test_a_habit_that_is_forgotten_does_not_come_back_from_the_same_deeds(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        await told(talk, *PILLS)
        habits = talk.services.profile.habits
        [habit] = habits.listed()
        assert (habit.value, habit.times, habit.of) == ("T21:40", 4, 4)
        assert habits.forget(habit.id) == 4
        for again in (habits, KeptHabits(habits._db, FrozenClock(NOW), AuditedDeeds(habits._db), habits._bounds)):
            while again.catch_up():
                pass
            assert again.listed() == []
        await told(talk, *PILLS[:2])
        assert habits.listed() == []


async def test_nothing_is_learned_where_nothing_shall_be(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.", profile={"learn": False}) as talk:
        await told(talk, *PILLS)
        assert talk.services.profile.habits.listed() == []


async def test_the_usual_list_is_offered_first_and_filled_in(tmp_path: Path) -> None:
    async with talking(tmp_path, USER, lambda _: "reply: Fine.") as talk:
        await told(talk, *(f"add {item} to my hardware list" for item in ("nails", "screws", "glue", "paint")))
        habits = talk.services.profile.habits
        now = NOW + timedelta(hours=1)
        assert [*habits.first("notes.add", "list", ["shopping", "hardware"], now)] == ["hardware", "shopping"]
        reply = await talk.reply("add sandpaper to the usual list", session="x")
        assert "hardware" in reply.casefold(), reply
