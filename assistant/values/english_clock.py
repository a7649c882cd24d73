"""English clock times and lengths of time as atoms. Knows no days."""

from __future__ import annotations

import re
from typing import Literal

from assistant.values.atoms import Built, Clock, Length, Relative, Rule
from assistant.values.numbers import ENGLISH, ENGLISH_NUMBER, english

_B, _E = r"(?<![a-z0-9])", r"(?![a-z0-9])"
_MERIDIEM = r"(?:[ap]\. ?m\.|[ap] ?m)(?![a-z0-9])"
_HOUR_WORD = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_HOUR = rf"(?:\d{{1,2}}|{_HOUR_WORD})"
_MINUTE_WORD = (
    r"(?:o[h']?[ -](?:one|two|three|four|five|six|seven|eight|nine)"
    r"|(?:twenty|thirty|forty|fifty)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?"
    r"|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
)
_COUNTED = (
    r" ?(?:%|€|\$|£|euros?|eur|dollars?|usd|percent|people|persons?|degrees|points?|times?|stars|km|miles|a "
    r"|of |month|week|day|night|year|hour|minute|second)"
)
_NOT_AN_HOUR = rf"(?!{_COUNTED})"
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NUMBER = rf"(?:an?(?= )|{ENGLISH_NUMBER})"
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|nights?|weeks?|fortnights?|months?|years?)"

LENGTH = (
    rf"(?:half an hour|half[- ]hour|(?:a |one )?half[- ]a?[- ]?day"
    rf"|(?:three[- ]quarters of an hour|(?:a )?quarter of an hour|(?:a )?quarter hour)"
    rf"|(?:a couple of |a few |several ){_UNIT}"
    rf"|{_NUMBER}(?: and a half)?[ -]?{_UNIT}(?: and (?:a half|(?:a|three) quarters?)(?! ?(?:hour|an)))?"
    rf"(?:(?:,? and |,? )(?:half an hour|{_NUMBER} ?{_UNIT})){{0,3}}"
    rf"|\d{{1,3}}h ?\d{{1,2}}m?(?:in)?|\d{{1,3}}[hms])"
)
_SPECIAL = {
    "half an hour": 1800,
    "half hour": 1800,
    "half-hour": 1800,
    "three quarters of an hour": 2700,
    "three-quarters of an hour": 2700,
    "a quarter of an hour": 900,
    "quarter of an hour": 900,
    "a quarter hour": 900,
    "quarter hour": 900,
}
_PIECE = re.compile(
    rf"half an hour|(?P<some>a couple of |a few |several )(?P<few>{_UNIT})"
    rf"|(?P<n>{_NUMBER})(?P<half> and a half)?[ -]?(?P<unit>{_UNIT})(?P<more> and (?:a half|(?:a|three) quarters?))?"
)


def length(text: str) -> Length | None:
    """`"an hour and a half"`, `"2 weeks"`, `"1h30"` → the length; None where it is none."""
    if text in _SPECIAL:
        return Length(seconds=_SPECIAL[text])
    if "half" in text and text.endswith("day"):
        return Length(seconds=12 * 3600)
    short = re.fullmatch(r"(\d{1,3})h ?(\d{1,2})m?(?:in)?", text)
    if short:
        return Length(seconds=int(short[1]) * 3600 + int(short[2]) * 60)
    if re.fullmatch(r"\d{1,3}[hms]", text):
        return Length(seconds=int(text[:-1]) * _UNIT_SECONDS[text[-1]])
    total = Length()
    for piece in _PIECE.finditer(text):
        if piece.group() == "half an hour":
            total = _add(total, Length(seconds=1800))
            continue
        unit = piece["unit"] or piece["few"]
        count = _count(piece)
        if count is None:
            return None
        total = _add(total, of_unit(count, unit))
    return total if total != Length() else None


def _count(piece: re.Match[str]) -> float | None:
    if piece["some"]:
        return 2 if "couple" in piece["some"] else 3
    count = english(piece["n"])
    if count is None:
        return None
    extra = (piece["more"] or "") + (piece["half"] or "")
    return count + (0.5 if "half" in extra else 0.75 if "three" in extra else 0.25 if "quarter" in extra else 0)


def _add(one: Length, other: Length) -> Length:
    return Length(one.months + other.months, one.days + other.days, one.seconds + other.seconds)


