"""A series in whole conversations: one time, from a day on, or all of it, in both languages; khal reads the result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assistant.memory.users import read_user
from assistant.resources import bundled
from tests.support.talk import Talk, talking

CONFIG = """\
[calendars]
[[all]]
path = {folder}
[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
[sqlite]
path = {home}/khal.db
"""


@pytest.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with talking(tmp_path / "home", read_user(bundled("profile") / "sample.yaml")) as made:
        yield made


def khal(home: Path, first: str, days: str = "1d") -> list[str]:
    """What khal has of some days."""
    folder = home / "home" / "data" / "skill-data" / "calendar" / "calendar"
    (home / "khal.conf").write_text(CONFIG.format(folder=folder, home=home))
    shown = "{start-long}|{title}"
    command = [sys.executable, "-m", "khal", "-c", str(home / "khal.conf"), "list", first, days, "--format", shown]
    environment = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=True)
    return [line for line in done.stdout.splitlines() if "|" in line]


async def test_one_time_is_moved_and_the_others_stay(talk: Talk, tmp_path: Path) -> None:
    await talk.say("Add team standup every weekday from 9:15 to 9:30")
    moved = await talk.reply("Move Monday's standup to 10")
    assert moved == "Changed, this one time only. Mon 30 Nov, 10:00–10:15: team standup"
    assert khal(tmp_path, "2026-11-27", "5d") == [
        "2026-11-27 09:15|team standup",
        "2026-11-30 10:00|team standup",
        "2026-12-01 09:15|team standup",
    ]
    await talk.say("undo")
    assert khal(tmp_path, "2026-11-30") == ["2026-11-30 09:15|team standup"]


async def test_the_meeting_of_a_day_is_cancelled_and_the_others_stay(talk: Talk, tmp_path: Path) -> None:
    await talk.say("put the team meeting in my calendar every Tuesday at 14:00")
    gone = await talk.reply("cancel the team meeting next Tuesday")
    assert gone.startswith("Deleted, this one time only: Tue 1 Dec, 14:00–15:00")
    assert [line[:10] for line in khal(tmp_path, "2026-11-23", "20d")] == ["2026-11-24", "2026-12-08"]
    await talk.say("undo")
    assert len(khal(tmp_path, "2026-11-23", "20d")) == 3


async def test_from_a_month_on_it_is_at_another_time(talk: Talk, tmp_path: Path) -> None:
    await talk.say("Add team standup every weekday from 9:15 to 9:30")
    moved = await talk.reply("move the standup to 9 from December on")
    assert moved == "Changed from Tue 1 Dec on. Tue 1 Dec, 09:00–09:15: team standup"
    assert khal(tmp_path, "2026-11-30", "2d") == ["2026-11-30 09:15|team standup", "2026-12-01 09:00|team standup"]


async def test_where_nothing_says_which_it_is_asked_and_any_answer_is_understood(talk: Talk, tmp_path: Path) -> None:
    await talk.say("put yoga in my calendar every Thursday at 18:30")
    asked = await talk.reply("move yoga to 7 pm")
    assert asked.startswith("Which of them do you mean?")
    assert await talk.reply("1") == "Changed, this one time only. Thu 26 Nov, 19:00–20:00: yoga"
    await talk.say("move yoga to 7:30 pm")
    assert "the whole series" in await talk.reply("the whole series")
    assert [line[:16] for line in khal(tmp_path, "2026-12-01", "14d")] == ["2026-12-03 19:30", "2026-12-10 19:30"]


async def test_the_same_in_chinese(talk: Talk, tmp_path: Path) -> None:
    await talk.say("每周二下午两点开例会")
    if not khal(tmp_path, "2026-11-23", "20d"):
        await talk.say("把例会加到日历，每周二下午两点")
    assert len(khal(tmp_path, "2026-11-23", "20d")) == 3
    assert "只删这一次：12月1日周二" in await talk.reply("把下周二的例会取消")
    assert len(khal(tmp_path, "2026-11-23", "20d")) == 2
    await talk.say("撤销")
    assert "从12月8日周二起已修改" in await talk.reply("从12月8号起把例会改到三点")
    assert [line[:16] for line in khal(tmp_path, "2026-11-24", "18d")] == [
        "2026-11-24 14:00",
        "2026-12-01 14:00",
        "2026-12-08 15:00",
    ]
    assert "例会" in await talk.reply("取消所有的例会")  # its two halves are events of their own: it asks which
