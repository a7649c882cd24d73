"""Days that have names instead of dates, Western and Chinese: what they are called, and where in a year they fall.

Knows no clock: which year is meant is resolved by `days`. Lunar days are known for the years 1901 to 2099.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from typing import Any

from assistant.values.atoms import Beside, Built, Feast, Nth, Rule, behind
from assistant.values.numbers import chinese

_WEEKDAYS = "mon tue wed thu fri sat sun".split()
_FULL = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_ENGLISH = {
    "christmas eve": Feast("date", 12, 24),
    "christmas day": Feast("date", 12, 25),
    "christmas": Feast("date", 12, 25),
    "xmas": Feast("date", 12, 25),
    "boxing day": Feast("date", 12, 26),
    "new year's eve": Feast("date", 12, 31),
    "new years eve": Feast("date", 12, 31),
    "new year's day": Feast("date", 1, 1),
    "new years day": Feast("date", 1, 1),
    "new year's": Feast("date", 1, 1),
    "new year": Feast("date", 1, 1),
    "epiphany": Feast("date", 1, 6),
    "valentine's day": Feast("date", 2, 14),
    "valentines day": Feast("date", 2, 14),
    "st patrick's day": Feast("date", 3, 17),
    "april fools' day": Feast("date", 4, 1),
    "april fool's day": Feast("date", 4, 1),
    "halloween": Feast("date", 10, 31),
    "good friday": Feast("easter", shift=-2),
    "easter sunday": Feast("easter"),
    "easter monday": Feast("easter", shift=1),
    "easter": Feast("easter"),
    "pentecost": Feast("easter", shift=49),
    "whit monday": Feast("easter", shift=50),
    "ascension day": Feast("easter", shift=39),
    "thanksgiving day": Feast("thursday", 11, 4),
    "thanksgiving": Feast("thursday", 11, 4),
    "black friday": Feast("thursday", 11, 4, shift=1),
    "chinese new year's eve": Feast("lunar", 1, 1, shift=-1),
    "chinese new year": Feast("lunar", 1, 1),
    "lunar new year": Feast("lunar", 1, 1),
    "spring festival": Feast("lunar", 1, 1),
    "lantern festival": Feast("lunar", 1, 15),
    "dragon boat festival": Feast("lunar", 5, 5),
    "mid-autumn festival": Feast("lunar", 8, 15),
    "mid autumn festival": Feast("lunar", 8, 15),
    "moon festival": Feast("lunar", 8, 15),
}
_CHINESE = {
    "圣诞节": Feast("date", 12, 25),
    "圣诞": Feast("date", 12, 25),
    "平安夜": Feast("date", 12, 24),
    "跨年夜": Feast("date", 12, 31),
    "元旦": Feast("date", 1, 1),
    "情人节": Feast("date", 2, 14),
    "妇女节": Feast("date", 3, 8),
    "愚人节": Feast("date", 4, 1),
    "劳动节": Feast("date", 5, 1),
    "五一": Feast("date", 5, 1),
    "儿童节": Feast("date", 6, 1),
    "教师节": Feast("date", 9, 10),
    "国庆节": Feast("date", 10, 1),
    "国庆": Feast("date", 10, 1),
    "万圣节": Feast("date", 10, 31),
    "双十一": Feast("date", 11, 11),
    "感恩节": Feast("thursday", 11, 4),
    "黑色星期五": Feast("thursday", 11, 4, shift=1),
    "复活节": Feast("easter"),
    "耶稣受难日": Feast("easter", shift=-2),
    "清明节": Feast("term", 4),
    "清明": Feast("term", 4),
    "除夕夜": Feast("lunar", 1, 1, shift=-1),
    "除夕": Feast("lunar", 1, 1, shift=-1),
    "大年三十": Feast("lunar", 1, 1, shift=-1),
    "年三十": Feast("lunar", 1, 1, shift=-1),
    "春节": Feast("lunar", 1, 1),
    "农历新年": Feast("lunar", 1, 1),
    "元宵节": Feast("lunar", 1, 15),
    "元宵": Feast("lunar", 1, 15),
    "端午节": Feast("lunar", 5, 5),
    "端午": Feast("lunar", 5, 5),
    "七夕节": Feast("lunar", 7, 7),
    "七夕": Feast("lunar", 7, 7),
    "中元节": Feast("lunar", 7, 15),
    "中秋节": Feast("lunar", 8, 15),
    "中秋": Feast("lunar", 8, 15),
    "重阳节": Feast("lunar", 9, 9),
    "腊八节": Feast("lunar", 12, 8),
    "腊八": Feast("lunar", 12, 8),
}
_LUNAR_MONTHS = {"正": 1, "冬": 11, "腊": 12}
_YEARS = {"前": -2, "去": -1, "今": 0, "本": 0, "明": 1, "后": 2}


def on(feast: Feast, year: int) -> date:
    """The day in the Gregorian `year`. Raises ValueError where it is not known."""
    if feast.kind == "date":
        return date(year, feast.month, feast.day)
    if feast.kind == "easter":
        from dateutil.easter import easter

        return easter(year) + timedelta(days=feast.shift)
    if feast.kind == "thursday":
        first = date(year, feast.month, 1)
        return first + timedelta(days=(3 - first.weekday()) % 7 + 7 * (feast.day - 1) + feast.shift)
    if feast.kind == "term":
        return date(year, 4, int(year % 100 * 0.2422 + 4.81) - year % 100 // 4)
    return _lunar(feast, year)


def _lunar(feast: Feast, year: int) -> date:
    from lunarcalendar import Converter, DateNotExist, Lunar

    if not 1901 < year < 2099:
        raise ValueError("lunar days are known for the years 1901 to 2099")
    # The last weeks of a lunar year lie in January and February of the next one.
    for lunar_year in (year, year - 1):
        try:
            solar = Converter.Lunar2Solar(Lunar(lunar_year, feast.month, feast.day))
        except DateNotExist as error:
            raise ValueError("there is no such lunar day") from error
        day = date(solar.year, solar.month, solar.day) + timedelta(days=feast.shift)
        if day.year == year:
            break
    return day


def _english(match: re.Match[str]) -> Built:
    feast = _ENGLISH[match["feast"]]
    which = match["which"]
    return {
        "day": Feast(
            feast.kind, feast.month, feast.day, feast.shift, _year(match["year"]), side=-1 if which == "last" else 0
        ),
        # "Christmas" alone at the end of a question is a topic; it is a day where something makes it one.
        "weak": not (
            match["by"] is not None or which or match["year"] or (match["sure"] is not None and match.start() == 0)
        ),
    }


def _year(said: str | None) -> int | None:
    return int(said) if said else None


def _chinese(match: re.Match[str]) -> Built:
    feast = _CHINESE[match["feast"]]
    year = chinese(match["year"]) if match["year"] else None
    offset = _YEARS[match["relative"]] if match["relative"] else None
    return {"day": Feast(feast.kind, feast.month, feast.day, feast.shift, int(year) if year else None, offset)}


def _lunar_day(match: re.Match[str]) -> Built:
    month = _LUNAR_MONTHS.get(match["month"] or "正") or chinese(match["month"])
    day = chinese(match["day"].removeprefix("初").replace("廿", "二十"))
    if month is None or day is None or not 1 <= month <= 12 or not 1 <= day <= 30:
        return None
    offset = _YEARS[match["relative"]] if match["relative"] else None
    return {"day": Feast("lunar", int(month), int(day), year_offset=offset)}


def _beside(match: re.Match[str]) -> Built:
    side = -1 if match["side"] in ("before", "前") else 1
    unit = match["unit"]
    weekday = next((number for number, name in enumerate(_WEEKDAYS) if unit.startswith(name)), None)
    weekday = "一二三四五六日".find(unit[-1]) if unit[0] in "周星礼" and unit[-1] in "一二三四五六日" else weekday
    built: dict[str, Any] = {"weak": True}
    if weekday is not None:
        return built | {"beside": Beside("weekday", side, weekday)}
    if unit in ("weekend", "周末"):
        return built | {"beside": Beside("weekend", side)}
    if unit in ("week", "一周", "一星期", "一个星期", "一个礼拜"):
        return built | {"beside": Beside("week", side)}
    part = {"part": "night"} if unit in ("night", "evening", "夜") else {}
    return built | part | {"beside": Beside("day", side)}


def _middle(match: re.Match[str]) -> Built:
    day = {"early": 5, "mid": 15, "late": 25}[match["where"]]
    return {"day": Nth(day, named=_MONTHS.index(match["month"][:3]) + 1, year=_year(match["year"])), "vague": True}


def _tenth(match: re.Match[str]) -> Built:
    n = {"上": 5, "中": 15, "下": 25}[match["where"]]
    if not match["month"]:
        return {"day": Nth(n, month=_relation(match["which"])), "vague": True}
    month = chinese(match["month"])
    return None if month is None or not 1 <= month <= 12 else {"day": Nth(n, named=int(month)), "vague": True}


def _relation(said: str | None) -> int:
    return 0 if not said or said[0] in "这本" else (1 if said[0] == "下" else -1)


def _any_of(names: dict[str, Feast]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


_B, _E = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_SURE = (
    r"(?=(?P<sure>)\s*(?:$|[^\w\s]))|(?=\s*(?:at|in|on|from|for|to|until|till|by|and|or|before|after|please|with|around"
    r"|noon|midnight|morning|afternoon|evening|night|[0-9])(?![a-z]))|(?=\s*[\u4e00-\u9fff])"
)
_YEAR_BEFORE = r"(?:(?P<year>\d{4}|[零〇一二三四五六七八九]{4})年|(?P<relative>[今明后去前本])年)?(?:的)?"
_NOT_A_DAY = r"(?!节|快乐|愉快|礼|贺|卡|树|老人|晚会|联欢|假|祝|红包|档|歌|电影|活动|聚|派对|大?餐|饭|月饼)"
_PREPOSITIONS = "on by before after until till since for over around during from to at between and through".split()


@cache
def rules() -> tuple[Rule, ...]:
    """The rules that read them, English and Chinese; compiled when the first sentence is read."""
    return (
        (
            re.compile(
                rf"{_B}(?<!merry )(?<!happy )(?P<by>{behind(_PREPOSITIONS)})?(?:the )?"
                rf"(?:(?P<which>last|this|next|this coming) )?(?P<feast>{_any_of(_ENGLISH)}){_E}(?!['’]s| *-)"
                rf"(?:,? (?P<year>20\d\d))?(?:{_SURE})"
            ),
            _english,
        ),
        (re.compile(rf"{_YEAR_BEFORE}(?P<feast>{_any_of(_CHINESE)}){_NOT_A_DAY}"), _chinese),
        (
            re.compile(
                r"(?:(?P<relative>[今明后去])年的?)?(?:农历|阴历|大年(?=初)|(?=[正腊冬]月))"
                r"(?:(?P<month>[正冬腊]|十[一二]?|[二三四五六七八九])月)?"
                r"(?P<day>初[一二三四五六七八九十]|[一二三]?十[一二三四五六七八九]?|廿[一二三四五六七八九]?)"
            ),
            _lunar_day,
        ),
        (
            re.compile(
                rf"{_B}(?:on |over |in |during )?the (?P<unit>week|day|night|evening|weekend|{_FULL}) "
                r"(?P<side>before|after) "
            ),
            _beside,
        ),
        (
            re.compile(
                r"的?(?P<side>[前后])的?(?:那个|一个)?"
                r"(?P<unit>一天|一周(?!年)|一个?星期|一个?礼拜|周末|夜|(?:周|星期|礼拜)[一二三四五六日])"
            ),
            _beside,
        ),
        (
            re.compile(
                rf"{_B}(?:in |around )?(?P<where>mid|early|late)[- ](?P<month>(?<=mid[- ])may|(?!may){_MONTH})"
                rf"(?:,? (?P<year>20\d\d))?{_E}"
            ),
            _middle,
        ),
        (
            re.compile(rf"{_B}(?:in |around )?(?:the )?middle of (?P<month>{_MONTH})(?:,? (?P<year>20\d\d))?{_E}"),
            lambda match: {
                "day": Nth(15, named=_MONTHS.index(match["month"][:3]) + 1, year=_year(match["year"])),
                "vague": True,
            },
        ),
        (
            re.compile(rf"{_B}(?:in |around )?(?:the )?middle of (?P<which>the|this|next) month{_E}"),
            lambda match: {"day": Nth(15, month=1 if match["which"] == "next" else 0), "vague": True},
        ),
        (
            re.compile(
                r"(?:(?P<which>下个?|这个?|本|上个?)月|(?P<month>\d{1,2}|十[一二]?|[一二三四五六七八九])月)的?"
                r"(?P<where>[上中下])旬"
            ),
            _tenth,
        ),
    )
