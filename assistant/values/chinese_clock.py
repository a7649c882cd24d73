"""Chinese clock times, parts of the day and lengths of time as atoms. Knows no days."""

from __future__ import annotations

import re

from assistant.values.atoms import Built, Clock, Length, PartName, Rule
from assistant.values.numbers import CHINESE_NUMBER, chinese

PARTS: dict[str, PartName] = {
    "凌晨": "dawn",
    "清晨": "early",
    "大清早": "early",
    "一大早": "early",
    "早晨": "early",
    "早上": "early",
    "早间": "early",
    "上午": "morning",
    "中午": "noon",
    "正午": "noon",
    "午后": "afternoon",
    "下午": "afternoon",
    "傍晚": "dusk",
    "晚上": "evening",
    "晚间": "evening",
    "夜里": "night",
    "夜晚": "night",
    "深夜": "night",
    "半夜": "night",
}
_N = CHINESE_NUMBER
_HOUR = r"(?:\d{1,2}|二十[一二三四]?|十[一二三四五六七八九]?|[零〇一二两三四五六七八九])"
_MINUTES = (
    r"(?:(?:过)?(?:[零〇][一二三四五六七八九]|[二三四五]?十[一二三四五六七八九]?|[一二两三四五六七八九](?=分)|\d{1,2})"
    r"(?![个人次位条封年月日号天])分?钟?)"
)
_NOT_POINTS = (
    r"(?![\d.]|[零一二三四五六七八九]{1,4}[万千百亿块元欧美]"
    r"|儿|建议|意见|要求|原因|理由|想法|问题|内容|心得|注意|半点)"
)
_UNITS = (
    r"(?:秒钟?|分钟|刻钟|个?小时|个?钟头|天|日(?=游)|夜|晚(?!上|点)"
    r"|周(?![一二三四五六日天末])|个?星期(?![一二三四五六日天])|个?礼拜(?![一二三四五六日天])|个月|年)"
)
_ONE = rf"(?:{_N}个?半?{_UNITS}半?|半个?(?:小时|钟头|天|月|年)|半日)"
# A bare 分 counts minutes only after another unit: 十分 alone is "very".
LENGTH = rf"(?:{_ONE}(?:零|又|加|,)?(?:{_ONE}|{_N}分(?![之钟])){{0,3}})"
_PIECE = re.compile(
    rf"(?:(?P<half>半)个?(?P<whole>小时|钟头|天|日|月|年)|(?P<n>{_N})(?P<inner>个?半)?(?P<unit>{_UNITS}|分)(?P<after>半)?)"
)
_SECONDS = {"秒": 1, "分": 60, "刻": 900, "小": 3600, "钟": 3600}


def length(text: str) -> Length | None:
    """`"一个半小时"`, `"2小时15分钟"`, `"三周"` → the length; None where it is none."""
    months, days, seconds = 0.0, 0.0, 0.0
    for piece in _PIECE.finditer(text):
        unit = (piece["whole"] or piece["unit"]).removeprefix("个")
        count = 0.5 if piece["half"] else chinese(piece["n"])
        if count is None:
            return None
        if (piece["inner"] or "").endswith("半") or piece["after"]:
            count += 0.5
        if unit[0] in _SECONDS:
            seconds += count * _SECONDS[unit[0]]
        elif unit[0] in "天日夜晚":
            days += count
        elif unit[0] in "周星礼":
            days += round(count * 7)
        elif unit[0] == "月":
            months += int(count)
            days += round((count % 1) * 30)
        else:
            months += count * 12
    seconds += (days % 1) * 86400
    total = Length(int(months), int(days), round(seconds))
    return total if total != Length() else None


def _minutes(text: str | None) -> int | None:
    if not text:
        return 0
    text = text.lstrip("过").rstrip("钟分")
    if text.startswith(("零", "〇")) and len(text) == 2:
        text = text[1:]
    number = chinese(text)
    return None if number is None else int(number)


def _clock(match: re.Match[str]) -> Built:
    hour, minute = chinese(match["hour"]), _minutes(match["minutes"])
    if hour is None or minute is None:
        return None
    tail = match["tail"]
    if tail == "半":
        minute = 30
    elif tail:
        minute = 15 if tail.startswith("一") else 45 if tail.startswith("三") else 30
    plain_one = match["hour"] == "一" and not match["minutes"] and not tail and "钟" not in match.group()
    return {
        "clock": Clock(
            int(hour), minute, exact=hour > 12 or hour == 0 or match["hour"].startswith("0"), said=match.group()
        ),
        "vague": bool(match["about"]),
        "weak": plain_one and match["mark"] != "整",
    }


def _before(match: re.Match[str]) -> Built:
    hour = chinese(match["hour"])
    amount = 15.0 if match["amount"].startswith("一刻") else chinese(match["amount"].rstrip("分钟"))
    if hour is None or amount is None or amount > 59:
        return None
    total = (int(hour) * 60 - int(amount)) % (24 * 60)
    # 差一刻一点 is 12:45 of either half of the day, not only at night.
    return {"clock": Clock(12 if hour == 1 else total // 60, total % 60, exact=hour > 12)}


def _length(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"length": measured} if measured else None


def _ahead(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"offset": measured} if measured else None


def _back(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"offset": -measured} if measured else None


def _rule(pattern: str, build: object) -> Rule:
    return re.compile(pattern), build  # type: ignore[return-value]


_NO_NUMBER = r"(?<![周期拜])(?:(?<![\d.第零〇一二两三四五六七八九十百])|(?<=[周期拜][一二三四五六日天]))"
"""Not behind a number, but 周五十点 is Friday at ten."""
CLOCK_RULES: list[Rule] = [
    _rule(
        rf"{_NO_NUMBER}(?P<hour>{_HOUR})点(?P<mark>钟|整)?(?P<tail>半|[一两三]刻)?(?P<minutes>{_MINUTES})?"
        rf"(?:的时候|时)?(?P<about>左右|前后)?{_NOT_POINTS}",
        _clock,
    ),
    _rule(
        r"(?<![\d.])(?P<hour>\d{1,2})时(?P<mark>整)?(?P<tail>半)?(?P<minutes>\d{1,2}分)?(?![间候常\d])(?P<about>左右)?",
        _clock,
    ),
    _rule(
        rf"(?<![\d.:/第零〇一二两三四五六七八九十百])(?P<hour>{_HOUR})(?=[-~–—到至]{_HOUR}点)",
        lambda m: {"clock": Clock(int(chinese(m["hour"]) or 0), exact=(chinese(m["hour"]) or 0) > 12)},
    ),
    _rule(rf"差(?P<amount>一刻|{_N}分钟?)(?:到)?(?P<hour>{_HOUR})点", _before),
    _rule(rf"(?P<hour>{_HOUR})点差(?P<amount>一刻|{_N}分钟?)", _before),
    _rule(r"午夜|子夜", lambda m: {"clock": Clock(24, exact=True)}),
    _rule(rf"(?<![第\d.])(?P<length>{LENGTH})(?![之]?[内])", _length),
    _rule(rf"(?<![第\d.])(?:再)?(?:过)?(?P<length>{LENGTH})(?:之后|以后|过后|后(?!天|年|面))", _ahead),
    _rule(rf"(?:再过|过)(?P<length>{LENGTH})", _ahead),
    _rule(rf"(?<![第\d.])(?P<length>{LENGTH})(?:之前|以前|前(?!天|年|面))", _back),
]
