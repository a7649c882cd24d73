"""Repetitions: RFC 5545 rules (without the RRULE prefix) checked, and their occurrences in wall-clock time.

A time the clocks skip moves forward that once; the next occurrence is at the old hour again.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from dateutil.rrule import rrulestr

from assistant.values import wall
from assistant.values.atoms import Every

_INTERVALS = {"MINUTELY": timedelta(minutes=1), "HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1)}
_PATTERNS = {
    "FREQ": r"MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9]\d{0,3}",
    "COUNT": r"[1-9]\d{0,3}",
    "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYDAY": r"(?:[+-]?\d{0,2}(?:MO|TU|WE|TH|FR|SA|SU))(?:,[+-]?\d{0,2}(?:MO|TU|WE|TH|FR|SA|SU)){0,20}",
    "BYMONTHDAY": r"-?\d{1,2}(?:,-?\d{1,2}){0,30}",
    "BYMONTH": r"\d{1,2}(?:,\d{1,2}){0,11}",
    "BYSETPOS": r"-?\d{1,3}",
    "WKST": r"MO|SU",
}
_NEVER = {(2, 30), (2, 31), (4, 31), (6, 31), (9, 31), (11, 31)}


def write(every: Every) -> str:
    """The rule of what was said."""
    parts = [f"FREQ={every.freq}"]
    if every.interval != 1:
        parts.append(f"INTERVAL={every.interval}")
    if every.by_month is not None:
        parts.append(f"BYMONTH={every.by_month}")
    if every.by_month_day is not None:
        parts.append(f"BYMONTHDAY={every.by_month_day}")
    if every.by_day:
        parts.append(f"BYDAY={','.join(every.by_day)}")
    return ";".join(parts)


def canonical_rule(text: str) -> str | None:
    """The rule in upper case without its prefix; None where it is not one that we keep (or can never occur)."""
    text = text.strip().upper().removeprefix("RRULE:").rstrip(";")
    fields: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name in fields or name not in _PATTERNS or not re.fullmatch(_PATTERNS[name], value, re.ASCII):
            return None
        fields[name] = value
    if "FREQ" not in fields or _impossible(fields):
        return None
    try:
        rrulestr(_naive(text), dtstart=datetime(2000, 1, 1))
    except (ValueError, OverflowError):
        return None
    return text


def _impossible(fields: dict[str, str]) -> bool:
    months = [int(month) for month in fields["BYMONTH"].split(",")] if "BYMONTH" in fields else list(range(1, 13))
    days = [int(day) for day in fields["BYMONTHDAY"].split(",")] if "BYMONTHDAY" in fields else [1]
    if not all(1 <= month <= 12 for month in months) or not all(1 <= abs(day) <= 31 for day in days):
        return True
    ordinals = [int(number) for number in re.findall(r"[+-]?\d+", fields.get("BYDAY", ""))]
    if ordinals and (fields["FREQ"] not in ("MONTHLY", "YEARLY") or not all(1 <= abs(n) <= 5 for n in ordinals)):
        return True
    if "BYSETPOS" in fields:
        return fields["FREQ"] in _INTERVALS or not 1 <= abs(int(fields["BYSETPOS"])) <= 5
    return all((month, abs(day)) in _NEVER for month in months for day in days)


def _naive(rule: str) -> str:
    # dateutil refuses UNTIL in UTC beside a naive start; wall-clock time is what we repeat in.
    return re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", rule)


def next_occurrence(rule: str, first: datetime, after: datetime) -> datetime | None:
    """The first occurrence later than `after`, of a rule whose first one is `first` (both with the user's zone).

    None where the rule ends before. Raises ValueError for a rule that `canonical_rule` refuses.
    """
    zone = first.tzinfo
    start = first.replace(tzinfo=None)
    wanted = after.astimezone(zone).replace(tzinfo=None) if zone is not None else after
    rules = rrulestr(_naive(rule), dtstart=_closer(rule, start, wanted))
    candidate = rules.after(wanted - timedelta(hours=3), inc=True)
    while candidate is not None and wall.at(candidate, zone) <= after:
        candidate = rules.after(candidate)
    return None if candidate is None else wall.at(candidate, zone)


def last_occurrence(rule: str, first: datetime, until: datetime) -> datetime | None:
    """The last occurrence not later than `until`; None where there is none yet. Raises as `next_occurrence` does."""
    zone = first.tzinfo
    start = first.replace(tzinfo=None)
    wanted = until.astimezone(zone).replace(tzinfo=None) if zone is not None else until
    rules = rrulestr(_naive(rule), dtstart=_closer(rule, start, wanted))
    candidate = rules.before(wanted, inc=True)
    while candidate is not None and wall.at(candidate, zone) > until:
        candidate = rules.before(candidate)
    return None if candidate is None else wall.at(candidate, zone)


def _closer(rule: str, start: datetime, wanted: datetime) -> datetime:
    """A later start with the same occurrences: dateutil counts them one by one, slowly for minutes over years."""
    fields = dict(part.split("=", 1) for part in rule.split(";"))
    step = _INTERVALS.get(fields["FREQ"])
    if step is None or set(fields) - {"FREQ", "INTERVAL", "UNTIL", "WKST"}:
        return start
    step *= int(fields.get("INTERVAL", "1"))
    # Back by more than a day and a step: the occurrence before `wanted` must still be there.
    steps = (wanted - timedelta(days=1) - step - start) // step
    return start + max(0, steps) * step
