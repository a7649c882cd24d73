"""Schedules: every due time fires once, over restarts, sleep, failures and changes of the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.automation import schedules as module
from assistant.automation.schedules import SqlSchedules
from assistant.clock import FrozenClock
from assistant.errors import AutomationError
from assistant.ports import Scheduled
from assistant.store.database import open_database
from assistant.values import canonical_rule, last_occurrence, next_occurrence, parse_rule

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, tzinfo=BERLIN)


class Woken:
    """Records what fired; fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.calls: list[tuple[str, datetime]] = []
        self.failures = failures
        self.tried = 0

    async def __call__(self, skill: str, scheduled: Scheduled) -> None:
        self.tried += 1
        if self.tried <= self.failures:
            raise OSError("the bus is gone")
        self.calls.append((scheduled.key, scheduled.due))


async def started(file: Path | str, clock: FrozenClock, woken: Woken) -> SqlSchedules:
    schedules = SqlSchedules(open_database(file), clock, woken, tick_s=0.02)
    await schedules.start()
    return schedules


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for knows no event
            await asyncio.sleep(0.01)


async def quiet() -> None:
    """Several ticks, in which nothing further may happen."""
    await asyncio.sleep(0.15)


async def test_a_due_time_fires_once_and_is_gone(tmp_path: Path) -> None:
    clock, woken = FrozenClock(NOW), Woken()
    schedules = await started(tmp_path / "db", clock, woken)
    due = NOW + timedelta(hours=1)
    await schedules.add("one", skill="reminders", due=due, payload={"text": "x"})
    await quiet()
    assert woken.calls == []
    clock.at = due
    await until(lambda: woken.calls)
    await quiet()
    assert woken.calls == [("one", due)]
    assert await schedules.list(skill="reminders") == []
    await schedules.aclose()


async def test_what_came_due_while_nothing_ran_fires_once_at_the_start(tmp_path: Path) -> None:
    first = SqlSchedules(open_database(tmp_path / "db"), FrozenClock(NOW), Woken())
    await first.add("one", skill="reminders", due=NOW + timedelta(hours=1), payload={})
    for expected in ([("one", NOW + timedelta(hours=1))], []):
        woken = Woken()
        later = await started(tmp_path / "db", FrozenClock(NOW + timedelta(days=3)), woken)
        await quiet()
        await later.aclose()
        assert woken.calls == expected


async def test_of_missed_repetitions_the_latest_fires_once_and_the_next_keeps_its_hour(tmp_path: Path) -> None:
    first = SqlSchedules(open_database(tmp_path / "db"), FrozenClock(NOW), Woken())
    evening = datetime(2026, 11, 23, 21, tzinfo=BERLIN)
    await first.add("pills", skill="reminders", due=evening, payload={}, recurrence="FREQ=DAILY")
    woken = Woken()
    second = await started(tmp_path / "db", FrozenClock(NOW + timedelta(days=4)), woken)
    await until(lambda: woken.calls)
    await quiet()
    assert woken.calls == [("pills", evening + timedelta(days=3))]
    (open_one,) = await second.list(skill="reminders")
    assert open_one.due == evening + timedelta(days=4)
    await second.aclose()


async def test_a_delivery_cut_off_before_it_was_written_is_made_again(tmp_path: Path) -> None:
    clock = FrozenClock(NOW)

    class Hanging(Woken):
        async def __call__(self, skill: str, scheduled: Scheduled) -> None:
            self.calls.append((scheduled.key, scheduled.due))
            await asyncio.Event().wait()

    hanging = Hanging()
    first = await started(tmp_path / "db", clock, hanging)
    await first.add("one", skill="reminders", due=NOW, payload={})
    await until(lambda: hanging.calls)
    for task in list(first._running.values()):
        task.cancel()
    await first.aclose()
    woken = Woken()
    second = await started(tmp_path / "db", clock, woken)
    await until(lambda: woken.calls)
    await quiet()
    assert woken.calls == [("one", NOW)]
    await second.aclose()


async def test_one_that_hangs_does_not_hold_up_the_others(tmp_path: Path) -> None:
    woken = Woken()
    stuck = asyncio.Event()

    async def fire(skill: str, scheduled: Scheduled) -> None:
        if scheduled.key == "slow":
            await stuck.wait()
        await woken(skill, scheduled)

    schedules = SqlSchedules(open_database(tmp_path / "db"), FrozenClock(NOW), fire, tick_s=0.02)
    await schedules.start()
    for key in ("slow", "quick"):
        await schedules.add(key, skill="reminders", due=NOW - timedelta(minutes=1), payload={})
    await until(lambda: woken.calls)
    assert [key for key, _ in woken.calls] == ["quick"]
    stuck.set()
    await schedules.aclose()
    assert [key for key, _ in woken.calls] == ["quick", "slow"]


async def test_a_failed_delivery_is_tried_again_until_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", (0.01,))
    woken = Woken(failures=3)
    schedules = await started(tmp_path / "db", FrozenClock(NOW), woken)
    await schedules.add("one", skill="reminders", due=NOW, payload={})
    await until(lambda: woken.calls)
    await quiet()
    assert (len(woken.calls), woken.tried) == (1, 4)
    await schedules.aclose()