def of_unit(count: float, unit: str) -> Length:
    """`count` English units; fractions of a day or longer go down to the next smaller unit."""
    letter = unit[:2]
    if letter in ("se", "mi", "ho", "hr"):
        return Length(seconds=round(count * {"se": 1, "mi": 60}.get(letter, 3600)))
    if letter in ("da", "ni"):
        return Length(days=int(count), seconds=round((count % 1) * 86400))
    if letter in ("we", "fo"):
        return Length(days=round(count * (7 if letter == "we" else 14)))
    if letter == "mo":
        return Length(months=int(count), days=round((count % 1) * 30))
    return Length(months=round(count * 12))


def _hour(text: str) -> int:
    return ENGLISH[text] if text in ENGLISH else int(text)


def _meridiem(text: str | None) -> Literal["am", "pm"] | None:
    if not text:
        return None
    return "am" if text.startswith("a") else "pm"


def _clock(match: re.Match[str]) -> Built:
    groups = match.groupdict()
    minute = groups.get("minute")
    hour = match["hour"]
    meridiem = _meridiem(groups.get("meridiem"))
    exact = meridiem is None and (hour.startswith("0") or int(_hour(hour)) > 12)
    return {
        "clock": Clock(_hour(hour), int(minute) if minute else 0, meridiem, exact, said=match.group().strip()),
        "vague": bool(groups.get("about")),
    }


def _bare(match: re.Match[str]) -> Built:
    built = _clock(match)
    if built is None or (match.groupdict().get("minute") and _hour(match["hour"]) > 23):
        return None
    return built | {"weak": True}


def _bare_words(match: re.Match[str]) -> Built:
    said = match["minute_word"]
    minute = english(re.sub(r"^o[h']?[ -]", "", said)) if said else 0
    return None if minute is None else {"clock": Clock(_hour(match["hour"]), int(minute)), "weak": True}


def _relative_clock(match: re.Match[str]) -> Built:
    minutes = match["minutes"]
    amount = {"half": 30, "quarter": 15, "a quarter": 15}.get(minutes)
    if amount is None:
        number = english(minutes)
        if number is None or number != int(number) or number > 59:
            return None
        amount = int(number)
    hour = _hour(match["hour"])
    if match["side"] in ("to", "before"):
        amount = -amount
    total = (hour * 60 + amount) % (24 * 60)
    # "Quarter to one" is 12:45 of either half of the day, not only at night.
    hours = 12 if hour == 1 and total < 60 else total // 60
    return {"clock": Clock(hours, total % 60, _meridiem(match["meridiem"]), hour > 12)}


def _half_hour(match: re.Match[str]) -> Built:
    return {"clock": Clock(_hour(match["hour"]), 30)}


def _spoken(match: re.Match[str]) -> Built:
    if not match["at"] and not match["meridiem"]:
        return None
    minute = english(re.sub(r"^o[h']?[ -]", "", match["minute"]))
    if minute is None:
        return None
    return {"clock": Clock(_hour(match["hour"]), int(minute), _meridiem(match["meridiem"]))}


def _length(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"length": measured} if measured else None


def _ahead(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"offset": measured} if measured else None


