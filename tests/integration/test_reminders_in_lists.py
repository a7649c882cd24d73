"""Reminders kept as tasks: made here and read by todoman and the phone, made on the phone and told here; each once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from assistant.automation.schedules import SqlSchedules
from assistant.clock import FrozenClock
from assistant.models import Notice
from assistant.ports import Scheduled
from assistant.resources import bundled
from assistant.skillkit import Context, NotFound
from assistant.skillkit import testing as skills
from assistant.store.database import open_database
from tests.support.davs import NOW, Machine, Others, calendar
from tests.support.servers.dav import Radicale, Xandikos

SKILL = bundled("skills") / "reminders"
_serial = count(1)


class World:
    """A computer whose reminders live in a list, with a clock that can be put forward."""

    def __init__(self, folder: Path, list_: str, machine: Machine | None = None) -> None:
        self.folder = folder
        self.list = list_
        self.machine = machine
        self.clock = FrozenClock(NOW)
        self.told: list[Notice] = []
        self._database = folder / "assistant.db"
        self._number = 0
        self.restart()

    def restart(self) -> None:
        self.schedules = SqlSchedules(open_database(self._database), self.clock, self._fire)

    @property
    def ctx(self) -> Context:
        async def notify(notice: Notice) -> None:
            self.told.append(notice)

        self._number += 1
        own = self.folder / "skill-data" / "reminders"
        own.mkdir(parents=True, exist_ok=True)
        made = skills.make_context(SKILL, folder=own, now=self.clock.now(), settings={"list": self.list})
        return dataclasses.replace(made, schedules=self.schedules, notify=notify, operation=f"op{self._number}")

    def call(self, tool: str, **args: Any) -> Any:
        result = skills.call(SKILL, tool, self.ctx, **args)
        self.sync()
        return result

    def sync(self) -> None:
        if self.machine is not None:
            self.machine.sync("tasks")
        from assistant_skills.reminders import lists

        asyncio.run(lists.refresh(self.ctx))

    def at(self, when: datetime) -> list[str]:
        """What is told when it is that time."""
        self.clock.at = when
        self.told.clear()
        self.sync()

        async def wake() -> None:
            await self.schedules._wake()
            await asyncio.gather(*self.schedules._running.values())

        asyncio.run(wake())
        return [one.title for one in self.told]

    async def _fire(self, skill: str, scheduled: Scheduled) -> None:
        await skills.load_skill(SKILL).fire(self.ctx, scheduled)


@pytest.fixture(params=["folder", "radicale", "xandikos"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Any]]:
    if request.param == "folder":
        (tmp_path / "tasks").mkdir()

        class Folder:
            def texts(self) -> dict[str, str]:
                return {one.stem: one.read_bytes().decode() for one in (tmp_path / "tasks").glob("*.ics")}

            def put(self, name: str, data: bytes) -> None:
                (tmp_path / "tasks" / name).write_bytes(data)

        yield World(tmp_path, str(tmp_path / "tasks")), Folder()
        return
    server: Radicale | Xandikos = request.getfixturevalue(request.param)
    user = server.user()
    url = server.calendar(user, f"tasks{next(_serial)}", ["VTODO"], title="Tasks")
    machine = Machine(tmp_path, server.account(user).model_copy(update={"caldav": url}), user.password)
    machine.sync("tasks")
    yield World(tmp_path, "work/Tasks", machine), Others(server.client(user), url)
    machine.restart()


def task(uid: str, title: str, *lines: str, due: str = "20261124T090000Z", alarm: str = "-PT10M") -> bytes:
    inside = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", f"TRIGGER;RELATED=END:{alarm}", "END:VALARM")
    head = (f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{title}", f"DUE:{due}")
    return calendar("VTODO", *head, *lines, *(inside if alarm else ()))


def test_made_here_it_is_on_the_list_with_its_alarm_and_rings_once(world: tuple[World, Any]) -> None:
    here, others = world
    here.call("add", text="买牛奶", when="2026-11-24T15:00")
    (text,) = others.texts().values()
    assert "BEGIN:VTODO" in text
    assert "SUMMARY:买牛奶" in text
    assert "DUE;TZID=Europe/Berlin:20261124T150000" in text
    assert "BEGIN:VALARM" in text
    when = datetime(2026, 11, 24, 15, tzinfo=NOW.tzinfo)
    assert here.at(when - timedelta(seconds=1)) == []
    assert here.at(when) == ["买牛奶"]
    here.restart()
    assert here.at(when + timedelta(minutes=1)) == []
    assert here.at(when + timedelta(days=3)) == []


def test_made_on_the_phone_it_rings_here_when_its_alarm_does(world: tuple[World, Any]) -> None:
    here, others = world
    others.put("a.ics", task("a@phone", "Call mum"))
    others.put("b.ics", task("b@phone", "No alarm of its own", due="20261124T120000Z", alarm=""))
    here.sync()
    listed = here.call("list").data["items"]
    assert [one["text"] for one in listed] == ["Call mum", "No alarm of its own"]
    when = datetime.fromisoformat("2026-11-24T08:50:00+00:00").astimezone(NOW.tzinfo)
    assert here.at(when - timedelta(minutes=1)) == []
    assert here.at(when) == ["Call mum"]
    here.restart()
    assert here.at(when + timedelta(minutes=30)) == []
    assert here.at(when + timedelta(hours=3, minutes=10)) == ["No alarm of its own"]


def test_done_on_the_phone_it_does_not_ring(world: tuple[World, Any]) -> None:
    here, others = world
    others.put("a.ics", task("a@phone", "Call mum"))
    here.sync()
    done = task("a@phone", "Call mum", "STATUS:COMPLETED", "COMPLETED:20261123T120000Z")
    others.put("a.ics", done)
    assert here.at(datetime.fromisoformat("2026-11-24T09:00:00+00:00").astimezone(NOW.tzinfo)) == []
    assert here.call("list").data["items"] == []


def test_moved_on_the_phone_it_rings_at_its_new_time(world: tuple[World, Any]) -> None:
    here, others = world
    others.put("a.ics", task("a@phone", "Call mum"))
    here.sync()
    others.put("a.ics", task("a@phone", "Call mum", due="20261125T090000Z"))
    assert here.at(datetime.fromisoformat("2026-11-24T08:50:00+00:00").astimezone(NOW.tzinfo)) == []
    assert here.at(datetime.fromisoformat("2026-11-25T08:50:00+00:00").astimezone(NOW.tzinfo)) == ["Call mum"]


def test_a_repeated_one_rings_each_time_and_of_the_missed_ones_the_last(world: tuple[World, Any]) -> None:
    here, _ = world
    here.call("add", text="Water the plants", when="2026-11-24T08:00", recurrence="every day")
    day = datetime(2026, 11, 24, 8, tzinfo=NOW.tzinfo)
    assert here.at(day) == ["Water the plants"]
    assert here.at(day + timedelta(hours=1)) == []
    assert here.at(day + timedelta(days=1)) == ["Water the plants"]
    here.restart()
    assert here.at(day + timedelta(days=4, hours=1)) == ["Water the plants"]
    assert here.at(day + timedelta(days=4, hours=2)) == []
    assert here.at(day + timedelta(days=5)) == ["Water the plants"]


def test_cancelled_here_it_is_gone_there_and_comes_back_whole(world: tuple[World, Any]) -> None:
    here, others = world
    others.put("a.ics", task("a@phone", "Call mum", "X-APPLE-SORT-ORDER:7"))
    here.sync()
    gone = here.call("cancel", text="call mum")
    assert others.texts() == {}
    skills.undo(SKILL, "cancel", here.ctx, gone)
    here.sync()
    (text,) = others.texts().values()
    assert "X-APPLE-SORT-ORDER:7" in text
    made = here.call("add", text="Mistake", when="2026-11-24T15:00")
    skills.undo(SKILL, "add", here.ctx, made)
    here.sync()
    assert len(others.texts()) == 1


def test_a_list_that_is_not_there_is_said(tmp_path: Path) -> None:
    here = World(tmp_path, "work/Nothing")
    with pytest.raises(NotFound, match="no_list"):
        skills.call(SKILL, "add", here.ctx, text="x", when="2026-11-24T15:00")


def test_todoman_reads_and_completes_what_we_wrote(world: tuple[World, Any], tmp_path: Path) -> None:
    here, others = world
    here.call("add", text="买牛奶", when="2026-11-24T15:00")
    others.put("a.ics", task("a@phone", "Call mum"))
    here.sync()
    folder = here.machine.collection("tasks") if here.machine else tmp_path / "tasks"
    config = tmp_path / "todoman.py"
    config.write_text(
        f'path = "{folder}"\ndate_format = "%Y-%m-%d"\ntime_format = "%H:%M"\ndefault_list = "{folder.name}"\n'
        f'cache_path = "{tmp_path}/todoman.db"\n'
    )

    def todo(*words: str) -> str:
        environment = {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "TZ": "Europe/Berlin", "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-m", "todoman", "--config", str(config), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert "rror" not in done.stderr
        return done.stdout

    shown = todo("list", "--no-reverse")
    assert "买牛奶" in shown
    assert "2026-11-24 15:00" in shown
    assert "Call mum" in shown
    (number,) = (one["id"] for one in json.loads(todo("--porcelain", "list")) if one["summary"] == "买牛奶")
    todo("done", str(number))
    assert here.at(datetime(2026, 11, 24, 15, tzinfo=NOW.tzinfo)) == ["Call mum"]
    assert sum("STATUS:COMPLETED" in text for text in others.texts().values()) == 1
