"""Japanese time words as atoms. Knows neither the present nor how pieces combine; reads folded text.

Patterns are written in Japanese and folded as texts are (時 is read as 时, 週 as 周).
"""

from __future__ import annotations

import re
from typing import cast

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
    fold,
    nth_every,
)
from assistant.values.grammars import Grammar
from assistant.values.japanese_clock import (
    CLOCK_RULES,
    KA,
    NUMBER,
    SPAN,
    any_of,
    folded,
    integer,
    length,
    rule,
    whole_length,
)
from assistant.values.lexicon import Frequency, frequency, kind

_DAYS = {"今日": 0, "本日": 0, "きょう": 0, "明日": 1, "あした": 1, "あす": 1, "明後日": 2, "あさって": 2}
_DAYS |= {"明々後日": 3, "しあさって": 3, "昨日": -1, "きのう": -1, "一昨日": -2, "おととい": -2, "おとつい": -2}
_NIGHTS: dict[str, tuple[int, PartName]] = {"今朝": (0, "early"), "けさ": (0, "early"), "今夜": (0, "evening")}
_NIGHTS |= {"今晩": (0, "evening"), "今夕": (0, "dusk"), "明朝": (1, "early"), "明晩": (1, "evening")}
_NIGHTS |= {"昨夜": (-1, "night"), "昨晩": (-1, "night"), "ゆうべ": (-1, "night")}
_WEEKS = {"先々週": -2, "先週": -1, "前": -1, "今週": 0, "この": 0, "来週": 1, "翌週": 1, "再来週": 2}
_MONTHS = {"先々月": -2, "先月": -1, "今月": 0, "来月": 1, "翌月": 1, "再来月": 2}
_YEARS = {"一昨年": -2, "おととし": -2, "昨年": -1, "去年": -1, "今年": 0, "本年": 0, "来年": 1, "再来年": 2}
_QUARTERS = {"前四半期": -1, "先四半期": -1, "今四半期": 0, "来四半期": 1}
_UNITS: dict[str, dict[str, int]] = {"week": _WEEKS, "month": _MONTHS, "quarter": _QUARTERS, "year": _YEARS}
_STRETCHES = {
    fold(word): (unit, step)
    for unit, words in _UNITS.items()
    for word, step in words.items()
    if word not in ("前", "この", "翌週", "翌月")
}
_STEPS = {fold(word): step for words in _UNITS.values() for word, step in words.items()}
_DAY_STEPS = {fold(word): step for word, step in _DAYS.items()}
_WEEKDAYS = {character: number for number, character in enumerate("月火水木金土日")}
_EDGES = {"末": -1, "末日": -1, "終わり": -1, "初": 1, "初め": 1, "はじめ": 1, "頭": 1, "上旬": 1}
_EDGES |= {"半ば": 15, "中旬": 15, "下旬": 21}
_UPTO12 = r"(?:\d{1,2}|十[一二]?|[一二三四五六七八九])"
_MONTH = rf"(?P<month>{_UPTO12})月"
_DAY = r"(?P<day>\d{1,2}|[一二三四五六七八九十]{1,3})"
_YEAR = rf"(?:(?:(?P<year>\d{{4}})|令和(?P<era>\d{{1,2}}|元))年の?|(?P<relative>{any_of(_YEARS)})の?)"
_WD = "[月火水木金土日]"
_AFTER_DATE = rf"(?:\({_WD}(?:曜日?)?\))?"


def _year(match: re.Match[str]) -> tuple[int | None, int | None]:
    groups = match.groupdict()
    if groups.get("year"):
        return int(groups["year"]), None
    if groups.get("era"):
        return 2018 + (1 if groups["era"] == "元" else int(groups["era"])), None
    return None, _STEPS[groups["relative"]] if groups.get("relative") else None


def _weekday(match: re.Match[str]) -> Built:
    which = match["which"]
    later = which in ("次", "今度")
    return {"day": Weekday(_WEEKDAYS[match["day"]], None if later or not which else _STEPS[which], later)}


def _month_day(match: re.Match[str]) -> Built:
    month, day = integer(match["month"]), integer(match["day"])
    if month is None or day is None or not 1 <= month <= 12:
        return None
    return {"day": MonthDay(month, day, *_year(match))}


def _day_of_month(match: re.Match[str]) -> Built:
    day, which = integer(match["day"]), match["which"]
    if day is None or (which is None and not 1 <= day <= 31):
        return None
    return {"day": DayOfMonth(day, _STEPS[which] if which else None)}


