"""The reminders and system skills over the real schedules table, with a frozen clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assistant.automation.schedules import Due, SqlSchedules
from assistant.clock import FrozenClock
from assistant.conversation.examples import read_rows
from assistant.conversation.intents import Sentences
from assistant.conversation.spans import mask
from assistant.errors import AskAgain, NotFound, Rejected
from assistant.locale import Catalogue
from assistant.models import Language, Notice, Operation
from assistant.ports import Scheduled
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.store.database import open_database
from assistant.values import Duration, Moment, format_duration
from tests.support.context import NOW, context, load_skill


async def _unfired(skill: str, scheduled: Scheduled) -> None:
    raise AssertionError(f"{skill}: {scheduled}")


class EmptyOutbox:
    async def list(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Operation]:
        return []


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Makes contexts of one world: `world(language, now=…)`."""
    schedules = SqlSchedules(open_database(":memory:"), FrozenClock(NOW), _unfired)
    numbers = iter(range(1000))

    def make(language: Language = "en", *, skill: str = "reminders", now: datetime = NOW) -> Context:
        ctx = context(load_skill(skill)[1], skill, tmp_path, language=language, now=now)
        outbox: Any = EmptyOutbox()
        return replace(ctx, schedules=schedules, outbox=outbox, operation=f"op{next(numbers)}")

    return make


@pytest.fixture
def reminders() -> Any:
    return load_skill("reminders")[0]


@pytest.fixture
def system() -> Any:
    return load_skill("system")[0]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NOW.tzinfo)


async def test_a_reminder_is_kept_and_listed_with_its_day_in_the_language_of_the_turn(
    world: Any, reminders: Any
) -> None:
    added = await reminders.add(world(), "call the clinic", at("2026-11-24T09:00"))
    assert added.text == "I'll remind you on Tuesday 24 November 2026 at 09:00: call the clinic"
    await reminders.add(world("zh"), "吃药", at("2026-11-23T21:00"), "每天")
    listed = await reminders.list(world("zh"))
    assert listed.text.splitlines()[0] == "您有2个提醒："
    assert "吃药" in listed.text.splitlines()[1]
    assert "每天" in listed.text.splitlines()[1]
    assert [item["text"] for item in listed.data["items"]] == ["吃药", "call the clinic"]
    soon = await reminders.list(world(), until=at("2026-11-23T23:59"))
    assert soon.text.startswith("You have one open reminder:")


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("daily", "FREQ=DAILY"),
        ("every monday", "FREQ=WEEKLY;BYDAY=MO"),
        ("每天", "FREQ=DAILY"),
        ("每周一三五", "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=1", "FREQ=MONTHLY;BYMONTHDAY=1"),
    ],
)
async def test_a_repetition_may_be_a_rule_or_words(world: Any, reminders: Any, said: str, rule: str) -> None:
    added = await reminders.add(world(), "stretch", at("2026-11-30T09:00"), said)
    assert added.data["recurrence"] == rule


async def test_a_past_time_is_refused_and_nothing_is_kept(world: Any, reminders: Any) -> None:
    with pytest.raises(Rejected) as refusal:
        await reminders.add(world(), "call", at("2026-11-23T09:59"))
    catalogue = Catalogue()
    catalogue.add("reminders", bundled("skills") / "reminders" / "locale")
    for language, words in (("en", "already past"), ("zh", "已经过去")):
        assert words in catalogue.explain(refusal.value, language)[0]
    assert (await reminders.list(world())).data == {"items": []}


async def test_a_repeated_reminder_whose_first_time_is_past_starts_with_the_next_one(
    world: Any, reminders: Any
) -> None:
    added = await reminders.add(world(), "stretch", at("2026-11-23T08:00"), "FREQ=DAILY")
    assert added.data["when"] == "2026-11-24T08:00:00+01:00"


