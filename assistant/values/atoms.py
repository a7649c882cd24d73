"""The pieces a time expression is made of, as a language's rules read them; nothing is resolved against a clock yet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

PartName = Literal["dawn", "early", "morning", "noon", "afternoon", "dusk", "evening", "night"]
Unit = Literal["day", "weekend", "week", "month", "quarter", "year"]


@dataclass(frozen=True, slots=True)
class Relative:
    """Days from today: 1 is tomorrow."""

    days: int


@dataclass(frozen=True, slots=True)
class Weekday:
    """0 is Monday. `week` counts calendar weeks from this one; None is the coming such day."""

    weekday: int
    week: int | None = None
    later: bool = False
    """The coming such day that is not today ("lundi prochain")."""


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day of a named month. `year` absolute, or `year_offset` from this one, or neither: the nearest that fits."""

    month: int
    day: int
    year: int | None = None
    year_offset: int | None = None


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """A numbered day; `month` counts months from this one, None is the coming such day."""

    day: int
    month: int | None = None


@dataclass(frozen=True, slots=True)
class Nth:
    """The nth weekday of a month (-1: the last); `weekday` None: the nth day."""

    n: int
    weekday: int | None = None
    month: int | None = None
    """Months from this one; None with no `named`: this month, or the next if it is past."""
    named: int | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Feast:
    """A day with a name: a date, so many days from Easter, the nth Thursday of a month, a lunar day, a solar term."""

    kind: Literal["date", "easter", "thursday", "lunar", "term"]
    month: int = 0
    day: int = 0
    shift: int = 0
    """Days after it."""
    year: int | None = None
    year_offset: int | None = None
    side: Literal[-1, 0] = 0
    """-1: the last one that is past."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies directly before (-1) or after (1) a day: "the week before", "the Friday after"."""

    unit: Literal["day", "week", "weekend", "weekday"]
    side: int
    weekday: int = 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A day beside another one."""

    beside: Beside
    of: DaySpec


DaySpec = Relative | Weekday | MonthDay | DayOfMonth | Nth | Feast | Neighbour


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day. `exact` says that the hour is on the 24-hour clock; 24:00 is the end of the day.

    `formal` says that it is probably so ("6 Uhr", "6h"): on a named day the hour stands as it is.
    """

    hour: int
    minute: int = 0
    meridiem: Literal["am", "pm"] | None = None
    exact: bool = False
    said: str = ""
    formal: bool = False


@dataclass(frozen=True, slots=True)
class Length:
    """A duration by calendar units."""

    months: int = 0
    days: int = 0
    seconds: int = 0

    def __neg__(self) -> Length:
        return Length(-self.months, -self.days, -self.seconds)


