"""What a time, an amount or a number in a text means: plain frozen values. Knows no language and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

Precision = Literal["day", "part", "minute"]
Preference = Literal["future", "past"]


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, with the user's zone; for a repeated one the first occurrence after now."""

    at: datetime
    """Where only a day was named this is a sensible hour of that day (see `times`): who wants the day takes `.day`."""
    precision: Precision = "minute"
    """What was said: a day, a part of a day ("tomorrow afternoon"), or a time."""
    vague: bool = False
    """The hour is ours, or the person said "around"."""
    recurrence: str | None = None
    """RFC 5545 RRULE without its prefix."""
    dated: bool = True
    """Whether a day was said: "4 pm" alone names none."""

    @property
    def day(self) -> date:
        """The day alone."""
        return self.at.date()


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both ends included."""

    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Interval:
    """From one point in time to another, both with the user's zone: "Tuesday from 10 to 11:30"."""

    start: datetime
    end: datetime
    recurrence: str | None = None
    """RFC 5545 RRULE of the start without its prefix."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time; a month counts 30 days, a year 365."""

    length: timedelta


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of money, negative if said so."""

    amount: Decimal
    currency: str
    """ISO 4217 code, or "" where none was said."""


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number."""

    value: Decimal
    pair: bool = False
    """Said as two numbers in a row ("twenty-five fifty"): an amount of money rather than a count."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """It reads like a time, but there is no such time. `why` is a catalogue key, `data` gives its placeholders."""

    why: Literal["values.no_such_day", "values.no_such_time", "values.out_of_range", "values.ends_before"]
    month: int | None = None
    day: int | None = None
    time: str = ""

    @property
    def data(self) -> dict[str, Any]:
        """Placeholders of the sentence: the month as a date for babel, the day, the time as it was said."""
        if self.month is None:
            return {"time": self.time}
        return {"month": date(2000, self.month, 1), "day": self.day}


TimeValue = Moment | Period | Interval | Duration | Impossible
Value = TimeValue | Money | Number


@dataclass(frozen=True, slots=True)
class Span:
    """A value in a text: `text` is `original[start:end]`."""

    start: int
    end: int
    text: str
    value: Value


def as_period(value: TimeValue) -> Period | None:
    """The days that a period or a single (not repeated) moment covers; None for anything else."""
    if isinstance(value, Period):
        return value
    if isinstance(value, Moment) and value.recurrence is None:
        return Period(value.day, value.day)
    return None
