"""Lengths of time: ISO 8601 both ways, words in any language with a grammar. A month counts 30 days, a year 365."""

from __future__ import annotations

import re
from datetime import timedelta

from assistant.values.atoms import Length
from assistant.values.grammars import prepared

_ISO = re.compile(
    r"P(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,6}(?:[.,]\d{1,3})?)H)?(?:(?P<minutes>\d{1,8}(?:[.,]\d{1,3})?)M)?"
    r"(?:(?P<seconds>\d{1,10}(?:[.,]\d{1,6})?)S)?)?",
    re.ASCII,
)


def parse_iso(text: str) -> timedelta | None:
    """`"PT1H30M"` → 90 minutes; None where it is no ISO 8601 duration."""
    match = _ISO.fullmatch(text.strip().upper())
    if match is None or text.strip().upper().endswith(("P", "T")):
        return None
    number = {name: float((value or "0").replace(",", ".")) for name, value in match.groupdict().items()}
    return timedelta(
        days=number["years"] * 365 + number["months"] * 30 + number["weeks"] * 7 + number["days"],
        hours=number["hours"],
        minutes=number["minutes"],
        seconds=number["seconds"],
    )


def write_iso(length: timedelta) -> str:
    """90 minutes → `"PT1H30M"`. Raises ValueError for a negative length."""
    if length < timedelta():
        raise ValueError("a length of time is not negative")
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{length.microseconds:06d}".rstrip("0") if length.microseconds else ""
    clock = "".join(
        (
            f"{hours}H" if hours else "",
            f"{minutes}M" if minutes else "",
            f"{seconds}{fraction}S" if seconds or fraction else "",
        )
    )
    day = f"{length.days}D" if length.days else ""
    return "P" + day + (f"T{clock}" if clock else "") if day or clock else "PT0S"


def parse_duration(text: str) -> timedelta | None:
    """A whole phrase: ISO 8601, "an hour and a half", 一个半小时; None where it is none."""
    given = parse_iso(text)
    if given is not None:
        return given
    folded, grammar = prepared(text.strip())
    measured = grammar.length(folded)
    return None if measured is None else length_of(measured)


def length_of(length: Length) -> timedelta:
    """Calendar units as days and seconds."""
    years, months = divmod(length.months, 12)
    return timedelta(days=365 * years + 30 * months + length.days, seconds=length.seconds)
