"""What the rules of German, French and Spanish share: tables of words, and how a rule's named groups become atoms.

Knows no language: each module brings its words and its patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from assistant.values.atoms import (
    Built,
    Clock,
    DayOfMonth,
    Every,
    Length,
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
from assistant.values.english_clock import of_unit
from assistant.values.spoken import Spoken, choice, number, numerals

Frequency = Literal["MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]
_FREQUENCIES: dict[str, Frequency] = {
    "minute": "MINUTELY",
    "hour": "HOURLY",
    "day": "DAILY",
    "week": "WEEKLY",
    "month": "MONTHLY",
    "year": "YEARLY",
}
_UNITS: tuple[str, ...] = get_args(Unit)
FORMAL_FROM = 5
"""Below this hour even "3 Uhr" tomorrow is rather the afternoon."""
NOT_AN_HOUR = (
    r"(?! ?(?:%|€|\$|£|euros?|eur|cent|dollars?|prozent|percent|pour ?cent|por ?ciento|grad|degres|grados|mal|fois"
    r"|veces|personen|leute|personnes|personas|gaste|km|kg|meter|metres|metros))"
)


def listed(text: str) -> dict[str, int]:
    """`"montag mo / dienstag di"` → {"montag": 0, "mo": 0, "dienstag": 1, …}."""
    return {word: place for place, group in enumerate(text.split("/")) for word in group.split()}


def rule(pattern: str, build: Callable[[re.Match[str]], Built]) -> Rule:
    """A rule for whole words of accentless text."""
    return re.compile(rf"(?<![a-z0-9ß]){pattern}(?![a-z0-9ß])"), build


@dataclass(frozen=True)
class Lexicon:
    """A language's words; every method reads the named groups of a match and gives what an atom holds."""

    language: Spoken
    days: Mapping[str, int]
    weekdays: Mapping[str, int]
    months: Mapping[str, int]
    parts: Mapping[str, PartName]
    which: Mapping[str, int]
    """"Last", "this", "next" in all forms, as steps from the present unit."""
    later: frozenset[str]
    """Those that make a weekday the coming one after today, instead of next week's."""
    units: Mapping[str, str]
    """Units of time → their English names."""
    ordinals: Mapping[str, int]
    """Also the last, as -1."""
    minutes: Mapping[str, int]
    """Words for minutes that are no numbers: a quarter, half."""
    length_pattern: str
    """A whole length of time."""
    piece: re.Pattern[str]
    """A piece of a length: `special`, or `n` and `unit`, and `more` for a fraction behind them."""
    towards: Mapping[str, int] = field(default_factory=dict)
    """Words in front of an hour → the minutes that are missing to it."""
    hours: Mapping[str, int] = field(default_factory=dict)
    """Hours with a name: midday, midnight."""
    homonyms: frozenset[str] = frozenset()
    """Months that are other words too, weak alone."""
    lengths: Mapping[str, int] = field(default_factory=dict)
    """The special ones, in seconds."""
    fractions: Mapping[str, float] = field(default_factory=dict)
    """Words in `n` and `more` that are no whole numbers, and vague ones ("a few")."""

    @property
    def weekday_name(self) -> str:
        """A pattern of a weekday."""
        return choice(self.weekdays)

    @property
    def below_hundred(self) -> str:
        """A pattern of a small number in digits or words."""
        return rf"(?:\d{{1,3}}(?:[.,]\d{{1,2}})?|{numerals(self.language).below_hundred})"

    def number(self, text: str) -> int | None:
        """A whole number in digits or words."""
        read = number(text, self.language)
        return int(read) if read is not None and read == int(read) else None

    def ordinal(self, text: str) -> int | None:
        """ "5.", "1er", "fünften"."""
        if text in self.ordinals:
            return self.ordinals[text]
        digits = re.match(r"[0-9]{1,4}", text)
        return int(digits.group()) if digits else self.number(text)

    def relative(self, match: re.Match[str]) -> Built:
        """`rel`, and a part of that day."""
        return self._in_part(match, {"day": Relative(self.days[_squeezed(match["rel"])])})

    def weekday(self, match: re.Match[str]) -> Built:
        """`weekday`, which one, and a part of it."""
        which = _which(match)
        later = which in self.later
        week = None if which is None or later else self.which[which]
        return self._in_part(match, {"day": Weekday(self.weekdays[match["weekday"]], week, later)})

    def _in_part(self, match: re.Match[str], built: dict[str, Any]) -> Built:
        part = match.groupdict().get("part")
        return built | {"part": self.parts[_squeezed(part)]} if part else built

    def month_day(self, match: re.Match[str]) -> Built:
        """`day` and `month` in words or digits, `year` if said."""
        day = self.ordinal(match["day"])
        month = self._month(match["month"])
        year = _year(match)
        if day is None or month is None or (year is None and not 1 <= month <= 12):
            return None
        return {"day": MonthDay(month, day, year)}

    def _month(self, text: str) -> int | None:
        return self.months[text] + 1 if text in self.months else self.number(text)

    def day_of_month(self, match: re.Match[str]) -> Built:
        """`day` of the month that `which` says."""
        day = self.ordinal(match["day"])
        which = _which(match)
        if day is None or (which is None and not 1 <= day <= 31):
            return None
        return {"day": DayOfMonth(day, None if which is None else self.which[which])}

    def nth(self, match: re.Match[str]) -> Built:
        """`n`th `weekday` (or day) of a `month`, of which one, or of `every` month."""
        n = self.ordinal(match["n"])
        groups = match.groupdict()
        weekday = self.weekdays[match["weekday"]] if groups.get("weekday") else None
        if n is None or (weekday is not None and n > 5):
            return None
        if groups.get("every"):
            return {"every": nth_every(Every("MONTHLY"), n, weekday)}
        if groups.get("month"):
            return {"day": Nth(n, weekday, named=self.months[match["month"]] + 1, year=_year(match))}
        which = _which(match)
        return {"day": Nth(n, weekday, month=self.which[which] if which else None)}

    def edge(self, match: re.Match[str]) -> Built:
        """The `end`, `mid`dle or beginning of a `unit` (which one) or a `month`."""
        groups = match.groupdict()
        end, middle = bool(groups.get("end")), bool(groups.get("mid"))
        n = -1 if end else 15 if middle else 1
        if groups.get("month"):
            return {"day": Nth(n, named=self.months[match["month"]] + 1, year=_year(match)), "vague": True}
        which = _which(match)
        offset = self.which[which] if which else None
        unit = self._unit(match)
        if unit == "year":
            return {"day": MonthDay(12 if end else 1, 31 if end else 1, year_offset=offset or 0), "vague": True}
        if unit == "week":
            return {"day": Weekday(4 if end else 2 if middle else 0, offset or 0), "vague": True}
        return {"day": Nth(n, month=offset), "vague": True} if unit == "month" else None

    def _unit(self, match: re.Match[str]) -> str:
        return self.units[_squeezed(match["unit"])]

    def stretch(self, match: re.Match[str]) -> Built:
        """A whole `unit`, and which one."""
        which, unit = _which(match), self._unit(match)
        return {"period": Stretch(cast(Unit, unit), self.which[which] if which else 0)} if unit in _UNITS else None

    def rolling(self, match: re.Match[str]) -> Built:
        """So much time back (`back`) or ahead: a `length`, or `count` and `unit` apart."""
        groups = match.groupdict()
        measured = self.length(groups.get("length") or f"{groups['count']} {groups['unit']}")
        return {"period": Rolling(measured, -1 if match["back"] else 1)} if measured else None

    def named_month(self, match: re.Match[str]) -> Built:
        """`month`, with its `year` or which one; alone and short it is weak ("jan", "mai")."""
        which, year = _which(match), _year(match)
        period = NamedMonth(self.months[match["month"]] + 1, year, self.which[which] if which else None)
        sure = match.groupdict().get("sure") is not None or which is not None or year is not None
        return {"period": period, "weak": not sure and match["month"] in self.homonyms}

    def year(self, match: re.Match[str]) -> Built:
        """`year` as a period."""
        return {"period": NamedYear(int(match["year"]))}

    def every(self, match: re.Match[str]) -> Built:
        """Every (`count`) `unit`, or every part of the day."""
        groups = match.groupdict()
        count = self.ordinals.get(groups["count"]) or self.number(groups["count"]) if groups.get("count") else 1
        if not count or count < 1:
            return None
        if groups.get("part"):
            return {"every": Every("DAILY", count), "part": self.parts[_squeezed(match["part"])]}
        frequency = _FREQUENCIES.get(self._unit(match))
        return {"every": Every(frequency, count)} if frequency else None

    def every_weekday(self, match: re.Match[str]) -> Built:
        """All the weekdays in `days`, every `second` one if so said, in a part of the day."""
        found = re.findall(rf"(?<![a-z]){self.weekday_name}", match["days"])
        interval = 2 if match.groupdict().get("second") else 1
        every = Every("WEEKLY", interval, by_day=codes(self.weekdays[word] for word in found))
        return self._in_part(match, {"every": every})

    def every_run(self, match: re.Match[str]) -> Built:
        """From weekday `first` to `last`."""
        first, last = self.weekdays[match["first"]], self.weekdays[match["last"]]
        return {"every": Every("WEEKLY", by_day=codes((first + step) % 7 for step in range((last - first) % 7 + 1)))}

    def every_date(self, match: re.Match[str]) -> Built:
        """The same `day` of every month, or of one `month` every year."""
        day = self.ordinal(match["day"])
        if day is None:
            return None
        if match.groupdict().get("month"):
            month = self._month(match["month"])
            return {"every": Every("YEARLY", by_month=month, by_month_day=day)} if month else None
        return {"every": Every("MONTHLY", by_month_day=day)}

    def part(self, match: re.Match[str]) -> Built:
        """A part of the day; weak without the words that make it a time (`sure`)."""
        return {"part": self.parts[_squeezed(match["part"])], "weak": match.groupdict().get("sure") is None}

    def clock(self, match: re.Match[str]) -> Built:
        """`hour` with `minute` in digits or words, `plus` or `minus` some, or something `towards` it."""
        groups = match.groupdict()
        hour = self.hours.get(match["hour"], self.number(match["hour"]))
        if hour is None:
            return None
        minute = self.number(groups["minute"]) if groups.get("minute") else 0
        shift = self._shift(groups)
        if minute is None or shift is None:
            return None
        exact = hour > 12 or hour == 0 or match["hour"].startswith("0") or match["hour"] in self.hours
        formal = groups.get("formal") is not None and match["hour"].isdigit() and hour >= FORMAL_FROM
        if shift:
            turn = 24 * 60 if exact else 12 * 60
            hour, minute = divmod((hour * 60 + shift) % turn, 60)
            hour = 12 if hour == 0 and not exact else hour
        half = groups.get("meridiem")
        meridiem: Literal["am", "pm"] | None = None if not half else "am" if half.startswith("a") else "pm"
        clock = Clock(hour, minute, meridiem, exact and not meridiem, match.group().strip(), formal)
        return self._in_part(match, {"clock": clock, "vague": bool(groups.get("about"))})

    def _shift(self, groups: Mapping[str, str | None]) -> int | None:
        towards = groups.get("towards")
        total = -self.towards[_squeezed(towards.strip())] if towards else 0
        for name, sign in (("plus", 1), ("minus", -1)):
            words = groups.get(name)
            if not words:
                continue
            amount = self.minutes.get(words, self.number(words))
            if amount is None or amount > 59:
                return None
            total += sign * amount
        return total

    def bare_clock(self, match: re.Match[str]) -> Built:
        """A clock time that needs another piece beside it: "von 10"."""
        built = self.clock(match)
        return built | {"weak": True} if built else None

    def length(self, text: str) -> Length | None:
        """A length of time in words; None where it is none."""
        short = re.fullmatch(r"(\d{1,2}) ?h(?: ?(\d{1,2}) ?(?:m|min|mn)?)?", text)
        if short:
            return Length(seconds=int(short[1]) * 3600 + int(short[2] or 0) * 60)
        months, days, seconds = 0, 0, 0
        for piece in self.piece.finditer(text):
            if piece["special"]:
                seconds += self.lengths[_squeezed(piece["special"])]
                continue
            count = self._count(piece)
            if count is None:
                return None
            made = of_unit(count, self._unit(piece))
            months, days, seconds = months + made.months, days + made.days, seconds + made.seconds
        total = Length(months, days, seconds)
        return total if total != Length() else None

    def whole_length(self, text: str) -> Length | None:
        """The length that the whole of `text` is; None where it is none."""
        return self.length(text) if re.fullmatch(self.length_pattern, text) else None

    def _count(self, piece: re.Match[str]) -> float | None:
        said = _squeezed(piece["n"].strip())
        count = self.fractions[said] if said in self.fractions else number(said, self.language)
        return None if count is None else count + self.fractions.get((piece["more"] or "").strip(), 0)

    def of_length(self, name: Literal["length", "offset"], sign: int = 1) -> Callable[[re.Match[str]], Built]:
        """A builder for `length`: as it is, or as time from now."""

        def build(match: re.Match[str]) -> Built:
            measured = self.length(match["length"])
            return {name: measured if sign > 0 else -measured} if measured else None

        return build


