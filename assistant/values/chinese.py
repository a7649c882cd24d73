"""Chinese time words as atoms. Knows neither the present nor how pieces combine; reads folded (simplified) text."""

from __future__ import annotations

import re
from typing import Any

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
from assistant.values.chinese_clock import CLOCK_RULES, LENGTH, PARTS, length
from assistant.values.numbers import CHINESE_NUMBER, chinese

_N = CHINESE_NUMBER
_WEEK = r"(?:周|星期|礼拜)"
_DIGIT = "[一二三四五六日天]"
_NOT_COUNT = r"(?![个次位封笔条件份张共直起些样切])"
_WEEKDAYS = {digit: number for number, digit in enumerate("一二三四五六日")} | {"天": 6}
_WEEKDAYS |= {str(number + 1): number for number in range(7)}
_RELATION = r"(?:上上个?|上一?个?|这一?个?|本|当前|(?<!一)下下个?|(?<!一)下一?个?)"
_DAYS = {"大前": -3, "前": -2, "昨": -1, "今": 0, "明": 1, "后": 2, "大后": 3, "次": 1}
_YEARS = {"前": -2, "去": -1, "今": 0, "本": 0, "明": 1, "后": 2}
_YEAR = r"(?:(?P<year>\d{4}|[零〇一二三四五六七八九]{4})年|(?P<relative>[今明后去前本])年)"
_NOT_A_DAY = r"(?![线楼店门院房机球电车厅厂仓公馆库桌桶台口])"
_DAY_NUMBER = r"(?:\d{1,2}|[一二三四五六七八九十]{1,3}|[廿卅][一二三四五六七八九]?)"
_UNITS: dict[str, Unit] = {
    "周": "week",
    "星期": "week",
    "礼拜": "week",
    "月": "month",
    "季度": "quarter",
    "季": "quarter",
}
_FREQUENCIES = {"分": "MINUTELY", "小": "HOURLY", "钟": "HOURLY", "天": "DAILY", "日": "DAILY", "周": "WEEKLY"}
_FREQUENCIES |= {"星": "WEEKLY", "礼": "WEEKLY", "月": "MONTHLY", "年": "YEARLY"}
_ORDINALS = {"最后一": -1, "第一": 1, "第二": 2, "第三": 3, "第四": 4, "第五": 5, "头一": 1, "首": 1}
_ORDINAL = rf"(?:{'|'.join(_ORDINALS)})"


def offset(relation: str | None) -> int | None:
    """`"下下个"` → 2, `"这"` → 0, None → None."""
    if not relation:
        return None
    if relation[0] in "这本当":
        return 0
    steps = len(re.match(r"[上下]+", relation).group())  # type: ignore[union-attr]
    return steps if relation[0] == "下" else -steps


def _number(text: str) -> int | None:
    text = text.replace("廿", "二十").replace("卅", "三十")
    number = chinese(text)
    return int(number) if number is not None and number == int(number) else None


def _weekday(match: re.Match[str]) -> Built:
    return {"day": Weekday(_WEEKDAYS[match["day"]], offset(match["which"]))}


def _relative_day(match: re.Match[str]) -> Built:
    built: dict[str, Any] = {"day": Relative(_DAYS[match["which"]])}
    part = match.groupdict().get("part")
    if part:
        built["part"] = "evening" if part == "晚" else "early"
    return built


def _year(match: re.Match[str]) -> tuple[int | None, int | None]:
    groups = match.groupdict()
    if groups.get("year"):
        return _number(groups["year"]), None
    return None, _YEARS[groups["relative"]] if groups.get("relative") else None


def _month_day(match: re.Match[str]) -> Built:
    month, day = _number(match["month"]), _number(match["day"])
    if month is None or day is None or month > 12 or month < 1:
        return None
    year, year_offset = _year(match)
    return {"day": MonthDay(month, day, year, year_offset)}


def _day_of_month(match: re.Match[str]) -> Built:
    day = _number(match["day"])
    if day is None or (match["which"] is None and not 1 <= day <= 31):
        return None
    return {"day": DayOfMonth(day, offset(match["which"]))}


def _named_month(match: re.Match[str]) -> Built:
    month = _number(match["month"])
    if month is None or not 1 <= month <= 12:
        return None
    year, year_offset = _year(match)
    return {"period": NamedMonth(month, year, year_offset)}


def _named_year(match: re.Match[str]) -> Built:
    year, year_offset = _year(match)
    if year is not None:
        return {"period": NamedYear(year)}
    return {"period": Stretch("year", year_offset or 0)}


def _edge(match: re.Match[str]) -> Built:
    n = {"初": 1, "中": 15}.get(match["edge"], -1)
    return {"day": Nth(n, month=offset(match["which"])), "vague": True}