@pytest.mark.parametrize("rule", ["sometimes", "FREQ=SECONDLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "tomorrow"])
async def test_a_repetition_that_cannot_be_kept_is_refused(world: Any, reminders: Any, rule: str) -> None:
    with pytest.raises(Rejected):
        await reminders.add(world(), "x", at("2026-11-30T09:00"), rule)


async def test_what_was_added_can_be_taken_back_and_what_was_cancelled_comes_back(world: Any, reminders: Any) -> None:
    added = await reminders.add(world(), "call Anna", at("2026-11-24T09:00"))
    assert (await reminders.take_back(world(), added.undo)).text == "The reminder is gone: call Anna"
    with pytest.raises(NotFound):
        await reminders.take_back(world(), added.undo)
    await reminders.add(world(), "call Bob", at("2026-11-24T10:00"), "FREQ=DAILY")
    cancelled = await reminders.cancel(world(), "bob")
    assert (await reminders.list(world())).data == {"items": []}
    await reminders.take_back(world(), cancelled.undo)
    (item,) = (await reminders.list(world())).data["items"]
    assert (item["text"], item["recurrence"]) == ("call Bob", "FREQ=DAILY")


async def test_a_cancelled_reminder_whose_time_has_passed_does_not_come_back(world: Any, reminders: Any) -> None:
    await reminders.add(world(), "call Bob", at("2026-11-23T11:00"))
    cancelled = await reminders.cancel(world(), "call Bob")
    with pytest.raises(Rejected):
        await reminders.take_back(world(now=NOW + timedelta(hours=2)), cancelled.undo)


async def test_cancel_finds_a_reminder_by_some_of_its_words_in_both_languages(world: Any, reminders: Any) -> None:
    for text in ("pay the car insurance", "交水电费", "给牙医打电话", "water the plants"):
        await reminders.add(world(), text, at("2026-11-25T09:00"))
    for words, text in (
        ("the insurance", "pay the car insurance"),
        ("水电费", "交水电费"),
        ("牙医", "给牙医打电话"),
        ("Watering my plants", "water the plants"),
    ):
        assert (await reminders.cancel(world(), words)).data["text"] == text
    with pytest.raises(NotFound):
        await reminders.cancel(world(), "anything")


async def test_cancel_asks_which_one_and_takes_a_choice_as_it_was_offered(world: Any, reminders: Any) -> None:
    await reminders.add(world(), "call Anna", at("2026-11-24T09:00"))
    await reminders.add(world(), "call Anna", at("2026-11-25T09:00"))
    await reminders.add(world(), "buy milk", at("2026-11-25T09:00"))
    with pytest.raises(AskAgain) as question:
        await reminders.cancel(world(), "call anna")
    assert len(question.value.choices) == 2
    cancelled = await reminders.cancel(world(), question.value.choices[1])
    assert "25 Nov" in cancelled.text
    with pytest.raises(NotFound):
        await reminders.cancel(world(), "the dentist")


@pytest.mark.parametrize(
    ("language", "length", "words"),
    [("en", timedelta(minutes=90), "1 hour 30 minutes"), ("zh", timedelta(minutes=90), "1小时30分钟")],
)
async def test_a_timer_tells_its_length_and_ends_after_elapsed_time(
    world: Any, reminders: Any, language: Language, length: timedelta, words: str
) -> None:
    started = await reminders.timer(world(language), length, "茶")
    assert words in started.text
    assert "茶" in started.text
    ends = datetime.fromisoformat(started.data["when"])
    assert ends.astimezone(UTC) - NOW.astimezone(UTC) == length


@pytest.mark.parametrize("length", [timedelta(), timedelta(days=999_999_99)])
async def test_an_absurd_timer_is_refused(world: Any, reminders: Any, length: timedelta) -> None:
    with pytest.raises(Rejected):
        await reminders.timer(world(), length)


async def _fire(reminders: Any, ctx: Context, due: Due) -> Notice:
    told: list[Notice] = []

    async def notify(notice: Notice) -> None:
        told.append(notice)

    await reminders.due(replace(ctx, notify=notify), due)
    (notice,) = told
    return notice


async def test_a_reminder_speaks_the_language_it_was_made_in_and_a_late_one_says_so(world: Any, reminders: Any) -> None:
    await reminders.add(world("zh"), "吃药", at("2026-11-23T21:00"))
    english = world("en")
    (due,) = await english.schedules.list(skill="reminders")
    on_time = await _fire(reminders, world("en", now=at("2026-11-23T21:00:01")), due)
    assert (on_time.title, on_time.body) == ("吃药", "")
    late = await _fire(reminders, world("en", now=at("2026-11-24T08:00")), due)
    assert late.body == "原定时间是2026-11-23 21:00。"


async def test_the_same_action_done_again_after_a_crash_makes_one_reminder(world: Any, reminders: Any) -> None:
    ctx = world()
    for _ in range(2):
        await reminders.add(ctx, "call", at("2026-11-24T09:00"))
    assert len((await reminders.list(ctx)).data["items"]) == 1


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("New York", "America/New_York"),
        ("纽约", "America/New_York"),
        ("北京市", "Asia/Shanghai"),
        ("Zürich", "Europe/Zurich"),
        ("tokyo", "Asia/Tokyo"),
        ("Munich, Germany", "Europe/Berlin"),
        ("Asia/Kathmandu", "Asia/Kathmandu"),
        ("são paulo", "America/Sao_Paulo"),
        ("Ushuaia", "America/Argentina/Ushuaia"),
        ("日本", "Asia/Tokyo"),
    ],
)
async def test_the_time_of_a_place_is_found_by_city_country_or_zone(
    world: Any, system: Any, place: str, zone: str
) -> None:
    assert (await system.time(world(skill="system"), place)).data["zone"] == zone