@dataclass(frozen=True, slots=True)
class Every:
    """A repetition in the terms of RFC 5545."""

    freq: Literal["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
    interval: int = 1
    by_day: tuple[str, ...] = ()
    by_month_day: int | None = None
    by_month: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A period of whole units, counted from the present one."""

    unit: Unit
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Rolling:
    """So much time back from today, or ahead of it (today included)."""

    length: Length
    sign: Literal[-1, 1]


@dataclass(frozen=True, slots=True)
class NamedMonth:
    """A month by its name; without a year the nearest one."""

    month: int
    year: int | None = None
    year_offset: int | None = None


@dataclass(frozen=True, slots=True)
class NamedYear:
    """A year by its number."""

    year: int


@dataclass(frozen=True, slots=True)
class Around:
    """The seven days or the weekend beside a day."""

    beside: Beside
    of: DaySpec


PeriodSpec = Stretch | Rolling | NamedMonth | NamedYear | Around


@dataclass(frozen=True, slots=True)
class Atom:
    """One piece found at `start:end` of the folded text; a frame is several of them merged."""

    start: int
    end: int
    day: DaySpec | None = None
    part: PartName | None = None
    clock: Clock | None = None
    every: Every | None = None
    offset: Length | None = None
    length: Length | None = None
    period: PeriodSpec | None = None
    beside: Beside | None = None
    """Waits for the day that it is beside."""
    at: datetime | None = None
    """An ISO date and time as written."""
    vague: bool = False
    weak: bool = False
    """Means a time only beside other pieces ("morning", "from 10")."""


Built = dict[str, Any] | None
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Built]]

_ISO_T = re.compile(r"(?<=\d)t(?=\d\d:)")
_SIMPLIFIED = str.maketrans("週點號鐘後個兩禮這時間內從淩過差還", "周点号钟后个两礼这时间内从凌过差还")


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    return folded.translate(_SIMPLIFIED) if len(folded) == 1 else character


def fold(text: str) -> str:
    """Lower case, half width, simplified where it matters to times: always exactly as long as `text`."""
    folded = "".join(map(_fold_character, text)).replace("’", "'").replace("‘", "'")
    return _ISO_T.sub(" ", folded)


def behind(words: Iterable[str]) -> str:
    """A pattern that matches nothing, directly behind one of some whole words and a space."""
    return "|".join(f"(?<=[^a-z]{word} )|(?<=^{word} )" for word in words)


def scan(text: str, rules: Iterable[Rule]) -> list[Atom]:
    """The atoms of a folded text, leftmost and longest first, none overlapping. Linear: every rule is bounded."""
    found: list[Atom] = []
    for pattern, build in rules:
        for match in pattern.finditer(text):
            built = build(match)
            if built is not None:
                found.append(Atom(start=match.start(), end=match.end(), **built))
    found.sort(key=lambda atom: (atom.start, -atom.end))
    chosen: list[Atom] = []
    for atom in found:
        if not chosen or atom.start >= chosen[-1].end:
            chosen.append(atom)
    return chosen


def merge(first: Atom, second: Atom) -> Atom | None:
    """Both as one frame, or None where they say the same thing twice."""
    pair = _merge_special(first, second) or _merge_special(second, first)
    if pair is not None:
        return replace(pair, start=first.start, end=second.end, weak=False, vague=first.vague or second.vague)
    slots = ("day", "part", "clock", "every", "offset", "length", "period", "beside", "at")
    have = {slot for slot in slots if getattr(first, slot) is not None}
    more = {slot for slot in slots if getattr(second, slot) is not None}
    if have & more or not _compatible(have | more):
        return None
    values = {slot: getattr(first, slot) if slot in have else getattr(second, slot) for slot in have | more}
    return Atom(
        start=first.start,
        end=second.end,
        vague=first.vague or second.vague,
        weak=first.weak and second.weak and not (have | more >= {"part", "clock"}),
        **values,
    )


def _compatible(slots: set[str]) -> bool:
    alone = {"length", "period", "beside", "at"}
    if slots & alone:
        return len(slots) == 1
    if "offset" in slots:
        return not slots & {"day", "every"}
    return not {"day", "every"} <= slots


_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def _merge_special(one: Atom, other: Atom) -> Atom | None:
    """A unit and a day within it ("Friday next week"), or a repetition and its day ("every month on the 5th")."""
    if one.beside is not None and other.day is not None and other.every is None and not (one.part and other.part):
        return _beside(one, one.beside, other, other.day)
    if isinstance(one.period, Stretch) and other.day is not None and other.every is None:
        day = _within(one.period, other.day)
        return replace(other, day=day) if day else None
    if one.every is not None and other.day is not None and other.period is None:
        every = _repeated(one.every, other.day)
        if every and not (one.clock and other.clock) and not (one.part and other.part):
            return replace(one, every=every, clock=one.clock or other.clock, part=one.part or other.part)
    return None


def _beside(one: Atom, beside: Beside, other: Atom, day: DaySpec) -> Atom | None:
    if beside.unit in ("day", "weekday"):
        return replace(other, day=Neighbour(beside, day), part=other.part or one.part)
    return None if other.clock or other.part else replace(other, day=None, period=Around(beside, day))


def _within(stretch: Stretch, day: DaySpec) -> DaySpec | None:
    if stretch.unit == "week" and isinstance(day, Weekday) and day.week is None:
        return Weekday(day.weekday, stretch.offset)
    if stretch.unit == "month" and isinstance(day, DayOfMonth) and day.month is None:
        return DayOfMonth(day.day, stretch.offset)
    if stretch.unit == "month" and isinstance(day, Nth) and day.month is None and day.named is None:
        return replace(day, month=stretch.offset)
    if stretch.unit == "year" and isinstance(day, Feast) and day.year is None:
        return replace(day, year_offset=stretch.offset)
    if stretch.unit == "year" and isinstance(day, MonthDay) and day.year is None and day.year_offset is None:
        return replace(day, year_offset=stretch.offset)
    return None


def _repeated(every: Every, day: DaySpec) -> Every | None:
    if every.by_day or every.by_month_day is not None:
        return None
    if every.freq == "WEEKLY" and isinstance(day, Weekday) and day.week is None:
        return replace(every, by_day=(_CODES[day.weekday],))
    if every.freq == "MONTHLY" and isinstance(day, DayOfMonth) and day.month is None:
        return replace(every, by_month_day=day.day)
    if every.freq == "MONTHLY" and isinstance(day, Nth) and day.named is None:
        return nth_every(every, day.n, day.weekday)
    if every.freq == "YEARLY" and isinstance(day, MonthDay):
        return replace(every, by_month=day.month, by_month_day=day.day)
    return None


def nth_every(every: Every, n: int, weekday: int | None) -> Every:
    """The repetition on the nth weekday (or the nth day) of its month."""
    if weekday is None:
        return replace(every, by_month_day=n)
    return replace(every, by_day=(f"{n}{_CODES[weekday]}",))


def codes(weekdays: Iterable[int]) -> tuple[str, ...]:
    """RFC 5545 codes in week order, each once."""
    return tuple(_CODES[weekday] for weekday in sorted(set(weekdays)))
