"""The types that a tool's argument may have: how a value is read, written as plain JSON, and described to a model.

Knows single values only; which argument they belong to, and whether it may be missing, is `schema`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from assistant.values import format_duration

MAX_TEXT = 100_000
"""Characters of one text."""
_MONEY = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,8})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?=.)(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,8}(?:\.\d{1,6})?)S)?)?)",
    re.ASCII,
)


@dataclass(frozen=True)
class Kind:
    """One type. `read` takes JSON or the Python type itself and raises ValueError; `write` gives canonical JSON."""

    name: str
    read: Callable[[Any, ZoneInfo], Any]
    write: Callable[[Any], Any]
    schema: dict[str, Any]


def _text(value: Any, zone: ZoneInfo) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\0" in value:
        raise ValueError(value)
    value.encode("utf-8")  # half a surrogate pair, which JSON allows, is no text
    return value


def _integer(value: Any, zone: ZoneInfo) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise ValueError(value)
    return value


def _boolean(value: Any, zone: ZoneInfo) -> bool:
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.strip().lower())
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _moment(value: Any, zone: ZoneInfo) -> datetime:
    """In `zone`; a naive one is meant there. A local time that a clock change skips moves on by the change."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    if not isinstance(value, datetime):
        raise ValueError(value)
    aware = value.replace(tzinfo=zone) if value.tzinfo is None else value
    try:
        return aware.astimezone(UTC).astimezone(zone)
    except OverflowError as error:
        raise ValueError(value) from error


def _day(value: Any, zone: ZoneInfo) -> date:
    if isinstance(value, str):
        text = value.strip()
        value = _moment(text, zone) if "T" in text or ":" in text else date.fromisoformat(text)
    if isinstance(value, datetime):
        return _moment(value, zone).date()
    if not isinstance(value, date):
        raise ValueError(value)
    return value


def _money(value: Any, zone: ZoneInfo) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(value)
    text = format(value, "f") if isinstance(value, Decimal) else str(value).strip()
    if not _MONEY.fullmatch(text):
        raise ValueError(value)
    return Decimal(text)


def write_money(value: Decimal) -> str:
    """Plain digits with at least two decimals: `25.00`, `0.125`."""
    whole, _, part = format(abs(value), "f").partition(".")
    sign = "-" if value < 0 else ""
    return f"{sign}{int(whole)}.{part.rstrip('0'):0<2}"


def _duration(value: Any, zone: ZoneInfo) -> timedelta:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip().upper())
        if match is None:
            raise ValueError(value)
        parts = {unit: Decimal(number) for unit, number in match.groupdict().items() if number}
        seconds = parts.pop("seconds", Decimal(0))
        value = timedelta(microseconds=int(seconds * 1_000_000), **{unit: int(n) for unit, n in parts.items()})
    if not isinstance(value, timedelta) or value < timedelta(0) or value.days > 99_999:
        raise ValueError(value)
    return value


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("str", _text, str, {"type": "string"}),
        Kind("int", _integer, int, {"type": "integer"}),
        Kind("bool", _boolean, bool, {"type": "boolean"}),
        Kind("date", _day, date.isoformat, {"type": "string", "format": "date"}),
        Kind("datetime", _moment, datetime.isoformat, {"type": "string", "format": "date-time"}),
        Kind("duration", _duration, format_duration, {"type": "string", "format": "duration"}),
        Kind("money", _money, write_money, {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,8})?$"}),
    )
}
"""By the name that the contract gives them."""

NAMES: dict[type, str] = {
    str: "str",
    int: "int",
    bool: "bool",
    date: "date",
    datetime: "datetime",
    timedelta: "duration",
    Decimal: "money",
}
"""A Python annotation's name in the contract."""


def choice(options: tuple[str, ...]) -> Kind:
    """One of some words, whatever its case."""
    by_folded = {option.casefold(): option for option in options}

    def read(value: Any, zone: ZoneInfo) -> str:
        if not isinstance(value, str) or value.strip().casefold() not in by_folded:
            raise ValueError(value)
        return by_folded[value.strip().casefold()]

    return Kind("choice", read, str, {"type": "string", "enum": list(options)})
