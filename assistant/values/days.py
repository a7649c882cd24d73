"""Which calendar day or period a specification means, seen from a given day. Knows no words and no hours."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from assistant.values import feasts
from assistant.values.atoms import (
    Around,
    DayOfMonth,
    DaySpec,
    Feast,
    Length,
    MonthDay,
    NamedMonth,
    NamedYear,
    Neighbour,
    Nth,
    PeriodSpec,
    Relative,
    Rolling,
    Stretch,
    Weekday,
)
from assistant.values.kinds import Impossible, Period, Preference

_LEAP_SPAN = 9
"""Years within which 29 February comes round even across 2100."""


def resolve_day(spec: DaySpec, today: date, prefer: Preference) -> date | Impossible:
    """The day. Raises OverflowError or ValueError where it leaves the calendar (years 1 to 9999)."""
    if isinstance(spec, Relative):
        return today + timedelta(days=spec.days)
    if isinstance(spec, Weekday):
        return _weekday(spec, today, prefer)
    if isinstance(spec, MonthDay):
        return _month_day(spec, today, prefer)
    if isinstance(spec, DayOfMonth):
        return _day_of_month(spec, today, prefer)
    if isinstance(spec, Feast):
        return _feast(spec, today, prefer)
    if isinstance(spec, Neighbour):
        return _neighbour(spec, today, prefer)
    return _nth(spec, today, prefer)


def _feast(spec: Feast, today: date, prefer: Preference) -> date:
    if spec.year is not None or spec.year_offset is not None:
        return feasts.on(spec, spec.year if spec.year is not None else today.year + (spec.year_offset or 0))
    if prefer == "past" or spec.side < 0:
        latest = feasts.on(spec, today.year)
        past = latest <= today if prefer == "past" and not spec.side else latest < today
        return latest if past else feasts.on(spec, today.year - 1)
    nearest = feasts.on(spec, today.year)
    return nearest if nearest >= today else feasts.on(spec, today.year + 1)


def _neighbour(spec: Neighbour, today: date, prefer: Preference) -> date | Impossible:
    day = resolve_day(spec.of, today, prefer)
    if isinstance(day, Impossible):
        return day
    side = spec.beside.side
    if spec.beside.unit == "day":
        return day + timedelta(days=side)
    away = (spec.beside.weekday - day.weekday()) % 7
    return day + timedelta(days=(away or 7) if side > 0 else away - 7)


def _around(spec: Around, today: date, prefer: Preference) -> Period:
    day = resolve_day(spec.of, today, prefer)
    if isinstance(day, Impossible):
        raise ValueError("there is no such day")
    if spec.beside.unit == "weekend":
        saturday = day + timedelta(days=(5 - day.weekday()) % 7 or 7)
        if spec.beside.side < 0:
            saturday = day - timedelta(days=(day.weekday() - 6) % 7 or 7) - timedelta(days=1)
        return Period(saturday, saturday + timedelta(days=1))
    if spec.beside.side < 0:
        return Period(day - timedelta(days=7), day - timedelta(days=1))
    return Period(day + timedelta(days=1), day + timedelta(days=7))


def _weekday(spec: Weekday, today: date, prefer: Preference) -> date:
    monday = today - timedelta(days=today.weekday())
    if spec.week is not None:
        return monday + timedelta(days=7 * spec.week + spec.weekday)
    if spec.later:
        return today + timedelta(days=(spec.weekday - today.weekday() - 1) % 7 + 1)
    if prefer == "past":
        return today - timedelta(days=(today.weekday() - spec.weekday) % 7)
    return today + timedelta(days=(spec.weekday - today.weekday()) % 7)


def _month_day(spec: MonthDay, today: date, prefer: Preference) -> date | Impossible:
    if not 1 <= spec.month <= 12:
        return Impossible("values.no_such_time", time=f"{spec.year or today.year}-{spec.month:02}-{spec.day:02}")
    if not 1 <= spec.day <= monthrange(2000, spec.month)[1]:
        return Impossible("values.no_such_day", month=spec.month, day=spec.day)
    if spec.year is not None or spec.year_offset is not None:
        year = spec.year if spec.year is not None else today.year + (spec.year_offset or 0)
        if spec.day > monthrange(year, spec.month)[1]:
            return Impossible("values.no_such_day", month=spec.month, day=spec.day)
        return date(year, spec.month, spec.day)
    step = -1 if prefer == "past" else 1
    for shift in range(_LEAP_SPAN):
        year = today.year + step * shift
        if spec.day > monthrange(year, spec.month)[1]:
            continue
        day = date(year, spec.month, spec.day)
        if (day <= today) if prefer == "past" else (day >= today):
            return day
    return Impossible("values.no_such_day", month=spec.month, day=spec.day)


def _month(today: date, offset: int) -> date:
    """The first of the month `offset` months from this one."""
    return today.replace(day=1) + relativedelta(months=offset)


def _day_of_month(spec: DayOfMonth, today: date, prefer: Preference) -> date | Impossible:
    if spec.month is not None:
        first = _month(today, spec.month)
        if not 1 <= spec.day <= monthrange(first.year, first.month)[1]:
            return Impossible("values.no_such_day", month=first.month, day=spec.day)
        return first.replace(day=spec.day)
    # Of two neighbouring months one has 31 days, except around February: three tries always find the day.
    for shift in range(4):
        first = _month(today, -shift if prefer == "past" else shift)
        if spec.day > monthrange(first.year, first.month)[1]:
            continue
        day = first.replace(day=spec.day)
        if (day <= today) if prefer == "past" else (day >= today):
            return day
    return Impossible("values.no_such_day", month=today.month, day=spec.day)


def _nth(spec: Nth, today: date, prefer: Preference) -> date | Impossible:
    if spec.named is not None:
        first = date(spec.year, spec.named, 1) if spec.year else _nearest_month(spec.named, today, prefer)
        return _nth_in(first, spec)
    if spec.month is not None:
        return _nth_in(_month(today, spec.month), spec)
    this = _nth_in(_month(today, 0), spec)
    if prefer == "future" and isinstance(this, date) and this < today:
        return _nth_in(_month(today, 1), spec)
    return this


def _nearest_month(month: int, today: date, prefer: Preference) -> date:
    this = today.replace(month=month, day=1)
    if prefer == "past":
        return this if this <= today else this.replace(year=today.year - 1)
    return this if month >= today.month else this.replace(year=today.year + 1)


def _nth_in(first: date, spec: Nth) -> date | Impossible:
    days = monthrange(first.year, first.month)[1]
    if spec.weekday is None:
        day = days if spec.n == -1 else spec.n
    elif spec.n == -1:
        last = first.replace(day=days)
        day = days - (last.weekday() - spec.weekday) % 7
    else:
        day = 1 + (spec.weekday - first.weekday()) % 7 + 7 * (spec.n - 1)
    if not 1 <= day <= days:
        return Impossible("values.no_such_day", month=first.month, day=day)
    return first.replace(day=day)


def shift(day: date, length: Length) -> date:
    """`day` moved by the months and days of `length`; the 31st becomes the month's last day where there is none."""
    return day + relativedelta(months=length.months) + timedelta(days=length.days)