def _nth(match: re.Match[str]) -> Built:
    n = -1 if match["last"] else integer(match["n"])
    weekday = _WEEKDAYS[match["day"]]
    if n is None:
        return None
    if match["every"]:
        return {"every": nth_every(Every("MONTHLY"), n, weekday)}
    if match["month"]:
        month = integer(match["month"])
        return {"day": Nth(n, weekday, named=month)} if month and 1 <= month <= 12 else None
    return {"day": Nth(n, weekday, month=_STEPS[match["which"]] if match["which"] else None)}


def _edge(match: re.Match[str]) -> Built:
    n = _EDGES[match["edge"]]
    groups = match.groupdict()
    if groups.get("month"):
        month = integer(groups["month"])
        return {"day": Nth(n, named=month, year=_year(match)[0]), "vague": True} if month and month <= 12 else None
    return {"day": Nth(n, month=_STEPS[match["which"]] if match["which"] else None), "vague": True}


def _named_month(match: re.Match[str]) -> Built:
    month = integer(match["month"])
    return {"period": NamedMonth(month, *_year(match))} if month and 1 <= month <= 12 else None


def _stretch(match: re.Match[str]) -> Built:
    unit, step = _STRETCHES[match["which"]]
    return {"period": Stretch(cast(Unit, unit), step)}


def _weekend(match: re.Match[str]) -> Built:
    return {"period": Stretch("weekend", {"今": 0, "先": -1, "来": 1, "再来": 2}.get(match["which"] or "今", 0))}


def _rolling(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"period": Rolling(measured, -1 if match["back"] else 1)} if measured else None


_FREQUENCIES: dict[str, tuple[Frequency, int]] = {"分": ("MINUTELY", 0), "時間": ("HOURLY", 0), "日": ("DAILY", 1)}
_FREQUENCIES |= {"週間": ("WEEKLY", 1), "月": ("MONTHLY", 1), "年": ("YEARLY", 1)}
"""Frequencies, and how many more units おき leaves out than ごと: 一日おき is every other day."""
_EACH = {fold(unit): value for unit, value in _FREQUENCIES.items()}


def _every(match: re.Match[str]) -> Built:
    count = integer(match["count"])
    name, skipped = _EACH[match["unit"].lstrip("かカヶヵケ箇个")]
    return {"every": Every(name, count + (skipped if match["skip"] else 0))} if count else None


def _every_weekday(match: re.Match[str]) -> Built:
    days = re.sub("曜日?", "", match["days"])
    interval = 2 if match["each"].startswith("隔") else 1
    return {"every": Every("WEEKLY", interval, by_day=codes(_WEEKDAYS[day] for day in days if day in _WEEKDAYS))}


def _every_run(match: re.Match[str]) -> Built:
    first, last = _WEEKDAYS[match["first"]], _WEEKDAYS[match["last"]]
    return {"every": Every("WEEKLY", by_day=codes((first + step) % 7 for step in range((last - first) % 7 + 1)))}


def _every_date(match: re.Match[str]) -> Built:
    day = integer(match["day"])
    if day is None:
        return None
    if not match["month"]:
        return {"every": Every("MONTHLY", by_month_day=day)}
    return {"every": Every("YEARLY", by_month=integer(match["month"]), by_month_day=day)}