def _back(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    return {"offset": -measured} if measured else None


def _from_day(match: re.Match[str]) -> Built:
    measured = length(match["length"])
    if measured is None or measured.months or measured.seconds:
        return None
    return {"day": Relative(measured.days + (1 if match["day"] == "tomorrow" else 0))}


def _rule(pattern: str, build: object) -> Rule:
    return re.compile(_B + pattern), build  # type: ignore[return-value]


_ABOUT = r"(?P<about>(?:at )?(?:around|about|approximately|roughly) )"
CLOCK_RULES: list[Rule] = [
    _rule(rf"(?:{_ABOUT}|at |@ ?)?(?P<hour>\d{{1,2}})(?:[:.](?P<minute>\d\d))? ?(?P<meridiem>{_MERIDIEM})", _clock),
    _rule(rf"(?:{_ABOUT}|at |@ ?)?(?P<hour>{_HOUR_WORD}) ?(?P<meridiem>{_MERIDIEM})", _clock),
    _rule(rf"(?:{_ABOUT}|at |@ ?)?(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::\d\d)?(?: ?hours)?(?![:\d]|\.\d)", _clock),
    _rule(r"(?:at |@ ?)(?P<hour>\d{1,2})\.(?P<minute>\d\d)(?![\d%]| ?(?:€|\$|euro|dollar|percent))", _clock),
    _rule(rf"(?:{_ABOUT}|at |@ ?)(?P<hour>\d{{1,2}})(?: ?o'?clock)?(?![a-z0-9:]|[.,]\d){_NOT_AN_HOUR}", _clock),
    _rule(
        rf"(?:at |around )(?P<hour>{_HOUR_WORD})"
        rf"(?![a-z0-9]|[- ](?:thirty|fifteen|forty|ten|twenty|fifty)){_NOT_AN_HOUR}",
        _clock,
    ),
    _rule(rf"(?:at )?(?P<hour>{_HOUR}) ?o'?clock(?![a-z0-9])", _clock),
    _rule(rf"(?P<hour>{_HOUR})(?= (?:in the (?:morning|afternoon|evening)|at night)(?![a-z]))", _clock),
    _rule(
        rf"(?:(?<=from )|(?<=by )|(?<=until )|(?<=till )|(?<=between )|(?<=before )|(?<=after )|(?<=to )|(?<=and )"
        rf"|(?<=\d-)|(?<=\d–)|(?<=\d - )|(?<=\d – ))(?P<hour>\d{{1,2}})(?:[:.](?P<minute>\d\d))?"
        rf"(?![a-z0-9:]|[.,-]\d){_NOT_AN_HOUR}",
        _bare,
    ),
    _rule(
        rf"(?<![-\d])(?P<hour>\d{{1,2}})(?=\s?[-–—]\s?\d{{1,2}}(?![\d/.-]|:?\d?[-.]))(?!\s?[-–—]\s?\d{{1,2}}{_COUNTED})",
        _bare,
    ),
    _rule(rf"(?<![-\d])(?P<hour>{_HOUR})(?= (?:to|till|until) {_HOUR}(?:[:.]\d\d)? ?(?:{_MERIDIEM}|o'?clock))", _bare),
    _rule(r"(?:(?<=day )|(?<=tomorrow )|(?<=\d(?:st|nd|rd|th) ))(?P<hour>\d{1,2})(?= (?:to|till|until) \d)", _bare),
    _rule(
        rf"(?:(?<=from )|(?<=between )|(?<=to )|(?<=and )|(?<=until )|(?<=till ))(?P<hour>{_HOUR_WORD})"
        rf"(?:[ -](?P<minute_word>{_MINUTE_WORD}))?(?![a-z0-9]|[- ](?:hundred|thousand|point|dozen))"
        rf"(?! {_HOUR_WORD}(?![a-z])){_NOT_AN_HOUR}",
        _bare_words,
    ),
    _rule(
        rf"(?:at |around )?(?P<minutes>half|a quarter|quarter|(?<!from ){ENGLISH_NUMBER})(?: minutes?)? "
        rf"(?P<side>past|to|after|before) "
        rf"(?P<hour>{_HOUR})(?! ?(?:[:.]\d|(?:euros?|people|percent|%)))(?: ?(?P<meridiem>{_MERIDIEM}))?{_E}",
        lambda m: (
            None
            if m["side"] in ("after", "before", "to") and m["minutes"][0].isdigit() and "minute" not in m.group()
            else _relative_clock(m)
        ),
    ),
    _rule(
        rf"(?:(?:at|around) )?(?<!and )(?<!a )half (?P<hour>{_HOUR_WORD})(?![- ](?:hundred|thousand|-))"
        rf"{_E}{_NOT_AN_HOUR}",
        _half_hour,
    ),
    _rule(
        rf"(?P<at>(?:at|around) )?(?P<hour>{_HOUR_WORD})[ -](?P<minute>{_MINUTE_WORD})"
        rf"(?: ?(?P<meridiem>{_MERIDIEM}))?{_E}",
        _spoken,
    ),
    _rule(rf"(?:at )?(?:twelve |12 )?(?:noon|midday){_E}", lambda m: {"clock": Clock(12, exact=True)}),
    _rule(rf"(?:at )?(?:twelve |12 )?midnight{_E}", lambda m: {"clock": Clock(24, exact=True)}),
    _rule(rf"(?P<length>{LENGTH}){_E}", _length),
    _rule(rf"in (?:about |around |exactly )?(?P<length>{LENGTH})(?:'s? time)?{_E}", _ahead),
    _rule(rf"(?P<length>{LENGTH})(?: from now| later| hence){_E}", _ahead),
    _rule(rf"(?P<length>{LENGTH}) (?:ago|earlier){_E}", _back),
    _rule(rf"(?P<length>{LENGTH}) from (?P<day>today|tomorrow){_E}", _from_day),
]
