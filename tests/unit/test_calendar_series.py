"""Changes of a series at one place, against another program's idea of what takes place (recurring-ical-events)."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from assistant.models import UserContext
from assistant.resources import bundled
from assistant.skillkit import AskAgain, Context, NotFound, Rejected, Result
from assistant.skillkit.testing import call, make_context, undo

SKILL = bundled("skills") / "calendar"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, tzinfo=BERLIN)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
FIRST, LAST = date(2026, 9, 1), date(2026, 12, 5)


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path)


def context(folder: Path, **more: Any) -> Context:
    more.setdefault("now", NOW)
    made = make_context(SKILL, folder=folder, **more)
    return dataclasses.replace(made, user=UserContext(name="Mei Lin", email="mei@example.org"))


def put(ctx: Context, *lines: str, name: str = "a.ics") -> Path:
    folder = ctx.folder / "calendar"
    folder.mkdir(exist_ok=True)
    body = "\r\n".join(("BEGIN:VEVENT", "UID:a", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
    file = folder / name
    file.write_bytes(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\n{body}\r\nEND:VCALENDAR\r\n".encode())
    return file


def standup(ctx: Context, *more: str) -> Path:
    """Every weekday at 9:15 in Berlin."""
    return put(
        ctx,
        "SUMMARY:Standup",
        "DTSTART;TZID=Europe/Berlin:20261102T091500",
        "DTEND;TZID=Europe/Berlin:20261102T093000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
        *more,
    )


WIDE = (date(2026, 8, 30), date(2026, 12, 8))
Shown = tuple[datetime, datetime, str]


def oracle(folder: Path, zone: ZoneInfo = BERLIN) -> list[Shown]:
    """What takes place by the files, as another program reads them."""
    first, last = exact(FIRST, zone), exact(LAST, zone)
    calendars = [icalendar.Calendar.from_ical(file.read_bytes()) for file in folder.glob("*.ics")]
    events = [one for calendar in calendars for one in recurring_ical_events.of(calendar).between(*WIDE)]
    taking_place = [one for one in events if str(one.get("STATUS", "")) != "CANCELLED"]
    found = [(exact(one.start, zone), exact(one.end, zone), str(one.get("SUMMARY", ""))) for one in taking_place]
    return sorted(one for one in found if first <= one[0] < last)


def exact(at: date, zone: ZoneInfo) -> datetime:
    if not isinstance(at, datetime):
        return datetime(at.year, at.month, at.day, tzinfo=zone).astimezone(UTC)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def ours(ctx: Context) -> list[Shown]:
    """What our own listing says of the same time."""
    import assistant_skills.calendar.library as library  # type: ignore[import-not-found]

    entries = asyncio.run(library.opened(ctx)).entries
    first = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=ctx.zone)
    last = datetime(LAST.year, LAST.month, LAST.day, tzinfo=ctx.zone)
    pairs = library.between(entries, first, last, ctx)
    return sorted(
        (one.start.astimezone(UTC), one.end.astimezone(UTC), one.event.title) for _, one in pairs if one.start >= first
    )


def on(ctx: Context, day: str) -> dict[str, Any]:
    (item,) = call(SKILL, "list_events", ctx, on=day).data["items"]
    return dict(item)


# --- which is meant --------------------------------------------------------------------------------------------


def test_a_day_names_one_occurrence_and_its_id_says_which(ctx: Context) -> None:
    standup(ctx)
    assert on(ctx, "2026-11-30")["event_id"] == "a.ics@2026-11-30T09:15:00"
    moved = call(SKILL, "update_event", ctx, event_id="a.ics@2026-11-30T09:15", start="2026-11-30T10:00")
    assert moved.text == "Changed, this one time only. Mon 30 Nov, 10:00–10:15: Standup"
    assert on(ctx, "2026-11-30")["start"] == "2026-11-30T10:00:00+01:00"
    assert on(ctx, "2026-12-07")["start"] == "2026-12-07T09:15:00+01:00"
    # The id of the moved one stays what the series has it as: it can be moved again, and deleted.
    again = on(ctx, "2026-11-30")["event_id"]
    assert again == "a.ics@2026-11-30T09:15:00"
    call(SKILL, "delete_event", ctx, event_id=again)
    assert call(SKILL, "list_events", ctx, on="2026-11-30").data["items"] == []


@pytest.mark.parametrize(("tool", "more"), [("update_event", {"start": "2026-11-24T10:00"}), ("delete_event", {})])
def test_a_series_that_is_named_alone_is_asked_about(ctx: Context, tool: str, more: dict[str, str]) -> None:
    file = standup(ctx)
    before = file.read_bytes()
    with pytest.raises(AskAgain, match="which_scope") as asked:
        call(SKILL, tool, ctx, event_id="a.ics", **more)
    assert list(asked.value.missing) == ["scope"]
    assert list(asked.value.choices) == [
        "Only Tue 24 Nov, 09:15–09:30",
        "All from Tue 24 Nov on",
        "The whole series",
    ]
    assert file.read_bytes() == before
    for choice in asked.value.choices:  # each is an answer that is understood
        done = call(SKILL, tool, ctx, event_id="a.ics", scope=choice, **more)
        undo(SKILL, tool, ctx, done)
        assert file.read_bytes() == before
        assert [one.name for one in file.parent.iterdir()] == ["a.ics"]


def test_the_chinese_choices_are_answers_too(tmp_path: Path) -> None:
    ctx = context(tmp_path, language="zh")
    file = standup(ctx)
    with pytest.raises(AskAgain) as asked:
        call(SKILL, "delete_event", ctx, event_id="a.ics")
    assert list(asked.value.choices) == ["只改11月24日周二 09:15–09:30这一次", "11月24日周二起的每一次", "整个系列"]
    told = []
    for choice in asked.value.choices:
        done = call(SKILL, "delete_event", ctx, event_id="a.ics", scope=choice)
        told.append(done.text)
        undo(SKILL, "delete_event", ctx, done)
    assert told == [
        "已删除，只删这一次：11月24日周二 09:15–09:30：Standup",
        "“Standup”从11月24日周二起已删除。",
        "已删除整个系列“Standup”。原定的下一次是11月24日周二 09:15–09:30：Standup",
    ]
    assert file.exists()


def test_what_is_the_same_for_all_is_not_asked_about(ctx: Context) -> None:
    standup(ctx)
    assert "whole series" in call(SKILL, "update_event", ctx, event_id="a.ics", title="Daily").text
    put(ctx, "SUMMARY:Last", "DTSTART:20261124T080000Z", "RRULE:FREQ=DAILY;COUNT=1", name="b.ics")
    assert call(SKILL, "delete_event", ctx, event_id="b.ics").text.startswith("Deleted, the whole series")


def test_a_time_without_a_day_stays_on_the_day_of_the_occurrence(ctx: Context) -> None:
    put(ctx, "SUMMARY:Yoga", "DTSTART;TZID=Europe/Berlin:20261105T183000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    args = {"start": "2026-11-23T19:00", "clock": "exact"}  # "move yoga to 7 pm", said on a Monday
    moved = call(SKILL, "update_event", ctx, event_id="a.ics", scope="all", **args)
    assert "Thu 26 Nov, 19:00–20:00: Yoga" in moved.text
    moved = call(
        SKILL, "update_event", ctx, event_id="a.ics", scope="only this time", **args | {"start": "2026-11-23T20:00"}
    )
    assert "Thu 26 Nov, 20:00–21:00: Yoga" in moved.text


def test_from_a_day_on_parts_the_series(ctx: Context) -> None:
    file = standup(ctx)
    moved = call(
        SKILL, "update_event", ctx, event_id="a.ics", start="2026-11-24T09:00", since="2026-12-01", clock="either"
    )
    assert moved.text == "Changed from Tue 1 Dec on. Tue 1 Dec, 09:00–09:15: Standup"
    assert on(ctx, "2026-11-30")["start"][11:16] == "09:15"
    assert on(ctx, "2026-12-01")["start"][11:16] == on(ctx, "2027-03-30")["start"][11:16] == "09:00"
    (new,) = [one for one in file.parent.iterdir() if one != file]
    assert b"RELATED-TO:a\r\n" in new.read_bytes()
    assert b"UNTIL=20261201T081459Z" in file.read_bytes()
    undo(SKILL, "update_event", ctx, moved)
    assert list(file.parent.iterdir()) == [file]
    put(ctx, "SUMMARY:Short", "DTSTART:20261124T080000Z", "RRULE:FREQ=DAILY;COUNT=3", name="b.ics")
    with pytest.raises(NotFound, match="none_after"):
        call(SKILL, "delete_event", ctx, event_id="b.ics", since="2027-01-01")


def test_a_search_names_a_series_once_and_tells_how_it_goes_on(ctx: Context) -> None:
    standup(ctx)
    found = call(SKILL, "list_events", ctx, query="standup")
    assert found.text == "One event:\n- Tue 24 Nov, 09:15–09:30: Standup (every weekday)"
    assert [one["event_id"] for one in found.data["items"]] == ["a.ics"]


@pytest.mark.parametrize(
    "id_", ["a.ics@2026-11-28T09:15", "a.ics@2026-11-30T09:16", "a.ics@nonsense", "a.ics@2026-13-01"]
)
def test_an_occurrence_that_is_none_is_not_found(ctx: Context, id_: str) -> None:
    standup(ctx)
    with pytest.raises(NotFound):
        call(SKILL, "delete_event", ctx, event_id=id_)


# --- any series, any changes -----------------------------------------------------------------------------------


@st.composite
def series(draw: st.DrawFn) -> list[str]:
    """The lines of a series: in a zone, UTC, floating, whole days; counted, ended, endless; with a further date."""
    start = draw(st.datetimes(datetime(2026, 9, 2), datetime(2026, 11, 20))).replace(second=0, microsecond=0)
    start = start.replace(hour=8 + start.hour % 11)  # of the hour that clocks show twice the two readers think apart
    kind = draw(st.sampled_from(["zone", "utc", "floating", "day"]))
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "WEEKLY", "MONTHLY"]))
    rule = f"FREQ={freq};INTERVAL={draw(st.integers(1, 3))}"
    if freq == "WEEKLY":
        days = sorted({DAYS[start.weekday()], *draw(st.sets(st.sampled_from(DAYS), max_size=2))}, key=DAYS.index)
        rule += f";BYDAY={','.join(days)}"
    if freq == "MONTHLY":
        start = start.replace(day=min(start.day, 28))
    end = draw(st.sampled_from(["", "COUNT", "UNTIL"]))
    until = start + timedelta(days=draw(st.integers(20, 120)))
    if end == "COUNT":
        rule += f";COUNT={draw(st.integers(2, 25))}"
    stamp = {"utc": "{:%Y%m%dT%H%M%SZ}", "day": "{:%Y%m%d}"}.get(kind, "{:%Y%m%dT%H%M%S}")
    form = {"zone": ";TZID=America/New_York", "day": ";VALUE=DATE"}.get(kind, "")
    if end == "UNTIL":
        rule += (
            f";UNTIL={'{:%Y%m%d}' if kind == 'day' else stamp if kind == 'floating' else '{:%Y%m%dT%H%M%SZ}'}".format(
                until
            )
        )
    lines = ["SUMMARY:Old", f"DTSTART{form}:{stamp.format(start)}", f"RRULE:{rule}"]
    if kind == "day":
        lines.append("DURATION:P1D")
    elif draw(st.booleans()):
        lines.append("DURATION:PT45M")
    else:
        lines.append(f"DTEND{form}:{stamp.format(start + timedelta(minutes=45))}")
    if draw(st.booleans()):
        lines.append(f"RDATE{form}:{stamp.format(start + timedelta(days=draw(st.integers(1, 40)), hours=0))}")
    return lines


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking takes minutes: each look at it reads all files twice
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["move", "rename", "delete"]),
        st.sampled_from(["one", "following", "all"]),
        st.integers(0, 12),
        st.integers(-3, 3),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("bound", ["COUNT=3", "UNTIL=20261012T215959Z"])
def test_a_series_that_ended_by_itself_is_not_made_longer_by_cutting_off_a_further_date(
    tmp_path: Path, bound: str
) -> None:
    lines = ("SUMMARY:Old", "DTSTART:20261010T094400", f"RRULE:FREQ=DAILY;{bound}", "DURATION:PT45M")
    ctx = context(tmp_path, now=datetime(2026, 8, 1, 9, tzinfo=BERLIN))
    put(ctx, *lines, "RDATE:20261103T094400")
    items = call(SKILL, "list_events", ctx, start="2026-09-01T00:00", end="2026-12-05T00:00").data["items"]
    assert len(items) == 4
    call(SKILL, "delete_event", ctx, event_id=items[-1]["event_id"], scope="following")
    left = call(SKILL, "list_events", ctx, start="2026-09-01T00:00", end="2026-12-05T00:00").data["items"]
    assert [one["start"] for one in left] == [one["start"] for one in items[:-1]]


@given(series(), EDITS)
@settings(max_examples=60, deadline=None, phases=PHASES)
def test_any_changes_of_any_series_do_what_they_say_and_are_taken_back_to_the_byte(
    lines: list[str], edits: list[tuple[str, str, int, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ctx = context(Path(folder), now=datetime(2026, 8, 1, 9, tzinfo=BERLIN))
        place = put(ctx, *lines).parent
        assert ours(ctx) == oracle(place)
        done: list[tuple[str, Result, dict[str, bytes]]] = []
        for number, (deed, scope, index, steps) in enumerate(edits):
            items = call(SKILL, "list_events", ctx, start="2026-09-01T00:00", end="2026-12-05T00:00").data["items"]
            items = [one for one in items if "@" in one["event_id"] and one["start"] >= "2026-09-01"]
            if not items:
                break
            kept = {file.name: file.read_bytes() for file in place.iterdir()}
            item = items[index % len(items)]
            args, by = arguments(deed, item, steps, f"New{number}")
            before = ours(ctx)
            tool = "delete_event" if deed == "delete" else "update_event"
            try:
                made = call(SKILL, tool, ctx, event_id=item["event_id"], scope=scope, **args)
            except Rejected as error:
                # Over midnight the days of a rule can't move along; at a further date no series can begin anew.
                if error.code not in ("calendar.series_day", "calendar.series_from"):
                    raise
                assert {file.name: file.read_bytes() for file in place.iterdir()} == kept
                continue
            done.append((tool, made, kept))
            after = oracle(place)
            assert ours(ctx) == after
            same = [one for one in items if one["event_id"].partition("@")[0] == item["event_id"].partition("@")[0]]
            check(deed, scope, item, same, before, after, by, f"New{number}")
        for tool, made, kept in reversed(done):
            undo(SKILL, tool, ctx, made)
            assert {file.name: file.read_bytes() for file in place.iterdir()} == kept


def arguments(deed: str, item: dict[str, Any], steps: int, title: str) -> tuple[dict[str, Any], timedelta]:
    """What the tool is given, and how far that moves the event."""
    if deed == "rename":
        return {"title": title}, timedelta(0)
    if deed == "delete":
        return {}, timedelta(0)
    start = datetime.fromisoformat(item["start"])
    if item["all_day"]:
        return {"start": (start + timedelta(days=7 * steps)).isoformat()}, timedelta(days=7 * steps)
    by = timedelta(minutes=20 * steps)
    return {"start": (start.astimezone(UTC) + by).astimezone(BERLIN).isoformat()}, by


def shown(item: dict[str, Any]) -> Shown:
    start, end = (datetime.fromisoformat(item[name]) for name in ("start", "end"))
    return (exact(start, BERLIN), exact(end, BERLIN), item["title"])


def check(
    deed: str,
    scope: str,
    item: dict[str, Any],
    same: list[dict[str, Any]],
    before: list[Shown],
    after: list[Shown],
    by: timedelta,
    title: str,
) -> None:
    """What the change made of the times; how a whole series moves is said by other tests and by both readers."""
    at = item["event_id"].partition("@")[2]
    hit = [shown(one) for one in same if scope == "all" or one["event_id"].partition("@")[2] >= at]
    if scope == "one":
        hit = [shown(item)]
    left = list(before)
    for one in hit:
        left.remove(one)
    if deed == "delete":
        assert after == left
    elif deed == "rename":
        assert [one[:2] for one in after] == [one[:2] for one in before]
        if scope != "all":  # a changed occurrence with a title of its own keeps it when all are renamed
            renamed = sum(one[2] == title for one in after)
            assert 1 <= renamed <= len(hit)
    elif scope == "one":
        start = shown(item)[0]
        moved = [one for one in after if one not in left or left.count(one) < after.count(one)]
        far = start > datetime(2026, 11, 10, tzinfo=UTC) or start + by < datetime(2026, 9, 1, tzinfo=BERLIN)
        assert len(after) == len(before) or far  # moved to where nobody looks
        if not item["all_day"]:
            assert [one[0] - start for one in moved] == [by]
        assert all(one in after for one in left)
    else:
        far = datetime(2026, 11, 10, tzinfo=UTC)
        earlier = [one for one in left if one[0] < far]
        assert all(one in after for one in earlier)