def _month_edge(match: re.Match[str]) -> Built:
    month = _number(match["month"])
    if month is None or not 1 <= month <= 12:
        return None
    year, year_offset = _year(match)
    n = {"初": 1, "中": 15}.get(match["edge"], -1)
    if year_offset is not None:
        return None
    return {"day": Nth(n, named=month, year=year), "vague": True}


def _year_edge(match: re.Match[str]) -> Built:
    relative = match["relative"]
    start = match["edge"] == "初"
    shift = _YEARS[relative] if relative else None
    if shift is None:
        shift = 1 if start else 0
    return {"day": MonthDay(1 if start else 12, 1 if start else 31, year_offset=shift), "vague": True}


def _nth(match: re.Match[str]) -> Built:
    n = _ORDINALS[match["n"]]
    weekday = _WEEKDAYS[match["day"]] if match["day"] else None
    if match["every"]:
        return {"every": nth_every(Every("MONTHLY"), n, weekday)}
    if match["month"]:
        month = _number(match["month"])
        return None if month is None or not 1 <= month <= 12 else {"day": Nth(n, weekday, named=month)}
    return {"day": Nth(n, weekday, month=offset(match["which"]))}


def _stretch(match: re.Match[str]) -> Built:
    return {"period": Stretch(_UNITS[match["unit"]], offset(match["which"]) or 0)}


def _weekend(match: re.Match[str]) -> Built:
    return {"period": Stretch("weekend", offset(match["which"]) or 0)}


def _rolling(match: re.Match[str]) -> Built:
    measured = length(match["length"].replace("几", "三"))
    if measured is None:
        return None
    return {"period": Rolling(measured, 1 if match["which"] in ("未来", "接下来", "今后", "往后") else -1)}


def _every(match: re.Match[str]) -> Built:
    skip, unit = match["skip"], match["unit"]
    count = _number(match["count"]) if match["count"] else 1
    if not count:
        return None
    # 每隔一天 leaves a day out; 每隔两小时 is said of hours as "every two".
    if skip and unit[0] in "天日周星礼月年":
        count += 1
    return {"every": Every(_FREQUENCIES[unit[0]], count)}  # type: ignore[arg-type]


def _every_day(match: re.Match[str]) -> Built:
    part: dict[str, PartName] = {"晚": "evening", "早": "early"}
    built: dict[str, Any] = {"every": Every("DAILY")}
    if match["part"]:
        built["part"] = part[match["part"]]
    return built


def _every_weekday(match: re.Match[str]) -> Built:
    digits = re.findall(r"[一二三四五六日天]", re.sub(r"星期|礼拜|周", "", match["days"]))
    interval = 2 if "两" in match["each"] or "隔" in match["each"] else 1
    return {"every": Every("WEEKLY", interval, by_day=codes(_WEEKDAYS[digit] for digit in digits))}


