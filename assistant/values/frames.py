"""Pieces put together: which neighbouring atoms make one time expression, and what it means at a given now."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Literal

from dateutil.relativedelta import relativedelta

from assistant.values import wall
from assistant.values.atoms import Atom, Clock, Every, Length, MonthDay, Relative, Weekday, merge
from assistant.values.days import resolve_day, resolve_period, shift
from assistant.values.durations import length_of
from assistant.values.hours import DEFAULTS, LATER_TODAY, daytime, hour_in_part, upcoming, valid
from assistant.values.kinds import (
    Duration,
    Impossible,
    Interval,
    Moment,
    Period,
    Precision,
    Preference,
    TimeValue,
    as_period,
)
from assistant.values.recurrence import next_occurrence, write


def clusters(text: str, atoms: list[Atom], glue: re.Pattern[str]) -> list[Atom]:
    """Neighbouring atoms merged into frames, left to right, where only `glue` stands between them."""
    frames: list[Atom] = []
    for atom in atoms:
        if frames and glue.fullmatch(
            text[frames[-1].end : atom.start][:40] if atom.start - frames[-1].end <= 40 else "x"
        ):
            merged = merge(frames[-1], atom)
            if merged is not None:
                frames[-1] = merged
                continue
        frames.append(atom)
    return frames


def meaning(frame: Atom, now: datetime, prefer: Preference | None, said: str) -> TimeValue:
    """What a frame means at `now`. Never raises: what leaves the calendar is Impossible."""
    try:
        return _meaning(frame, now, prefer)
    except (OverflowError, ValueError):
        return Impossible("values.out_of_range", time=said)


def _meaning(frame: Atom, now: datetime, prefer: Preference | None) -> TimeValue:
    if frame.at is not None:
        return Moment(frame.at)
    if frame.length is not None:
        return Duration(length_of(frame.length))
    if frame.clock is not None and not valid(frame.clock):
        return Impossible("values.no_such_time", time=frame.clock.said)
    if frame.period is not None:
        return resolve_period(frame.period, now.date(), prefer)
    if frame.every is not None:
        return _repeated(frame, frame.every, now)
    if frame.offset is not None:
        return _offset(frame, frame.offset, now)
    return _single(frame, now, prefer or "future")


def _offset(frame: Atom, offset: Length, now: datetime) -> Moment:
    if frame.clock or frame.part:
        day = shift(now.date(), offset)
        hour, minute, _ = _time(frame, replace_weak=True)
        return Moment(wall.combine(day, hour, minute, now.tzinfo), _precision(frame), frame.vague or not frame.clock)
    moved = (
        wall.at(datetime.combine(shift(now.date(), offset), now.time()), now.tzinfo)
        if (offset.months or offset.days)
        else now
    )
    moved = wall.later(moved, offset.seconds)
    by_day = not offset.seconds
    return Moment(moved.replace(microsecond=0), "day" if by_day else "minute", vague=by_day or frame.vague)


def _precision(frame: Atom) -> Precision:
    return "minute" if frame.clock else "part" if frame.part else "day"


def _time(frame: Atom, *, replace_weak: bool = False) -> tuple[int, int, bool]:
    """Hour, minute, and whether the words fix the hour."""
    if frame.clock is None:
        return DEFAULTS[frame.part], 0, False
    hour = hour_in_part(frame.clock, frame.part)
    if hour is not None:
        return hour, frame.clock.minute, True
    return frame.clock.hour if frame.clock.formal else daytime(frame.clock.hour), frame.clock.minute, False


def _single(frame: Atom, now: datetime, prefer: Preference) -> Moment | Impossible:
    today = now.date()
    spec = frame.day or Relative(0)
    day = resolve_day(spec, today, prefer)
    if isinstance(day, Impossible):
        return day
    hour, minute, fixed = _time(frame)
    free = frame.day is None or (day == today and spec == Relative(0))
    if day == today and prefer == "future":
        day, hour, minute = _today(frame, day, hour, minute, fixed, free, now)
    at = wall.combine(day, hour, minute, now.tzinfo)
    return Moment(at, _precision(frame), vague=frame.vague or frame.clock is None, dated=frame.day is not None)


def _today(
    frame: Atom, day: date, hour: int, minute: int, fixed: bool, free: bool, now: datetime
) -> tuple[date, int, int]:
    """A time on the present day that has gone by: what was meant instead, where the words leave it open."""
    minutes = now.hour * 60 + now.minute
    if frame.clock is not None and not fixed and free:
        reading = upcoming(frame.clock.hour, minute, minutes)
        if reading is not None:
            return day, reading, minute
    if wall.combine(day, hour, minute, now.tzinfo) > now:
        return day, hour, minute
    if frame.day is None:
        early = fixed or frame.clock is None or frame.clock.hour % 12 < 6
        return day + timedelta(days=1), hour if early else frame.clock.hour % 12, minute  # type: ignore[union-attr]
    if isinstance(frame.day, Weekday) and frame.day.week is None and not (frame.part and not frame.clock):
        return day + timedelta(days=7), hour, minute
    if frame.clock is None and frame.part is None:
        later = [step for step in LATER_TODAY if step * 60 > minutes]
        return (day, later[0], 0) if later else (day, now.hour + 1, 0)
    return day, hour, minute


def _repeated(frame: Atom, every: Every, now: datetime) -> Moment | Impossible:
    if every.by_month_day is not None and every.by_month is not None:
        leap = resolve_day(MonthDay(every.by_month, every.by_month_day), now.date(), "future")
        if isinstance(leap, Impossible):
            return leap
    if every.by_month_day is not None and not -31 <= every.by_month_day <= 31:
        return Impossible("values.no_such_day", month=now.month, day=every.by_month_day)
    rule = write(every)
    if every.freq in ("MINUTELY", "HOURLY"):
        step = 60 if every.freq == "MINUTELY" else 3600
        return Moment(wall.later(now.replace(second=0, microsecond=0), every.interval * step), "minute", False, rule)
    hour, minute, _ = _time(frame)
    start = datetime.combine(now.date(), datetime.min.time()) + timedelta(hours=hour % 24, minutes=minute)
    start = start.replace(tzinfo=now.tzinfo) - timedelta(days=1)
    first = next_occurrence(_first_rule(every), start, now)
    if first is None:
        return Impossible("values.out_of_range", time=rule)
    return Moment(first, _precision(frame), frame.clock is None, rule)


def _first_rule(every: Every) -> str:
    """With an interval, or only "every week", the first time is the next that fits; counting starts there."""
    once = replace(every, interval=1)
    if not once.by_day and once.by_month_day is None:
        once = replace(once, freq="DAILY")
    return write(once)


def moved(frame_value: TimeValue, length: Length, side: str) -> TimeValue:
    """`length` before or after a moment."""
    if not isinstance(frame_value, Moment) or frame_value.recurrence:
        return frame_value
    length = -length if side == "before" else length
    try:
        at = frame_value.at + relativedelta(months=length.months, days=length.days)
        at = wall.later(wall.at(at.replace(tzinfo=None), at.tzinfo), length.seconds)
    except (OverflowError, ValueError):
        return Impossible("values.out_of_range")
    return replace(frame_value, at=at)


def shared(first: Atom, second: Atom, *, day_behind: bool = False) -> tuple[Atom, Atom]:
    """The ends of a range of times: each takes from the other the day and the half of the day that it lacks.

    The first takes a day only if it stands behind both ("2 to 4 pm tomorrow", not "10 pm to tomorrow at 6").
    """
    if day_behind and first.day is None and first.every is None and first.clock and second.clock:
        first = replace(first, day=second.day, every=second.every)
    if second.clock and first.clock and second.day is None and second.every is None and first.day is not None:
        second = replace(second, day=first.day)
    if first.clock and second.clock:
        first, second = _one_half(first, second), _one_half(second, first)
    return first, second


def _one_half(frame: Atom, other: Atom) -> Atom:
    clock = frame.clock
    if clock is None or other.clock is None or hour_in_part(clock, frame.part) is not None:
        return frame
    if other.clock.meridiem:
        return replace(frame, clock=replace(clock, meridiem=_meridiem(frame.start < other.start, clock, other.clock)))
    return replace(frame, part=other.part) if other.part else frame


def _meridiem(earlier: bool, clock: Clock, other: Clock) -> Literal["am", "pm"]:
    """ "11 to 2 pm" starts in the morning, "2 to 4 pm" in the afternoon."""
    same = other.meridiem or "am"
    if earlier and clock.hour % 12 > other.hour % 12:
        return "am" if same == "pm" else "pm"
    return same


_LONGEST = timedelta(hours=18)
"""An interval whose end names no day is no longer than this: "from 5 pm to 3 pm" is none."""


def interval(first: Atom, second: Atom, now: datetime, prefer: Preference | None, said: str) -> TimeValue | None:
    """From one clock time to another, the ends `shared` before; None where the second can't follow the first."""
    start = meaning(first, now, prefer, said)
    if isinstance(start, Impossible) or second.clock is None or first.clock is None:
        return start if isinstance(start, Impossible) else None
    if not valid(second.clock):
        return Impossible("values.no_such_time", time=second.clock.said)
    if not isinstance(start, Moment):
        return None
    try:
        end = _end(start.at, first, second, now)
    except (OverflowError, ValueError):
        return Impossible("values.out_of_range", time=said)
    return None if end is None else Interval(start.at, end, start.recurrence)


