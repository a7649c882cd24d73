"""The small parts of the synchronisation: addresses, names, files, what is remembered; and when a task rings."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.dav import folder as files
from assistant.dav.items import strong
from assistant.dav.replicas import Replica, is_read_only, replicas
from assistant.dav.state import Row, State
from assistant.dav.xml import NotXml, multistatus, path_of
from tests.support.context import load_skill
from tests.support.davs import calendar

BASE = "https://dav.example.org/alice/cal/"
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("a.ics", "/alice/cal/a.ics"),
        ("/alice/cal/a%40b.ics", "/alice/cal/a@b.ics"),
        ("/alice/cal/a@b.ics", "/alice/cal/a@b.ics"),
        ("https://dav.example.org/alice/cal/%E5%B7%A5.ics", "/alice/cal/%E5%B7%A5.ics"),
        ("/alice/cal/a%2Fb.ics", "/alice/cal/a%2Fb.ics"),
        ("https://evil.example/alice/cal/a.ics", None),
    ],
)
def test_an_address_is_written_in_one_way(href: str, path: str | None) -> None:
    assert path_of(href, BASE) == path


def test_an_answer_is_read_with_its_own_statuses() -> None:
    body = (
        b'<?xml version="1.0"?><x:multistatus xmlns:x="DAV:"><x:response><x:href>/alice/cal/a.ics</x:href><x:propstat>'
        b"<x:prop><x:getetag>W/&quot;1&quot;</x:getetag></x:prop><x:status>HTTP/1.1 200 OK</x:status></x:propstat>"
        b"<x:propstat><x:prop><x:displayname/></x:prop><x:status>HTTP/1.1 404 Not Found</x:status></x:propstat>"
        b"</x:response><x:response><x:href>/alice/cal/b.ics</x:href><x:status>HTTP/1.1 404 Not Found</x:status>"
        b"</x:response><x:sync-token>t</x:sync-token></x:multistatus>"
    )
    found = multistatus(body, BASE)
    assert [(one.path, one.status) for one in found.responses] == [("/alice/cal/a.ics", 200), ("/alice/cal/b.ics", 404)]
    assert strong(found.responses[0].text("{DAV:}getetag")) == '"1"'
    assert "{DAV:}displayname" not in found.responses[0].props
    assert found.token == "t"


def test_entities_are_never_followed() -> None:
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><multistatus xmlns="DAV:">&b;</multistatus>'
    with pytest.raises(NotXml):
        multistatus(bomb, BASE)


@given(st.lists(st.text(max_size=80), max_size=6))
def test_names_of_folders_are_plain_and_differ(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        made = files.safe_name(name, taken)
        assert made.casefold() not in taken
        assert made == Path(made).name
        assert not made.startswith((".", "-"))
        taken.add(made.casefold())


def test_a_file_that_changed_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "a.ics"
    stamp = files.place(file, b"one", "")
    file.write_bytes(b"another program's")
    with pytest.raises(files.Changed):
        files.place(file, b"two", stamp)
    with pytest.raises(files.Changed):
        files.take_away(file, stamp)
    with pytest.raises(files.Changed):
        files.place(file, b"two", "")
    assert file.read_bytes() == b"another program's"
    assert [one.name for one in tmp_path.iterdir()] == ["a.ics"]


def test_collections_are_called_by_folder_or_by_their_own_name(tmp_path: Path) -> None:
    folder = tmp_path / "accounts" / "work" / "Team"
    folder.mkdir(parents=True)
    files.describe(folder, "Our Team", "#FF0000FF", writable=False)
    (tmp_path / "accounts" / ".old.removed" / "x").mkdir(parents=True)
    assert replicas(tmp_path) == [Replica("work", folder)]
    (one,) = replicas(tmp_path)
    assert one.called("work/our team")
    assert one.called("work/Team")
    assert not one.called("home/Team")
    assert is_read_only(folder / "a.ics")
    assert (folder / "color").read_text() == "#FF0000"
    files.describe(folder, "Our Team", "", writable=True)
    assert not is_read_only(folder / "a.ics")


def test_what_is_remembered_survives_and_conflicts_are_kept_once(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.add_collection("/c/", BASE, "Team")
    state.put(Row("Team", "a.ics", "/c/a.ics", '"1"', "a", b"server", b"local"))
    for _ in range(2):
        state.keep("Team", "a.ics", "a", "both_changed", b"ours", b"theirs", "2026-11-23T10:00:00+00:00")
    state.sending("Team", "/c/a.ics")
    state.close()
    again = State(tmp_path)
    row = again.of_file("Team", "a.ics")
    assert row is not None
    assert (row.server, row.local) == (b"server", b"local")
    (kept,) = again.conflicts(untold=True)
    again.told([kept.id])
    assert again.conflicts(untold=True) == []
    assert len(again.conflicts()) == 1
    again.settle(kept.id, "ours")
    assert again.conflicts() == []
    assert again.sent("Team") == {"/c/a.ics"}
    again.set_token("Team", "t", {"/c/a.ics"})
    assert again.sent("Team") == set()
    assert (tmp_path / "sync.db").stat().st_mode & 0o077 == 0
    again.close()


def alarms(*lines: str, after: datetime, count: int = 3) -> list[str]:
    """When a task rings, from a time on."""
    load_skill("reminders")
    tasks: Any = importlib.import_module("assistant_skills.reminders.tasks")
    head = ("UID:t", "DTSTAMP:20260101T000000Z", "SUMMARY:x")
    (task,) = tasks.parse(calendar("VTODO", *head, *lines), BERLIN)
    found: list[str] = []
    while len(found) < count and (after := task.next_alarm(after)) is not None:
        found.append(after.astimezone(BERLIN).isoformat())
    return found


ALARM = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT30M", "END:VALARM")
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("DUE;TZID=Europe/Berlin:20261124T090000",), ["2026-11-24T09:00:00+01:00"]),
        (("DUE;TZID=Europe/Berlin:20261124T090000", *ALARM), ["2026-11-24T08:30:00+01:00"]),
        (("DUE;VALUE=DATE:20261124",), []),
        (("DUE:20261124T090000Z", "STATUS:COMPLETED"), []),
        (
            ("DTSTART:20261124T090000", "DUE:20261124T100000", "RRULE:FREQ=WEEKLY;COUNT=2"),
            ["2026-11-24T10:00:00+01:00", "2026-12-01T10:00:00+01:00"],
        ),
        (
            ("DTSTART:20261124T090000", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20261125T090000", *ALARM),
            ["2026-11-24T08:30:00+01:00", "2026-11-26T08:30:00+01:00", "2026-11-27T08:30:00+01:00"],
        ),
        (
            ("DTSTART;TZID=Europe/Berlin:20261024T090000", "RRULE:FREQ=DAILY;UNTIL=20261026T080000Z"),
            ["2026-10-24T09:00:00+02:00", "2026-10-25T09:00:00+01:00", "2026-10-26T09:00:00+01:00"],
        ),
        (
            (
                "DUE:20261124T090000Z",
                "BEGIN:VALARM",
                "ACTION:DISPLAY",
                "TRIGGER;VALUE=DATE-TIME:20261123T120000Z",
                "END:VALARM",
            ),
            ["2026-11-23T13:00:00+01:00"],
        ),
        (
            ("DUE:20261124T090000Z", *ALARM[:-1], "ACKNOWLEDGED:20261124T090000Z", "END:VALARM"),
            [],
        ),
        (("SUMMARY:no time at all",), []),
    ],
)
def test_a_task_rings_at_its_alarms(lines: tuple[str, ...], expected: list[str]) -> None:
    assert alarms(*lines, after=START) == expected


def test_a_rule_of_every_minute_for_years_is_no_work() -> None:
    after = datetime(2026, 11, 23, 10, tzinfo=BERLIN)
    found = alarms("DTSTART:20160101T000000Z", "RRULE:FREQ=MINUTELY", after=after, count=1)
    assert datetime.fromisoformat(found[0]) - after <= timedelta(minutes=1)
