"""Which hour a clock time without am/pm means. Knows no words and no days.

* Morning, 下午, pm and the like decide. So do hours above 12, a leading zero (08:30) and 24:00 (the end of the day).
* Otherwise on a named day the hour lies between 7:00 and 18:59: "tomorrow at 5" is 17:00, "Friday at 9" is 9:00.
* With no day, or with "today", it is the next such time from 6:00 on: at ten in the morning "at 9" is 21:00.
* "tonight at 1" and 晚上十二点 belong to the night that begins on that day; 凌晨 and "am" to the day's own morning.
"""

from __future__ import annotations

from assistant.values.atoms import Clock, PartName

DEFAULTS: dict[PartName | None, int] = {
    None: 9,
    "dawn": 5,
    "early": 8,
    "morning": 9,
    "noon": 12,
    "afternoon": 15,
    "dusk": 18,
    "evening": 20,
    "night": 21,
}
"""The hour that stands for a day or a part of it where none was said."""
LATER_TODAY = (9, 12, 15, 18, 21)
"""The hours of which the next one stands for "today" without a time."""
EARLIEST = 6


def valid(clock: Clock) -> bool:
    """Whether there is such a time on the 12- or 24-hour clock."""
    if not 0 <= clock.minute < 60:
        return False
    return 0 <= clock.hour < 24 or (clock.hour == 24 and clock.minute == 0)


def hour_in_part(clock: Clock, part: PartName | None) -> int | None:
    """The hour that the words fix (24 and more is the next day), or None where they leave it open."""
    hour = clock.hour
    if clock.meridiem == "am":
        return hour % 12 if hour <= 12 else hour
    if clock.meridiem == "pm":
        return hour % 12 + 12 if hour <= 12 else hour
    if part in ("dawn", "early", "morning"):
        return 0 if part == "dawn" and hour == 12 else hour
    if part in ("afternoon", "dusk"):
        return hour + 12 if 1 <= hour < 12 else hour
    if part == "noon":
        return hour + 12 if 1 <= hour < 6 else hour
    if part in ("evening", "night"):
        return _at_night(hour)
    return hour if clock.exact or hour > 12 or hour == 0 else None


def _at_night(hour: int) -> int:
    if hour in (0, 12):
        return 24
    if hour < 4:
        return 24 + hour
    return hour + 12 if hour < 12 else hour


def daytime(hour: int) -> int:
    """The reading of a bare hour that lies between 7:00 and 18:59."""
    return hour if 7 <= hour <= 12 else hour + 12


def upcoming(hour: int, minute: int, now_minutes: int) -> int | None:
    """The next reading of a bare hour today, in hours; None where both have passed."""
    for reading in (hour % 12, hour % 12 + 12):
        if reading >= EARLIEST and reading * 60 + minute > now_minutes:
            return reading
    return None