def resolve_period(spec: PeriodSpec, today: date, prefer: Preference | None) -> Period:
    """The whole days. Raises OverflowError or ValueError beyond the calendar."""
    if isinstance(spec, Stretch):
        return _stretch(spec, today)
    if isinstance(spec, Rolling):
        moved = shift(today, spec.length if spec.sign > 0 else -spec.length)
        return Period(min(today, moved), max(today, moved))
    if isinstance(spec, Around):
        return _around(spec, today, prefer or "future")
    if isinstance(spec, NamedYear):
        return Period(date(spec.year, 1, 1), date(spec.year, 12, 31))
    return _whole_month(_named_month(spec, today, prefer))


def _stretch(spec: Stretch, today: date) -> Period:
    if spec.unit == "day":
        day = today + timedelta(days=spec.offset)
        return Period(day, day)
    if spec.unit in ("week", "weekend"):
        monday = today + timedelta(days=7 * spec.offset - today.weekday())
        return Period(monday + timedelta(days=5 if spec.unit == "weekend" else 0), monday + timedelta(days=6))
    if spec.unit == "month":
        return _whole_month(_month(today, spec.offset))
    if spec.unit == "quarter":
        first = _month(today.replace(month=3 * ((today.month - 1) // 3) + 1), 3 * spec.offset)
        return Period(first, _whole_month(first + relativedelta(months=2)).end)
    year = today.year + spec.offset
    return Period(date(year, 1, 1), date(year, 12, 31))


def _whole_month(first: date) -> Period:
    return Period(first, first.replace(day=monthrange(first.year, first.month)[1]))


def _named_month(spec: NamedMonth, today: date, prefer: Preference | None) -> date:
    """Its first day. "Last October" is the latest that is over; with no hint at all it is the nearest one."""
    if spec.year is not None:
        return date(spec.year, spec.month, 1)
    this = today.replace(month=spec.month, day=1)
    if spec.year_offset == -1:
        return this if spec.month < today.month else this.replace(year=today.year - 1)
    if spec.year_offset is not None:
        return this.replace(year=today.year + spec.year_offset)
    if prefer == "past":
        return this if spec.month <= today.month else this.replace(year=today.year - 1)
    ahead = (spec.month - today.month) % 12
    if prefer == "future" or ahead <= 6:
        return this if spec.month >= today.month else this.replace(year=today.year + 1)
    return this if spec.month <= today.month else this.replace(year=today.year - 1)
