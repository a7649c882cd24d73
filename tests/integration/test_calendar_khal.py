"""khal and the assistant on one vdir: each reads what the other wrote. https://khal.readthedocs.io"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from assistant.models import UserContext
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit.testing import call, commit, make_context

SKILL = bundled("skills") / "calendar"
NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
CONFIG = """\
[calendars]
[[home]]
path = {folder}/calendar
type = calendar
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
[default]
default_calendar = home
[sqlite]
path = {folder}/khal.db
"""


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    (tmp_path / "calendar").mkdir()
    (tmp_path / "config").write_text(CONFIG.format(folder=tmp_path), encoding="utf-8")
    return make_context(SKILL, folder=tmp_path, now=NOW)


def khal(ctx: Context, *words: str) -> str:
    command = [sys.executable, "-m", "khal", "-c", str(ctx.folder / "config"), *words]
    environment = {**os.environ, "HOME": str(ctx.folder), "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "rror" not in done.stderr
    return done.stdout


def seen_by_khal(ctx: Context, first: str = "2026-11-20", days: str = "30d") -> list[str]:
    shown = "{start-long}|{end-long}|{title}|{location}"
    return [line for line in khal(ctx, "list", first, days, "--format", shown).splitlines() if "|" in line]


def test_khal_reads_what_the_assistant_wrote_changed_and_deleted(ctx: Context) -> None:
    call(SKILL, "create_event", ctx, title="看牙医; é, ok", start="2026-11-24T15:00", location="Main St 5, Berlin")
    call(SKILL, "create_event", ctx, title="Away", start="2026-11-26T00:00", end="2026-11-27T23:59")
    yoga = call(SKILL, "create_event", ctx, title="Yoga", start="2026-11-24T18:30", recurrence="every Tuesday")
    assert seen_by_khal(ctx, days="10d") == [
        "2026-11-24 15:00|2026-11-24 16:00|看牙医; é, ok|Main St 5, Berlin",
        "2026-11-24 18:30|2026-11-24 19:30|Yoga|",
        "2026-11-26|2026-11-27|Away|",
        "2026-11-26|2026-11-27|Away|",
    ]
    call(
        SKILL,
        "update_event",
        ctx,
        event_id=yoga.data["event_id"],
        start="2026-11-25T19:00",
        title="Late yoga",
        scope="all",
    )
    assert [line for line in seen_by_khal(ctx) if "yoga" in line.lower()] == [
        "2026-11-25 19:00|2026-11-25 20:00|Late yoga|",
        "2026-12-02 19:00|2026-12-02 20:00|Late yoga|",
        "2026-12-09 19:00|2026-12-09 20:00|Late yoga|",
        "2026-12-16 19:00|2026-12-16 20:00|Late yoga|",
    ]
    call(SKILL, "delete_event", ctx, event_id=yoga.data["event_id"], scope="all")
    assert not [line for line in seen_by_khal(ctx) if "yoga" in line.lower()]


def test_khal_knows_the_guests(ctx: Context) -> None:
    host = UserContext(name="Mei Lin", email="mei@example.org")
    own = make_context(SKILL, folder=ctx.folder, now=NOW, user=host)
    guests = ["Anna <anna@example.org>", "Tom"]
    prepared = call(SKILL, "create_event", own, title="Lunch", start="2026-11-24T12:00", attendees=guests)
    commit(SKILL, "create_event", own, prepared)
    shown = khal(ctx, "list", "2026-11-24", "1d", "--format", "{title}: {attendees}")
    assert "anna@example.org" in shown


def test_the_assistant_reads_and_changes_what_khal_wrote(ctx: Context) -> None:
    khal(ctx, "new", "2026-11-24", "15:00", "16:30", "Dentist é", "::", "bring the card", "-l", "Main St")
    khal(ctx, "new", "2026-11-24", "18:30", "19:30", "Yoga", "-r", "weekly")
    khal(ctx, "new", "2026-12-24", "2026-12-26", "Christmas")
    found = call(SKILL, "list_events", ctx, start="2026-11-23T00:00", end="2026-12-31T00:00")
    times = [(item["title"], item["start"][:16], item["end"][:16]) for item in found.data["items"]]
    assert times[:2] == [
        ("Dentist é", "2026-11-24T15:00", "2026-11-24T16:30"),
        ("Yoga", "2026-11-24T18:30", "2026-11-24T19:30"),
    ]
    assert [start for title, start, _ in times if title == "Yoga"][-1] == "2026-12-29T18:30"
    assert ("Christmas", "2026-12-24", "2026-12-27") in times
    dentist = found.data["items"][0]["event_id"]
    call(SKILL, "update_event", ctx, event_id=dentist, start="2026-11-25T09:00", location="Side St")
    assert "2026-11-25 09:00|2026-11-25 10:30|Dentist é|Side St" in seen_by_khal(ctx)
    assert "bring the card" in khal(ctx, "list", "2026-11-25", "1d", "--format", "{description}")