def _end(start: datetime, first: Atom, second: Atom, now: datetime) -> datetime | None:
    if second.day is not None and second.day != first.day:
        end = _meaning(second, now, "future")
        if isinstance(end, Moment) and end.at <= start:
            end = _meaning(second, start, "future")
        return end.at if isinstance(end, Moment) and end.at > start else None
    clock = second.clock
    assert clock is not None
    fixed = hour_in_part(clock, second.part)
    wide = first.clock is not None and first.clock.exact and (first.clock.hour > 12 or first.clock.hour == 0)
    if wide and ":" in clock.said and not clock.meridiem:
        # "From 17:00 to 10:00", "from 00:00 to 12:01": who writes one on the 24-hour clock writes both.
        fixed = clock.hour
    hours = [fixed, fixed + 24] if fixed is not None else [clock.hour % 12 + half for half in (0, 12, 24, 36)]
    ends = [wall.combine(start.date(), hour, clock.minute, start.tzinfo) for hour in hours]
    return next((end for end in ends if start < end <= start + _LONGEST), None)


def days_between(first: TimeValue, second: TimeValue) -> Period | None:
    """The period from one day (or period) to another; None where they are not days."""
    start, end = _edges(first), _edges(second)
    if start is None or end is None or end.end < start.start:
        return None
    return Period(start.start, end.end)


def _edges(value: TimeValue) -> Period | None:
    if isinstance(value, Moment) and value.precision != "day":
        return None
    return as_period(value)
