"""Habits: what is foretold from choices that were made, what counts as one, and what the record of deeds gives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.clock import FrozenClock
from assistant.conversation.usual import without_usual
from assistant.knowledge import Deed
from assistant.locale import Catalogue
from assistant.memory.bounds import Bounds
from assistant.memory.choices import LEAST, Use, clear, ranked, usual
from assistant.memory.habits import KeptHabits, choice_of, forget_uses
from assistant.memory.kinds import kinds
from assistant.memory.nightly import mark
from assistant.models import Notice
from assistant.skillkit.context import Calm
from assistant.store import open_database
from assistant.suggesting import Suggesting

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def uses(*values: str, every: timedelta = timedelta(days=1)) -> list[Use]:
    return [Use(value, MONDAY + number * every) for number, value in enumerate(values)]


def test_two_times_are_no_habit_and_three_are() -> None:
    assert clear(uses("a", "a")) is None
    found = clear(uses("a", "a", "a"))
    assert found is not None
    assert (found.value, found.times, found.of) == ("a", 3, 3)


def test_what_is_half_of_the_choices_is_no_habit() -> None:
    assert clear(uses(*"abababab")) is None


def test_a_changed_habit_is_followed_within_a_week_of_daily_use() -> None:
    past = uses(*("a",) * 30, *("b",) * 7)
    found = usual(past, MONDAY + timedelta(days=37))
    assert found is not None
    assert found.value == "b"


def test_one_exception_changes_no_habit() -> None:
    assert ranked(uses(*("a",) * 10, "b"), MONDAY + timedelta(days=11))[0][0] == "a"
    found = clear(uses(*("a",) * 14, "b", "a"))
    assert found is not None
    assert (found.times, found.of) == (15, 16)


def test_workdays_and_weekends_may_differ() -> None:
    past = [Use("home" if day % 7 >= 5 else "work", MONDAY + timedelta(days=day)) for day in range(35)]
    found = [usual(past, MONDAY + timedelta(days=day)) for day in range(35, 42)]
    assert [one.value if one else "" for one in found] == ["work"] * 5 + ["home"] * 2


def test_what_is_chosen_for_one_thing_differs_from_what_is_chosen_for_all() -> None:
    past = [
        Use("9" if number % 2 else "21", MONDAY + timedelta(days=number), "pills" if number % 2 else "bins")
        for number in range(12)
    ]
    at = MONDAY + timedelta(days=13)
    for about, value in (("pills", "9"), ("bins", "21")):
        found = usual(past, at, about)
        assert found is not None
        assert (found.value, found.about) == (value, about)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 60)), max_size=40), st.integers(0, 200))
def test_what_is_told_is_often_enough_and_the_belief_is_whole(steps: list[tuple[str, int]], later: int) -> None:
    at, past = MONDAY, []
    for value, hours in steps:
        at += timedelta(hours=hours)
        past.append(Use(value, at))
    at += timedelta(hours=later)
    order = ranked(past, at)
    assert not order or abs(sum(share for _, share in order) - 1) < 1e-6
    found = usual(past, at)
    if found is not None:
        assert LEAST <= found.times <= found.of
        assert found.value == order[0][0]
    one = clear(past)
    if one is not None and len(past) <= 16:
        assert one.times >= LEAST


@pytest.mark.parametrize(
    ("slot", "value", "choice"),
    [
        ("when", "2026-03-02T07:30", "T07:30"),
        ("when", "2026-03-02T07:30:00+01:00", "T07:30"),
        ("when", "2026-03-02", ""),
        ("text", "milk", ""),
        ("event_id", "13", ""),
        ("list", "shopping", "shopping"),
        ("to", ["b", "a"], '["a", "b"]'),
        ("amount", "850.00", "850.00"),
        ("location", "x" * 200, ""),
        ("list", "", ""),
    ],
)
def test_texts_ids_and_days_are_no_choices(slot: str, value: Any, choice: str) -> None:
    assert choice_of(slot, value) == choice


@pytest.mark.parametrize(
    ("said", "rest", "kinds", "bare"),
    [
        ("remind me to eat as usual", "remind me to eat", set(), False),
        ("remind me to eat at the usual time", "remind me to eat", {"time"}, False),
        ("remind me at the usual time to eat", "remind me to eat", {"time"}, False),
        ("add milk to the usual list", "add milk to the list", {"list"}, False),
        ("the usual", "the usual", set(), True),
        ("老样子", "老样子", set(), True),
        ("照旧提醒我吃药", "提醒我吃药", set(), False),
        ("老时间提醒我吃药", "提醒我吃药", {"time"}, False),
        ("跟平时一样提醒我吃药", "提醒我吃药", set(), False),
    ],
)
def test_words_for_the_usual_are_taken_out(said: str, rest: str, kinds: set[str], bare: bool) -> None:
    left, wanted = without_usual(said)
    assert wanted is not None
    assert (left, wanted.kinds, wanted.bare) == (rest, kinds, bare)


@pytest.mark.parametrize(
    "said",
    [
        "换成逛博物馆，时间照旧",
        "the usual suspects came",
        "is it unusual?",
        "what do I usually buy",
        "他老是迟到",
        "我平时骑车",
    ],
)
def test_other_words_ask_for_nothing_usual(said: str) -> None:
    assert without_usual(said) == (said, None)


class Told:
    """A record of deeds that is written by the test."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        found = self.deeds[number : number + limit]
        return found, number + len(found)

    def do(self, at: datetime, tool: str = "reminders.add", *, done: bool = True, **args: Any) -> str:
        operation = f"o{len(self.deeds)}"
        self.deeds.append(Deed(what="meant", operation=operation, at=at, tool=tool, args=args))
        if done:
            self.deeds.append(Deed(what="done", operation=operation, at=at))
        return operation

    def undo(self, operation: str) -> None:
        self.deeds.append(Deed(what="undone", operation=operation, at=MONDAY))


