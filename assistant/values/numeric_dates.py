"""Dates in numbers: 24.12., 24.12.2026, 12/24 and 24/12, whose order is the locale's. Knows no words and no clock."""

from __future__ import annotations

import re
from functools import cache

from assistant.values.atoms import Built, MonthDay, Rule, behind

MONTH_FIRST = ("en", "zh", "ja", "ko")
"""Languages that write 12/24; so does English without a country, and the United States."""
_BY = ("on", "by", "until", "till", "since", "from", "before", "after", "due", "to")
_START = rf"(?P<by>{behind(_BY)}|(?<=[在到从]))?(?<![\d/.,a-z-])"
_YEAR = r"(?P<year>\d{4}|\d{2})"


def month_first(locale: str) -> bool:
    """Whether 5/12 is the twelfth of May in a locale ("en-GB", "de", "zh-CN")."""
    language, _, country = locale.replace("_", "-").partition("-")
    return country.upper() in ("", "US", "PH", "CA") if language == "en" else language in MONTH_FIRST


@cache
def rules(locale: str) -> tuple[Rule, ...]:
    """The rules that read dates in numbers as `locale` orders them."""
    first = month_first(locale)
    slashed, dotted = _patterns()
    return (slashed, lambda match: _slashed(match, first)), (dotted, _dotted)


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    day = rf"{_START}(?P<first>\d{{1,2}})"
    slashed = rf"{day}/(?P<second>\d{{1,2}})(?:/{_YEAR})?(?![\d/%a-z]|[ -]?(?:cup|price|of|inch))"
    dotted = rf"{day}\. ?(?P<second>\d{{1,2}})(?P<dot>\.(?:{_YEAR})?)?(?![\d.])"
    return re.compile(slashed), re.compile(dotted)


def _slashed(match: re.Match[str], month_first: bool) -> Built:
    first, second = int(match["first"]), int(match["second"])
    month, day = (first, second) if month_first else (second, first)
    if month > 12 >= day:
        month, day = day, month
    # 1/2 and 24/7 are no dates unless something says so.
    return _built(match, month, day, sure=bool(match["by"] is not None or match["year"]))


def _dotted(match: re.Match[str]) -> Built:
    # A dot at the end of a sentence says nothing: "version 2.10."
    dot = bool(match["dot"]) and match.end() < len(match.string.rstrip())
    if not match["dot"] and match["by"] is None:
        return None
    return _built(
        match, int(match["second"]), int(match["first"]), sure=bool(match["by"] is not None or match["year"] or dot)
    )


def _built(match: re.Match[str], month: int, day: int, *, sure: bool) -> Built:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    year = int(match["year"]) if match["year"] else None
    year = 2000 + year if year is not None and year < 100 else year
    alone = match.group() == match.string.strip()
    return {"day": MonthDay(month, day, year), "weak": not (sure or alone)}
