"""English time words as atoms: days, periods and repetitions. Knows neither the present nor how pieces combine."""

from __future__ import annotations

import re
from typing import Any, cast, get_args

from assistant.values.atoms import (
    Built,
    DayOfMonth,
    Every,
    MonthDay,
    NamedMonth,
    NamedYear,
    Nth,
    PartName,
    Relative,
    Rolling,
    Rule,
    Stretch,
    Unit,
    Weekday,
    codes,
    nth_every,
)
from assistant.values.english_clock import CLOCK_RULES, LENGTH, length
from assistant.values.numbers import ENGLISH_NUMBER, ORDINAL_WORD, english, ordinal

_B, _E = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_WEEKDAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}
_FULL = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_ANY = rf"(?:{_FULL}|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun)"
_MONTHS = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_ORDINAL = rf"(?:\d{{1,2}}(?:st|nd|rd|th)|{ORDINAL_WORD})"
_WHICH = {"last": -1, "past": -1, "previous": -1, "this": 0, "current": 0, "the": 0, "next": 1, "following": 1}
_RELATION = r"(?:last|past|previous|this|current|next|following)"
_UNITS: tuple[str, ...] = get_args(Unit)
_PARTS: dict[str, PartName] = {
    "morning": "morning",
    "lunchtime": "noon",
    "afternoon": "afternoon",
    "evening": "evening",
    "night": "night",
}
_PART = rf"(?:{'|'.join(_PARTS)})"
_FREQUENCIES = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "night": "DAILY",
    "week": "WEEKLY",
    "fortnight": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}
_ADVERBS = {
    "hourly": "HOURLY",
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "fortnightly": "WEEKLY",
    "monthly": "MONTHLY",
    "yearly": "YEARLY",
    "annually": "YEARLY",
}


def _weekday(text: str) -> int:
    return _WEEKDAYS[text[:3]]


def _month(text: str) -> int:
    return _MONTHS[text[:3]]


def _relative_weekday(match: re.Match[str]) -> Built:
    relation = match["relation"]
    week = None if relation in (None, "coming", "this coming") else _WHICH[relation.removeprefix("this ")]
    return {"day": Weekday(_weekday(match["day"]), week)}


def _weekday_of(match: re.Match[str]) -> Built:
    return {"day": Weekday(_weekday(match["day"]))}


def _month_day(match: re.Match[str]) -> Built:
    day = ordinal(match["day"])
    if day is None:
        return None
    return {"day": MonthDay(_month(match["month"]), day, year=int(match["year"]) if match["year"] else None)}


def _iso_day(match: re.Match[str]) -> Built:
    return {"day": MonthDay(int(match["month"]), int(match["day"]), year=int(match["year"]))}


def _day_of_month(match: re.Match[str]) -> Built:
    day = ordinal(match["day"])
    if day is None:
        return None
    which = match.groupdict().get("which")
    if which is None and not 1 <= day <= 31:
        return None
    return {"day": DayOfMonth(day, None if which is None else _WHICH[which])}


def _last_of_month(match: re.Match[str]) -> Built:
    """The 15 of "December 12 to 15"."""
    before = match.string[max(0, match.start() - 30) : match.start()]
    day = int(match["day"])
    if not 1 <= day <= 31 or not re.search(
        rf"(?<![a-z]){_MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?{_LINK}$", before
    ):
        return None
    return {"day": DayOfMonth(day)}


def _nth(match: re.Match[str]) -> Built:
    n = -1 if match["n"] == "last" else ordinal(match["n"])
    weekday = None if match["day"] in ("day", None) else _weekday(match["day"])
    if n is None or (weekday is not None and n > 5):
        return None
    if match["every"]:
        return {"every": nth_every(Every("MONTHLY"), n, weekday)}
    year = int(match["year"]) if match["year"] else None
    if match["month"]:
        return {"day": Nth(n, weekday, named=_month(match["month"]), year=year)}
    return {"day": Nth(n, weekday, month=None if match["which"] == "the" else _WHICH[match["which"]])}


def _edge(match: re.Match[str]) -> Built:
    unit, month, which = match["unit"], match["month"], match["which"]
    end = match["edge"].startswith("end")
    if month:
        day = Nth(-1, named=_month(month)) if end else Nth(1, named=_month(month))
        return {"day": day, "vague": True}
    offset = _WHICH[which or "the"]
    if unit == "year":
        return {"day": MonthDay(12 if end else 1, 31 if end else 1, year_offset=offset), "vague": True}
    if unit == "week":
        return {"day": Weekday(4 if end else 0, offset), "vague": True}
    if unit == "day":
        return {"day": Relative(0), "part": "dusk", "vague": True} if end else None
    return {"day": Nth(-1 if end else 1, month=None if which in (None, "the") else offset), "vague": True}


def _stretch(match: re.Match[str]) -> Built:
    unit = match["unit"]
    return {"period": Stretch(cast(Unit, unit), _WHICH[match["which"]])} if unit in _UNITS else None