async def test_the_time_here_and_the_weekday_of_a_day_are_told(world: Any, system: Any) -> None:
    assert (await system.time(world(skill="system"))).text == "It is 10:00 on Monday 23 November 2026."
    assert "星期五" in (await system.time(world("zh", skill="system"), when=at("2026-12-04T09:00"))).text


async def test_a_country_with_several_zones_is_asked_back_and_an_unknown_place_is_said(world: Any, system: Any) -> None:
    with pytest.raises(AskAgain) as question:
        await system.time(world("zh", skill="system"), "美国")
    assert "纽约" in question.value.choices
    with pytest.raises(NotFound):
        await system.time(world(skill="system"), "Atlantis")


async def test_status_tells_the_model_the_reminders_and_the_outbox(world: Any, system: Any, reminders: Any) -> None:
    await reminders.add(world(), "call", at("2026-11-24T09:00"))
    status = await system.status(world("zh", skill="system"))
    assert status.data == {"model_ready": False, "reminders": 1, "outbox": 0, "unknown": 0}


def _examples() -> list[tuple[str, dict[str, Any]]]:
    return [
        (row["text"], dict(row))
        for skill in ("reminders", "system")
        for row in read_rows(bundled("skills") / skill / "examples.jsonl")
    ]


@pytest.mark.parametrize(("text", "row"), _examples())
def test_every_example_sentence_becomes_its_call(text: str, row: dict[str, Any]) -> None:
    masked = mask(text, NOW)
    match = SENTENCES.match(masked, row["lang"])
    assert match is not None
    args: dict[str, Any] = {**match.fixed, **match.slots}
    for index in match.times.values():
        value = masked.spans[index].value
        if isinstance(value, Duration):
            args["duration"] = format_duration(value.length)
        elif isinstance(value, Moment):
            args["when"] = value.at.replace(tzinfo=None).isoformat(timespec="minutes")
            args |= {"recurrence": value.recurrence} if value.recurrence else {}
    assert (match.tool, args) == (row["tool"], dict(row["args"]))


@pytest.mark.parametrize(
    "text", ["明天天气怎么样", "下周五有什么安排", "把明天的牙医预约取消掉", "tomorrow is a holiday"]
)
def test_other_sentences_with_a_time_are_no_reminders(text: str) -> None:
    for language in ("en", "zh"):
        assert SENTENCES.match(mask(text, NOW), language) is None


SENTENCES = Sentences([bundled("skills") / skill / "sentences.yaml" for skill in ("reminders", "system")])