def habits_of(told: Told, now: datetime, *, never: Sequence[str] = ()) -> KeptHabits:
    db = open_database(":memory:")
    return KeptHabits(db, FrozenClock(now), told, Bounds(db, kinds(), never))


def test_only_what_was_done_and_not_taken_back_counts() -> None:
    told = Told()
    for day in range(3):
        told.do(MONDAY + timedelta(days=day), when=f"2026-03-0{day + 2}T21:40", text="pills")
        told.do(MONDAY + timedelta(days=day), when="2026-03-09T06:00", text="never", done=False)
    gone = told.do(MONDAY + timedelta(days=4), when="2026-03-09T07:00", text="pills")
    told.undo(gone)
    habits = habits_of(told, MONDAY + timedelta(days=5))
    [habit] = habits.listed()
    assert (habit.slot, habit.value, habit.times, habit.of) == ("when", "T21:40", 3, 3)
    assert habits.is_usual("reminders.add", "when", "2026-04-01T21:40", {"text": "pills"}, MONDAY)
    assert not habits.is_usual("reminders.add", "when", "2026-04-01T21:41", {"text": "pills"}, MONDAY)


def test_words_that_are_forgotten_leave_the_habits_too() -> None:
    told = Told()
    for day in range(4):
        told.do(MONDAY + timedelta(days=day), "notes.add", list="zanzibar", text="x")
    habits = habits_of(told, MONDAY + timedelta(days=5))
    assert len(habits.listed()) == 1
    forget_uses(habits._db, ["Zanzibar"])
    assert habits.listed() == []
    assert habits_of(told, MONDAY, never=["zanzibar"]).listed() == []


class Wall:
    """Notices that were told."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    async def __call__(self, notice: Notice) -> None:
        self.told.append(notice)


async def test_what_is_usual_on_a_day_is_brought_to_mind_once_and_not_where_it_was_done() -> None:
    told = Told()
    for week in range(4):
        told.do(MONDAY + timedelta(days=7 * week, hours=10), when="2026-03-09T07:00", text="take out the bins")
    now = MONDAY + timedelta(days=28, hours=10, minutes=20)

    def suggesting(at: datetime, *, wanted: bool = True) -> tuple[Suggesting, Wall]:
        habits, wall = habits_of(told, at), Wall()
        return Suggesting(habits._db, habits, FrozenClock(at), Calm(), wall, Catalogue(), "en", wanted), wall  # type: ignore[arg-type]

    due, wall = suggesting(now)
    await due.look()
    await due.look()
    assert [one.title for one in wall.told] == ["As usual? reminders.add: “take out the bins”"]
    assert mark(due.db, "suggested") == "2026-03-30"
    for off in (
        suggesting(now, wanted=False),
        suggesting(now + timedelta(hours=5)),
        suggesting(now + timedelta(days=1)),
    ):
        assert await off[0].look() is None
    told.do(now - timedelta(hours=2), when="2026-03-31T07:00", text="take out the bins")
    assert await suggesting(now)[0].look() is None
