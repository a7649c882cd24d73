"""One suite for every place that calendars are kept in: a vdir, CalDAV on Radicale, CalDAV on Xandikos.

What the calendar's tools do is looked at from outside: by plain HTTP on a server, by the files of a vdir.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from assistant.resources import bundled
from assistant.skillkit import Context, Rejected, Result
from assistant.skillkit import testing as skills
from tests.support.davs import NOW, Machine, Others, calendar, event, uid_of
from tests.support.servers.dav import Radicale, Xandikos

SKILL = bundled("skills") / "calendar"
_serial = count(1)


@dataclass
class Store:
    """A place for calendars, used through the tools, and seen by others."""

    name: str
    ctx: Context
    settle: Callable[[], object]
    """Until it is in step with the server."""
    texts: Callable[[], dict[str, str]]
    put: Callable[[str, bytes], object]
    made: list[str] = field(default_factory=list)

    def call(self, tool: str, **args: Any) -> Any:
        result = skills.call(SKILL, tool, self.ctx, **args)
        self.settle()
        return result

    def undo(self, tool: str, result: Result) -> None:
        skills.undo(SKILL, tool, self.ctx, result)
        self.settle()

    def titles(self, **args: Any) -> list[str]:
        self.settle()
        args = args or {"start": "2026-11-20T00:00", "end": "2026-12-31T00:00"}
        found = skills.call(SKILL, "list_events", self.ctx, **args)
        return [one["title"] for one in found.data["items"]]


def _vdir(tmp_path: Path) -> Store:
    folder = tmp_path / "calendar"
    folder.mkdir()
    ctx = skills.make_context(SKILL, folder=tmp_path, now=NOW)

    def texts() -> dict[str, str]:
        return {uid_of(one.read_bytes()): one.read_bytes().decode() for one in folder.glob("*.ics")}

    return Store("vdir", ctx, lambda: None, texts, lambda name, data: (folder / name).write_bytes(data))


def _remote(server: Radicale | Xandikos, tmp_path: Path) -> Store:
    user = server.user()
    url = server.calendar(user, f"cal{next(_serial)}", title="工作")
    machine = Machine(tmp_path, server.account(user).model_copy(update={"caldav": url}), user.password)
    machine.sync()
    others = Others(server.client(user), url)
    ctx = machine.context("events", calendar="work/工作")
    return Store(server.name, ctx, machine.sync, others.texts, others.put)


@pytest.fixture(params=["vdir", "radicale", "xandikos"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "vdir":
        return _vdir(tmp_path)
    return _remote(request.getfixturevalue(request.param), tmp_path)


def one(store: Store) -> str:
    """The only item there is."""
    (text,) = store.texts().values()
    return text


def test_a_new_event_is_seen_by_others_in_its_zone(store: Store) -> None:
    made = store.call("create_event", title="看牙医; é, ok", start="2026-11-24T15:00", location="Main St 5, Berlin")
    text = one(store)
    assert "DTSTART;TZID=Europe/Berlin:20261124T150000" in text
    assert "DTEND;TZID=Europe/Berlin:20261124T160000" in text
    assert "BEGIN:VTIMEZONE" in text
    assert "看牙医\\; é\\, ok" in text
    assert store.titles() == ["看牙医; é, ok"]
    assert made.data["event_id"].endswith(".ics")


def test_what_others_write_is_listed(store: Store) -> None:
    store.put("a.ics", event("a@x", "Lunch with Anna"))
    store.put("b.ics", event("b@x", "周会", "RRULE:FREQ=WEEKLY;COUNT=3"))
    assert sorted(store.titles()) == ["Lunch with Anna", "周会", "周会", "周会"]


def test_a_change_leaves_everything_else_as_others_wrote_it(store: Store) -> None:
    kept = ("X-VENDOR-FLAG;X-MODE=strange:yes", "ATTACH:https://example.org/plan.pdf", "CATEGORIES:Work,Team")
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:soon", "TRIGGER:-PT15M", "END:VALARM")
    store.put("a.ics", event("a@x", "Lunch", *kept, *alarm))
    assert store.titles() == ["Lunch"]
    (entry,) = skills.call(SKILL, "list_events", store.ctx, query="lunch").data["items"]
    store.call("update_event", event_id=entry["event_id"], start="2026-11-25T12:00", title="Long lunch")
    text = one(store)
    assert "SUMMARY:Long lunch" in text
    for line in (*kept, *alarm):
        name, _, value = line.partition(":")
        assert name.partition(";")[0] in text
        assert value in text
    assert store.titles() == ["Long lunch"]


def test_an_event_in_a_zone_of_its_own_keeps_it(store: Store) -> None:
    zone = ("BEGIN:VTIMEZONE", "TZID:Asia/Shanghai", "BEGIN:STANDARD", "DTSTART:19700101T000000")
    zone += ("TZOFFSETFROM:+0800", "TZOFFSETTO:+0800", "END:STANDARD", "END:VTIMEZONE")
    whole = event("a@x", "周会").decode()
    whole = whole.replace("DTSTART:20261124T090000Z", "DTSTART;TZID=Asia/Shanghai:20261124T090000")
    whole = whole.replace("DTEND:20261124T100000Z", "DTEND;TZID=Asia/Shanghai:20261124T100000")
    whole = whole.replace("BEGIN:VEVENT", "\r\n".join((*zone, "BEGIN:VEVENT")))
    store.put("a.ics", whole.encode())
    assert store.titles() == ["周会"]
    (entry,) = skills.call(SKILL, "list_events", store.ctx, query="周会").data["items"]
    assert entry["start"] == "2026-11-24T02:00:00+01:00"
    store.call("update_event", event_id=entry["event_id"], start="2026-11-24T03:00")
    assert "DTSTART;TZID=Asia/Shanghai:20261124T100000" in one(store)


def test_a_series_is_made_moved_and_deleted(store: Store) -> None:
    made = store.call("create_event", title="Yoga", start="2026-11-24T18:30", recurrence="every Tuesday")
    assert "RRULE:FREQ=WEEKLY;BYDAY=TU" in one(store)
    assert len(store.titles()) == 6
    store.call("update_event", event_id=made.data["event_id"], start="2026-11-25T19:00", scope="all")
    assert "T190000" in one(store)
    store.call("delete_event", event_id=made.data["event_id"], scope="all")
    assert store.texts() == {}


def test_each_change_can_be_taken_back(store: Store) -> None:
    made = store.call("create_event", title="Dentist", start="2026-11-24T15:00")
    before = store.texts()
    changed = store.call("update_event", event_id=made.data["event_id"], title="Doctor")
    store.undo("update_event", changed)
    assert {uid: text.count("SUMMARY:Dentist") for uid, text in store.texts().items()} == dict.fromkeys(before, 1)
    gone = store.call("delete_event", event_id=made.data["event_id"])
    assert store.texts() == {}
    store.undo("delete_event", gone)
    assert store.texts().keys() == before.keys()
    again = store.call("create_event", title="Mistake", start="2026-11-26T15:00")
    store.undo("create_event", again)
    assert store.texts().keys() == before.keys()


def test_what_others_change_and_delete_is_followed(store: Store) -> None:
    store.put("a.ics", event("a@x", "Lunch"))
    store.put("b.ics", event("b@x", "Tea"))
    assert sorted(store.titles()) == ["Lunch", "Tea"]
    store.put("a.ics", event("a@x", "Late lunch", start="20261124T130000Z", end="20261124T140000Z"))
    assert store.titles() == ["Tea", "Late lunch"]


def test_tasks_and_odd_files_do_no_harm(store: Store) -> None:
    store.put("t.ics", calendar("VTODO", "UID:t@x", "DTSTAMP:20260101T000000Z", "SUMMARY:Buy milk"))
    store.put("a.ics", event("a@x", "Lunch"))
    assert store.titles() == ["Lunch"]


def test_khal_and_vdirsyncer_read_what_we_keep(store: Store, tmp_path: Path) -> None:
    store.call("create_event", title="看牙医", start="2026-11-24T15:00")
    store.put("b.ics", event("b@x", "Tea"))
    assert store.titles() == ["Tea", "看牙医"]
    if store.name == "vdir":
        folder = tmp_path / "calendar"
    else:
        folder = next((tmp_path / "skill-data" / "calendar" / "accounts" / "work").glob("[!.]*/"))
        assert (folder / "displayname").read_text(encoding="utf-8") == "工作"
    config = tmp_path / "khal.conf"
    zone = "local_timezone = Europe/Berlin\ndefault_timezone = Europe/Berlin\n"
    formats = "timeformat = %H:%M\ndateformat = %Y-%m-%d\nlongdateformat = %Y-%m-%d\ndatetimeformat = %Y-%m-%d %H:%M\n"
    config.write_text(
        f"[calendars]\n[[a]]\npath = {folder}\n[locale]\n{zone}{formats}longdatetimeformat = %Y-%m-%d %H:%M\n"
        f"[sqlite]\npath = {tmp_path}/khal.db\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "khal", "-c", str(config), "list", "2026-11-24", "1d", "--format", "{title}"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
    )
    assert "看牙医" in done.stdout
    assert "Tea" in done.stdout
    assert "rror" not in done.stderr


def test_a_calendar_that_is_only_read_is_not_written(tmp_path: Path, radicale: Radicale) -> None:
    store = _remote(radicale, tmp_path)
    store.put("a.ics", event("a@x", "Lunch"))
    assert store.titles() == ["Lunch"]
    folder = next((tmp_path / "skill-data" / "calendar" / "accounts" / "work").glob("[!.]*/"))
    (folder / ".readonly").touch()
    (entry,) = skills.call(SKILL, "list_events", store.ctx, query="lunch").data["items"]
    with pytest.raises(Rejected, match=r"calendar\.read_only"):
        skills.call(SKILL, "delete_event", store.ctx, event_id=entry["event_id"])
    with pytest.raises(Rejected, match=r"calendar\.read_only"):
        skills.call(SKILL, "create_event", store.ctx, title="x", start="2026-11-24T15:00")
