"""Japanese clock times, parts of the day and lengths of time as atoms. Knows no days; reads folded text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

from assistant.values.atoms import Built, Clock, Length, PartName, Rule, fold
from assistant.values.spoken import number

_FOLDED = re.compile(r"[^\x00-\x7f]+")


def folded(pattern: str) -> str:
    """The Japanese in a pattern as it stands in folded text."""
    return _FOLDED.sub(lambda run: fold(run.group()), pattern)


def rule(pattern: str, build: Callable[[re.Match[str]], Built]) -> Rule:
    """A rule written in Japanese."""
    return re.compile(folded(pattern)), build


PARTS: dict[str, PartName] = {
    "未明": "dawn",
    "明け方": "dawn",
    "早朝": "early",
    "朝方": "early",
    "朝": "early",
    "午前中": "morning",
    "午前": "morning",
    "昼前": "morning",
    "お昼": "noon",
    "昼": "noon",
    "昼過ぎ": "afternoon",
    "午後": "afternoon",
    "夕方": "dusk",
    "夜": "evening",
    "晩": "evening",
    "夜中": "night",
    "真夜中": "night",
    "深夜": "night",
}
_PART_NAMES = {fold(word): part for word, part in PARTS.items()}


def any_of(words: Iterable[str]) -> str:
    """A pattern of any of `words`, longest first."""
    return f"(?:{'|'.join(sorted(words, key=len, reverse=True))})"


NUMBER = r"(?:\d{1,4}(?:\.\d{1,2})?|[〇零一二三四五六七八九十百]{1,5})"
KA = "[かカヶヵケ箇個]"
_TIME_UNIT = rf"(?:秒間?|分間?(?!の[0-9一二三四五])|時間|日間|週間|{KA}月間?|年間?)"
_ONE = rf"(?:(?!十分(?!間|後|前))(?!\d{{4}}年){NUMBER}{_TIME_UNIT}半?|半日|半年|数(?:日|時間|分|週間)間?)"
LENGTH = rf"(?:{_ONE}(?:(?:と|、)?{_ONE}){{0,3}})"
SPAN = rf"(?P<length>{LENGTH}|{NUMBER}日)"
_PIECE = re.compile(
    folded(rf"(?P<special>半日|半年)|(?P<n>数|{NUMBER})(?P<unit>秒|分|時間|日|週間|{KA}月|年)間?(?P<half>半)?")
)
_HOUR = r"(?P<hour>\d{1,2}|二十[一二三四]?|十[一二三四五六七八九]?|[零〇一二三四五六七八九])"
_MINUTES = r"(?P<minute>\d{1,2}|[二三四五]?十[一二三四五六七八九]?|[一二三四五六七八九])分"
_HALF = r"(?:(?P<half>午前|午後)の?)?"


def integer(text: str) -> int | None:
    """A whole number in digits or numerals."""
    read = number(text, "ja")
    return int(read) if read is not None and read == int(read) else None


def length(text: str) -> Length | None:
    """`"1時間半"` (folded), `"2時間15分"`, `"三週間"` → the length; None where it is none."""
    months, days, seconds = 0.0, 0.0, 0.0
    for piece in _PIECE.finditer(text):
        if piece["special"]:
            months, seconds = (months + 6, seconds) if piece["special"][1] == "年" else (months, seconds + 43_200)
            continue
        count = 3.0 if piece["n"] == "数" else number(piece["n"], "ja")
        if count is None:
            return None
        count += 0.5 if piece["half"] else 0
        unit = piece["unit"]
        if unit[0] in "秒分" or unit == folded("時間"):
            seconds += count * {"秒": 1, "分": 60}.get(unit[0], 3600)
        elif unit[0] == "日" or unit == folded("週間"):
            days += count * (1 if unit[0] == "日" else 7)
        else:
            months += count * (12 if unit == "年" else 1)
    days += round((months % 1) * 30)
    total = Length(int(months), int(days), round(seconds + (days % 1) * 86_400))
    return total if total != Length() else None


def whole_length(text: str) -> Length | None:
    """The length that the whole of `text` is; None where it is none."""
    return length(text) if re.fullmatch(folded(LENGTH), text) else None


def _of(name: Literal["length", "offset"], sign: int = 1) -> Callable[[re.Match[str]], Built]:
    def build(match: re.Match[str]) -> Built:
        measured = length(match["length"])
        return {name: measured if sign > 0 else -measured} if measured else None

    return build


def _clock(match: re.Match[str]) -> Built:
    groups = match.groupdict()
    hour, minute = integer(match["hour"]), integer(groups["minute"]) if groups.get("minute") else 0
    if hour is None or minute is None:
        return None
    half = groups.get("half")
    exact = hour > 12 or hour == 0 or match["hour"].startswith("0")
    if groups.get("tail"):
        minute = 30
    if groups.get("before"):
        hour, minute = (hour - 1) % 24 if exact else (hour - 2) % 12 + 1, 60 - minute
    meridiem: Literal["am", "pm"] | None = None if not half else "am" if half == "午前" else "pm"
    clock = Clock(hour, minute, meridiem, exact and not half, match.group())
    return {"clock": clock, "vague": bool(groups.get("about"))}


CLOCK_RULES: list[Rule] = [
    rule(
        rf"(?P<part>{any_of(PARTS)})(?!ご飯|ごはん|食|礼|刊|景|勤|会(?!議)|休み|日)",
        lambda m: {
            "part": _PART_NAMES[m["part"]],
            "weak": len(m["part"]) == 1 and m.string[m.end() : m.end() + 1] != "に",
        },
    ),
    rule(
        rf"{_HALF}(?<![\d.第]){_HOUR}時(?!間)(?:{_MINUTES}(?P<before>前)?|(?P<tail>半)|ちょうど|前)?"
        r"(?P<about>頃|ごろ|ころ|くらい|ぐらい)?",
        _clock,
    ),
    rule(rf"{_HALF}(?<![\d:.])(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?![:\d])(?P<about>頃|ごろ)?", _clock),
    rule("正午", lambda _: {"clock": Clock(12, exact=True)}),
    rule(rf"(?<![第\d.])(?P<length>{LENGTH})(?!以内)", _of("length")),
    rule(rf"(?<![第\d.])(?:今から|あと)?{SPAN}(?:後|したら|たったら|経ったら)", _of("offset")),
    rule(rf"(?<![第\d.の]){SPAN}前", _of("offset", -1)),
]