async def test_a_clock_that_jumps_back_fires_nothing_twice_and_one_that_jumps_ahead_is_noticed(tmp_path: Path) -> None:
    clock, woken = FrozenClock(NOW), Woken()
    schedules = await started(tmp_path / "db", clock, woken)
    await schedules.add("daily", skill="r", due=NOW, payload={}, recurrence="FREQ=DAILY")
    await until(lambda: woken.calls)
    clock.at = NOW - timedelta(hours=3)
    await quiet()
    assert len(woken.calls) == 1
    clock.at = NOW + timedelta(days=1)
    await until(lambda: len(woken.calls) == 2)
    await schedules.aclose()
    assert [due for _, due in woken.calls] == [NOW, NOW + timedelta(days=1)]


async def test_a_schedule_replaced_or_removed_is_what_counts(tmp_path: Path) -> None:
    clock, woken = FrozenClock(NOW), Woken()
    schedules = await started(tmp_path / "db", clock, woken)
    for hours in (1, 2):
        await schedules.add("one", skill="r", due=NOW + timedelta(hours=hours), payload={"n": hours})
    await schedules.add("two", skill="r", due=NOW + timedelta(hours=1), payload={})
    assert await schedules.remove("two", skill="r")
    assert not await schedules.remove("two", skill="r")
    assert not await schedules.remove("one", skill="another")
    (only,) = await schedules.list(skill="r")
    assert (only.due, only.payload) == (NOW + timedelta(hours=2), {"n": 2})
    clock.at = NOW + timedelta(hours=3)
    await until(lambda: woken.calls)
    await schedules.aclose()
    assert woken.calls == [("one", NOW + timedelta(hours=2))]


async def test_one_replaced_while_it_is_delivered_stays_open(tmp_path: Path) -> None:
    later = NOW + timedelta(hours=5)

    async def fire(skill: str, scheduled: Scheduled) -> None:
        await schedules.add(scheduled.key, skill=skill, due=later, payload={})

    schedules = SqlSchedules(open_database(tmp_path / "db"), FrozenClock(NOW), fire, tick_s=0.02)
    await schedules.start()
    await schedules.add("snoozed", skill="r", due=NOW, payload={})
    await quiet()
    await schedules.aclose()
    assert [one.due for one in await schedules.list(skill="r")] == [later]


async def test_a_rule_that_is_none_is_refused() -> None:
    schedules = SqlSchedules(open_database(":memory:"), FrozenClock(NOW), Woken())
    with pytest.raises(AutomationError):
        await schedules.add("x", skill="r", due=NOW, payload={}, recurrence="FREQ=NEVER")


def test_a_repetition_keeps_its_wall_clock_time_when_the_clocks_change() -> None:
    first = datetime(2026, 10, 24, 9, tzinfo=BERLIN)
    second = next_occurrence("FREQ=DAILY", first, first)
    assert second == datetime(2026, 10, 25, 9, tzinfo=BERLIN)
    assert second is not None
    assert second.timestamp() - first.timestamp() == 25 * 3600


def test_a_skipped_hour_moves_forward_that_once() -> None:
    first = datetime(2027, 3, 27, 2, 30, tzinfo=BERLIN)
    second = next_occurrence("FREQ=DAILY", first, first)
    assert second is not None
    assert second.isoformat() == "2027-03-28T03:30:00+02:00"
    third = next_occurrence("FREQ=DAILY", first, second)
    assert third is not None
    assert third.isoformat() == "2027-03-29T02:30:00+02:00"


def test_a_rule_ends_with_its_count_or_its_last_day() -> None:
    after = NOW + timedelta(days=2, hours=1)
    assert next_occurrence("FREQ=DAILY;COUNT=3", NOW, after) is None
    assert next_occurrence("FREQ=DAILY;UNTIL=20261125T090000Z", NOW, after) is None
    assert last_occurrence("FREQ=DAILY;COUNT=3", NOW, after) == NOW + timedelta(days=2)


RULES = [
    "FREQ=MINUTELY;INTERVAL=7",
    "FREQ=HOURLY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;BYDAY=MO,TH",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
]


@given(st.sampled_from(RULES), st.datetimes(datetime(2026, 11, 23), datetime(2031, 1, 1)))
def test_next_and_last_occurrence_enclose_any_moment(rule: str, moment: datetime) -> None:
    after = moment.replace(tzinfo=BERLIN)
    first = datetime(2026, 11, 23, 2, 30, tzinfo=BERLIN)
    following = next_occurrence(rule, first, after)
    assert following is not None
    assert following > after
    before = last_occurrence(rule, first, after)
    if before is not None:
        assert before <= after
        # Nothing lies between: the next after the one before is the following one.
        assert next_occurrence(rule, first, before) == following


@given(st.text(max_size=60) | st.lists(st.sampled_from([*RULES, ";", "=", "BYDAY", "FREQ=DAILY", "-1"])).map("".join))
def test_any_text_is_a_rule_that_occurs_or_none(text: str) -> None:
    rule = canonical_rule(text)
    assert rule is None or canonical_rule(rule) == rule
    parse_rule(text, NOW)