def _every_run(match: re.Match[str]) -> Built:
    first, last = _WEEKDAYS[match["first"]], _WEEKDAYS[match["last"]]
    days = [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    return {"every": Every("WEEKLY", by_day=codes(days))}


def _every_month_day(match: re.Match[str]) -> Built:
    day = _number(match["day"])
    return None if day is None else {"every": Every("MONTHLY", by_month_day=day)}


def _every_month_edge(match: re.Match[str]) -> Built:
    return {"every": Every("MONTHLY", by_month_day=1 if match["edge"] in ("初", "第一天") else -1)}


def _every_date(match: re.Match[str]) -> Built:
    month, day = _number(match["month"]), _number(match["day"])
    if month is None or day is None:
        return None
    return {"every": Every("YEARLY", by_month=month, by_month_day=day)}


def _kind(weekdays: tuple[int, ...]) -> Built:
    return {"every": Every("WEEKLY", by_day=codes(weekdays))}


def _part(match: re.Match[str]) -> Built:
    return {"part": PARTS[match["part"]]}


def _rule(pattern: str, build: object) -> Rule:
    return re.compile(pattern), build  # type: ignore[return-value]


_NAMES = "|".join(sorted(PARTS, key=len, reverse=True))
RULES: list[Rule] = [
    _rule(r"(?P<which>大前|大后|前|昨|今|明|后|次)(?:天|日(?!报))", _relative_day),
    _rule(r"(?P<which>今|明)儿个?", _relative_day),
    _rule(
        r"(?P<which>昨|今|明|后|当)(?P<part>晚|早(?!餐|饭|点))",
        lambda m: _relative_day(m) if m["which"] != "当" else None,
    ),
    _rule(rf"(?P<part>{_NAMES})(?!好|餐|饭)", _part),
    _rule(rf"(?P<which>{_RELATION})?{_WEEK}(?P<day>{_DIGIT}|[1-7](?!\d)){_NOT_COUNT}", _weekday),
    _rule(rf"(?<=[从自])(?P<which>{_RELATION})?{_WEEK}(?P<day>{_DIGIT})(?=起)", _weekday),  # no 一起, "together"
    _rule(rf"(?P<which>{_RELATION})?周末", _weekend),
    _rule(
        rf"{_YEAR}?(?P<month>\d{{1,2}}|[一二三四五六七八九十]{{1,2}})月"
        rf"(?:份(?=的?{_DAY_NUMBER}[号日]))?的?(?P<day>{_DAY_NUMBER})"
        rf"(?:(?:号|日){_NOT_A_DAY}|(?![个天\d号日线楼店门共起直些下样]))",
        _month_day,
    ),
    _rule(rf"(?:(?P<which>{_RELATION})月的?)?(?P<day>{_DAY_NUMBER})(?:号|日(?!元)){_NOT_A_DAY}", _day_of_month),
    _rule(rf"{_YEAR}?(?P<month>\d{{1,2}}|十[一二]?|[一二三四五六七八九正腊])月份?", _named_month),
    _rule(rf"{_YEAR}(?!初|底|末)", _named_year),
    _rule(rf"(?P<which>{_RELATION})?月(?P<edge>初|中(?!旬|国)|底|末|尾)", _edge),
    _rule(rf"{_YEAR}?(?P<month>\d{{1,2}}|十[一二]?|[一二三四五六七八九])月(?P<edge>初|中(?!旬)|底|末)", _month_edge),
    _rule(r"(?:(?P<relative>[今明后去])年)?年(?P<edge>初|底|末)", _year_edge),
    _rule(r"(?P<relative>[今明后去])年的?(?P<edge>初|底|末)", _year_edge),
    _rule(
        rf"(?:(?P<every>每个?月)|(?P<month>\d{{1,2}}|十[一二]?|[一二三四五六七八九])月|(?P<which>{_RELATION})月)?的?"
        rf"(?P<n>{_ORDINAL})个?(?:{_WEEK}(?P<day>{_DIGIT})|天)",
        lambda m: _nth(m) if m["day"] or m["every"] or m["month"] or m["which"] else None,
    ),
    _rule(rf"(?P<which>{_RELATION})(?P<unit>周|星期|礼拜)(?![末])", _stretch),
    _rule(r"(?P<which>上上|(?<!一)下下|上|下|这|本)一?个?(?P<unit>月|季度)", _stretch),
    _rule(
        rf"(?P<which>最近|过去|近|未来|接下来|今后|往后)(?:的|这)?(?P<length>几(?:天|周|个?月|个?星期|年)|{LENGTH})",
        _rolling,
    ),
    _rule(
        rf"每(?P<skip>隔)?(?P<count>{_N})?(?:个)?(?P<unit>分钟|小时|钟头|天|日|周|星期|礼拜|月|年)(?![一二三四五六日天末初底])",
        _every,
    ),
    _rule(r"(?P<skip>隔)(?P<count>(?!))?(?P<unit>天|日|周|月|年)", _every),
    _rule(r"(?:每天|每日|天天|每(?P<part>晚|早)上?)", lambda m: _every_day(m)),
    _rule(
        rf"(?P<each>每隔?(?:逢|个|两个?|隔一?个?|一)?|逢|隔)"
        rf"(?P<days>{_WEEK}{_DIGIT}(?:[、,，和与跟及 ]{{0,2}}{_WEEK}?{_DIGIT}(?!点|时|月|号|个|次)){{0,6}})",
        _every_weekday,
    ),
    _rule(rf"每个?{_WEEK}(?P<first>{_DIGIT})(?:到|至|-|~){_WEEK}?(?P<last>{_DIGIT})", _every_run),
    _rule(rf"每个?月的?(?P<day>{_DAY_NUMBER})(?:号|日)", _every_month_day),
    _rule(r"每个?月的?(?P<edge>最后一天|第一天|初(?![一二三四五六七八九十])|底|末)", _every_month_edge),
    _rule(
        rf"每年的?(?P<month>\d{{1,2}}|十[一二]?|[一二三四五六七八九])月(?P<day>{_DAY_NUMBER})(?:号|日)?", _every_date
    ),
    _rule(r"(?:每个?|每逢)?(?:工作日|平日|上班日)", lambda m: _kind((0, 1, 2, 3, 4))),
    _rule(r"(?:每个?|每逢)周末", lambda m: _kind((5, 6))),
    *CLOCK_RULES,
]