def _rolling(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    if measured is None:
        return None
    return {"period": Rolling(measured, -1 if _WHICH[match["which"].split()[-1]] < 0 else 1)}


def _named_month(match: re.Match[str]) -> Built:
    which = match["which"]
    return {
        "period": NamedMonth(
            _month(match["month"]),
            year=int(match["year"]) if match["year"] else None,
            year_offset=None if which not in _WHICH or which == "this" else _WHICH[which],
        ),
        "weak": not which and not match["year"] and match["month"] in ("may", "march", "mar", "dec", "jan"),
    }


def _every(match: re.Match[str]) -> Built:
    unit = match["unit"]
    count = match["count"]
    interval = 2 if count in ("other", "second") else int(english(count) or 0) if count else 1
    interval *= 2 if unit == "fortnight" else 1
    if interval < 1:
        return None
    built: dict[str, Any] = {"every": Every(_FREQUENCIES.get(unit, "DAILY"), interval)}  # type: ignore[arg-type]
    if unit in _PARTS:
        built["part"] = _PARTS[unit]
    return built


def _every_weekday(match: re.Match[str]) -> Built:
    days = [_weekday(day) for day in re.findall(rf"{_ANY}", match["days"])]
    count = match.groupdict().get("count")
    built: dict[str, Any] = {"every": Every("WEEKLY", 2 if count else 1, by_day=codes(days))}
    part = match.groupdict().get("part")
    if part:
        built["part"] = _PARTS[part]
    return built


def _every_run(match: re.Match[str]) -> Built:
    first, last = _weekday(match["first"]), _weekday(match["last"])
    days = [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return {"every": Every("WEEKLY", by_day=codes(days))}


def _every_kind(match: re.Match[str]) -> Built:
    weekend = "weekend" in match.group()
    return {"every": Every("WEEKLY", by_day=codes([5, 6] if weekend else range(5)))}


def _adverb(match: re.Match[str]) -> Built:
    word = match["word"]
    return {"every": Every(_ADVERBS[word], 2 if word == "fortnightly" else 1)}  # type: ignore[arg-type]


def _every_date(match: re.Match[str]) -> Built:
    day = ordinal(match["day"])
    if day is None:
        return None
    month = match.groupdict().get("month")
    if month:
        return {"every": Every("YEARLY", by_month=_month(month), by_month_day=day)}
    return {"every": Every("MONTHLY", by_month_day=day)}


def _part(match: re.Match[str]) -> Built:
    return {"part": _PARTS[match["part"]], "weak": not match["strong"]}


def _rule(pattern: str, build: object) -> Rule:
    return re.compile(_B + pattern + _E), build  # type: ignore[return-value]


_DAYS = {"today": 0, "tomorrow": 1, "tmrw": 1, "tmr": 1, "yesterday": -1}
_LINK = r"(?: ?[-–] ?| (?:to|and|until|till|through) )(?:the )?"
_LIST = r"(?:,? and |, ?| ?& ?| or |/)"
_OPTIONAL_YEAR = r"(?:,? (?P<year>20\d\d|19\d\d))?"

RULES: list[Rule] = [
    _rule(r"(?:the )?day after tomorrow", lambda m: {"day": Relative(2)}),
    _rule(r"(?:the )?day before yesterday", lambda m: {"day": Relative(-2)}),
    _rule(r"(?P<day>today|tomorrow|tmrw|tmr|yesterday)", lambda m: {"day": Relative(_DAYS[m["day"]])}),
    _rule(r"(?:tonight|this evening)", lambda m: {"day": Relative(0), "part": "evening"}),
    _rule(r"last night", lambda m: {"day": Relative(-1), "part": "night"}),
    _rule(r"this (?P<part>morning|afternoon)", lambda m: {"day": Relative(0), "part": _PARTS[m["part"]]}),
    _rule(rf"(?P<strong>in the |at (?=night|lunchtime))?(?P<part>{_PART})", _part),
    _rule(
        rf"(?:on )?(?:the )?(?P<relation>this coming|coming|this past|{_RELATION}) (?P<day>{_ANY})", _relative_weekday
    ),
    _rule(rf"(?P<relation>)?(?P<day>{_FULL})", _weekday_of),
    _rule(
        rf"(?:(?<=on )|(?<=by )|(?<=until )|(?<=since )|(?<=from )|(?<=to )|(?<=and ))(?P<day>{_ANY})",
        _weekday_of,
    ),
    _rule(rf"(?P<day>{_ANY})(?=\.?,? (?:at |\d|morning|afternoon|evening|night|(?:next|this|last) week))", _weekday_of),
    _rule(
        rf"(?:on )?(?:{_ANY},? )?(?:the )?(?P<day>{_ORDINAL}|\d{{1,2}})(?: of)? (?P<month>{_MONTH}){_OPTIONAL_YEAR}",
        _month_day,
    ),
    _rule(
        rf"(?:on )?(?:{_ANY},? )?(?P<month>{_MONTH})\.? (?:the )?(?P<day>{_ORDINAL}|\d{{1,2}}(?![:.]?\d| ?[ap]\.?m))"
        rf"{_OPTIONAL_YEAR}",
        _month_day,
    ),
    _rule(
        rf"(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?={_LINK}\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?P<month>{_MONTH})"
        rf"{_OPTIONAL_YEAR})",
        _month_day,
    ),
    _rule(r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)?(?! ?[ap]\.?m|[:.]\d| people)", _last_of_month),
    _rule(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})", _iso_day),
    _rule(rf"(?:on |before |after )?the (?P<day>{_ORDINAL}) of (?P<which>{_RELATION}) month", _day_of_month),
    _rule(rf"on the (?P<day>{_ORDINAL})(?: of the month)?", _day_of_month),
    _rule(
        r"(?:(?<=from )|(?<=between )|(?<=and )|(?<=to )|(?<=until )|(?<=till )|(?<=by )|(?<=since ))the "
        r"(?P<day>\d{1,2}(?:st|nd|rd|th))",
        _day_of_month,
    ),
    _rule(
        rf"(?:on )?(?:the )?(?P<n>last|{_ORDINAL}) (?P<day>{_FULL}|day) (?:of|in) "
        rf"(?:(?P<every>every|each) month|(?P<which>the|{_RELATION}) month|(?P<month>{_MONTH}){_OPTIONAL_YEAR})",
        _nth,
    ),
    _rule(
        rf"(?:every|each) month on the (?P<n>last|{_ORDINAL}) (?P<day>{_FULL}|day)(?P<every>)(?P<month>)(?P<year>)",
        lambda m: _repeated_nth(m),
    ),
    _rule(rf"(?:every|each) (?P<n>last|{_ORDINAL}) (?P<day>{_FULL}|day) of the month", lambda m: _repeated_nth(m)),
    _rule(
        rf"(?:at )?(?:the )?(?P<edge>end|beginning|start) of "
        rf"(?:(?:(?P<which>the|{_RELATION}) )?(?P<unit>day|week|month|year)|(?P<month>{_MONTH}))",
        _edge,
    ),
    _rule(rf"(?P<which>{_RELATION}) (?P<unit>week|weekend|month|quarter|year)", _stretch),
    _rule(r"(?:on |at )?the weekend", lambda m: {"period": Stretch("weekend", 0)}),
    _rule(
        rf"(?P<which>(?:the |these |in the |over the )?(?:last|past|previous|next|following)) (?P<length>{LENGTH})",
        _rolling,
    ),
    _rule(
        rf"(?:in )?(?:(?P<which>{_RELATION}) )?(?P<month>{_MONTH})(?:,? (?:of )?(?P<year>20\d\d|19\d\d))?",
        _named_month,
    ),
    _rule(rf"(?P<which>in|during) (?P<month>{_MONTH})(?P<year>(?!))?", _named_month),
    _rule(r"in (?P<year>20\d\d|19\d\d)", lambda m: {"period": NamedYear(int(m["year"]))}),
    _rule(
        rf"(?:every|each)(?: (?P<count>other|second|{ENGLISH_NUMBER}))? "
        rf"(?P<unit>minute|hour|day|week|fortnight|month|year|{_PART})s?",
        _every,
    ),
    _rule(
        rf"(?:on )?(?:every|each)(?: (?P<count>other|second))? "
        rf"(?P<days>{_ANY}s?(?:{_LIST}(?:every |on )?{_ANY}s?){{0,6}})"
        rf"(?: (?P<part>{_PART})s?)?",
        _every_weekday,
    ),
    _rule(rf"(?:on )?(?P<days>{_FULL}s(?:{_LIST}(?:on )?{_FULL}s){{0,6}})", _every_weekday),
    _rule(rf"(?:every|each) (?P<first>{_ANY}) (?:to|through|until|-) (?P<last>{_ANY})", _every_run),
    _rule(r"(?:every|each) (?:weekday|workday|working day|business day|weekend)s?", _every_kind),
    _rule(r"(?:on )?(?:weekdays|workdays|weekends)", _every_kind),
    _rule(rf"(?P<word>{'|'.join(_ADVERBS)})", _adverb),
    _rule(rf"(?:on )?the (?P<day>{_ORDINAL}) (?:of (?:every|each) month)", _every_date),
    _rule(rf"(?:every|each) month on the (?P<day>{_ORDINAL})", _every_date),
    _rule(
        rf"(?:every|each) (?:year on )?(?:the )?(?P<day>{_ORDINAL}|\d{{1,2}})(?: of)? (?P<month>{_MONTH})", _every_date
    ),
    _rule(rf"(?:every|each) (?:year on )?(?P<month>{_MONTH}) (?P<day>{_ORDINAL}|\d{{1,2}})", _every_date),
    *CLOCK_RULES,
]


def _repeated_nth(match: re.Match[str]) -> Built:
    n = -1 if match["n"] == "last" else ordinal(match["n"])
    weekday = None if match["day"] == "day" else _weekday(match["day"])
    return None if n is None else {"every": nth_every(Every("MONTHLY"), n, weekday)}