def _squeezed(words: str) -> str:
    return words.replace("-", " ")


def _which(match: re.Match[str]) -> str | None:
    """The word for "last", "this" or "next", which a language may put in front or behind."""
    groups = match.groupdict()
    said = groups.get("which") or groups.get("which_after")
    return _squeezed(said) if said else None


def _year(match: re.Match[str]) -> int | None:
    said = match.groupdict().get("year")
    return None if not said else int(said) if len(said) == 4 else 2000 + int(said)


def kind(weekdays: tuple[int, ...]) -> Callable[[re.Match[str]], Built]:
    """A builder for "every working day" and the like."""
    return lambda _: {"every": Every("WEEKLY", by_day=codes(weekdays))}


def frequency(name: Frequency, interval: int = 1) -> Callable[[re.Match[str]], Built]:
    """A builder for adverbs like "daily"."""
    return lambda _: {"every": Every(name, interval)}


def fixed_clock(hour: int) -> Callable[[re.Match[str]], Built]:
    """A builder for midnight and midday."""
    return lambda _: {"clock": Clock(hour, exact=True)}


def iso_day(match: re.Match[str]) -> Built:
    """`year`, `month` and `day` in digits."""
    return {"day": MonthDay(int(match["month"]), int(match["day"]), int(match["year"]))}


COMMON: list[Rule] = [rule(r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})", iso_day)]
"""Written alike in all three languages."""