RULES: list[Rule] = [
    rule(rf"(?P<rel>{any_of(_DAYS)})(?!間)", lambda m: {"day": Relative(_DAY_STEPS[m["rel"]])}),
    *(
        rule(word, lambda _, day=day, part=part: {"day": Relative(day), "part": part})  # type: ignore[misc]
        for word, (day, part) in _NIGHTS.items()
    ),
    rule(rf"(?:(?P<which>{any_of(_WEEKS)}|次|今度)の?)?(?P<day>{_WD})曜日?", _weekday),
    rule(rf"{_YEAR}?{_MONTH}{_DAY}日{_AFTER_DATE}", _month_day),
    rule(r"(?<![\d/.])(?P<month>\d{1,2})/(?P<day>\d{1,2})(?![\d/])" + _AFTER_DATE, _month_day),
    rule(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _AFTER_DATE, _month_day),
    rule(
        rf"(?:(?P<which>{any_of(_MONTHS)})の?)?(?<![\d.第])(?P<day>\d{{1,2}}|[二三]?十[一二三四五六七八九]?)"
        r"日(?![間後前以本米目中]|\d{1,2}回|かかる)" + _AFTER_DATE,
        _day_of_month,
    ),
    rule(
        rf"(?:(?P<every>毎月)の?|(?P<which>{any_of(_MONTHS)})の?|{_MONTH}の?)?"
        rf"(?:第(?P<n>[1-5一二三四五])|(?P<last>最後の|最終))(?P<day>{_WD})曜日?",
        _nth,
    ),
    rule(rf"(?P<which>{any_of(_MONTHS)})の?(?P<edge>{any_of(_EDGES)})", _edge),
    rule(r"(?P<which>(?!))?月(?P<edge>末|初め?|半ば)", _edge),
    rule(rf"{_YEAR}?{_MONTH}の?(?P<edge>{any_of(_EDGES)})", _edge),
    rule("年末", lambda _: {"day": MonthDay(12, 31), "vague": True}),
    rule("年始|年明け", lambda _: {"day": MonthDay(1, 1), "vague": True}),
    rule(rf"{_YEAR}?{_MONTH}(?!曜)", _named_month),
    rule(r"(?P<year>\d{4})年度?", lambda m: {"period": NamedYear(int(m["year"]))}),
    rule(rf"(?P<which>{any_of(_STRETCHES)})(?!末)", _stretch),
    rule(r"(?P<which>再来|[今先来])?週末|土日", _weekend),
    rule(
        rf"(?:(?P<back>過去|直近|最近|ここ|この)|今後|向こう|これから|次の)の?{SPAN}間?(?![後前])",
        _rolling,
    ),
    rule("毎朝", lambda _: {"every": Every("DAILY"), "part": "early"}),
    rule("毎夕", lambda _: {"every": Every("DAILY"), "part": "dusk"}),
    rule("毎[晩夜]", lambda _: {"every": Every("DAILY"), "part": "evening"}),
    rule("毎日|日々", frequency("DAILY")),
    rule("毎時", frequency("HOURLY")),
    rule("毎週", frequency("WEEKLY")),
    rule("毎月", frequency("MONTHLY")),
    rule("毎年", frequency("YEARLY")),
    rule("隔日", frequency("DAILY", 2)),
    rule("隔週", frequency("WEEKLY", 2)),
    rule("隔月", frequency("MONTHLY", 2)),
    rule(rf"(?P<count>{NUMBER})(?P<unit>分|時間|日|週間|{KA}月|年)(?:(?P<skip>おき)|ごと|毎)", _every),
    rule(
        rf"(?P<each>毎週の?|隔週の?)(?P<days>{_WD}(?:曜日?)?(?:[・、と/,]?{_WD}(?:曜日?)?){{0,6}})(?!から)",
        _every_weekday,
    ),
    rule(rf"(?P<each>毎)(?P<days>{_WD}曜日?)", _every_weekday),
    rule(rf"(?P<days>{_WD}曜日?)(?P<each>ごと|毎)", _every_weekday),
    rule(rf"毎週の?(?P<first>{_WD})(?:曜日?)?(?:から|~|〜|-)(?P<last>{_WD})(?:曜日?)?", _every_run),
    rule(r"毎?平日(?:は?毎日)?", kind((0, 1, 2, 3, 4))),
    rule("毎週末|毎週土日", kind((5, 6))),
    rule(rf"毎月の?(?P<month>(?!))?{_DAY}日", _every_date),
    rule("毎月の?月?末日?", lambda _: {"every": Every("MONTHLY", by_month_day=-1)}),
    rule(rf"毎年の?{_MONTH}{_DAY}日", _every_date),
    *CLOCK_RULES,
]
_NEVER = re.compile(r"(?!)")
GRAMMAR = Grammar(
    rules=RULES,
    glue=re.compile(r"(?:[\s,、・]|の|は|に){0,4}"),
    to=re.compile(r"\s?(?:から|~|〜|-|–|—|と)\s?"),
    also=frozenset({"と"}),
    between=_NEVER,
    opens=_NEVER,
    since=_NEVER,
    ended=re.compile(folded("以来|からずっと|から今日まで|から今まで")),
    lead=_NEVER,
    before=_NEVER,
    after=_NEVER,
    rest=re.compile(folded("に|は|の|から|まで|で|を|頃|ごろ")),
    now=frozenset({"今", "今すぐ", "すぐ", "すぐに", folded("直ちに"), "ただいま"}),
    length=whole_length,
    dates="ja",
)
