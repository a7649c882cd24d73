"""Where numbers stand in a text, in digits, English words or Chinese numerals. Knows no money and no times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Literal

from assistant.values import amounts

_LATIN = "a-zß-öø-ÿāăąćčďđēęěğģīłńňōőœřśşšťūůűźżž"


@dataclass(frozen=True, slots=True)
class Counted:
    """A number at `start:end` of the folded text."""

    start: int
    end: int
    value: Decimal
    script: Literal["digits", "words", "chinese"]
    pair: bool = False
    written: str = ""
    """The digits alone: what a euro sign beside them may read otherwise."""


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(rf"(?<![0-9])(?P<digits>{amounts.DIGITS})(?:[.,][-–—](?![\w-]))?(?P<scale>{amounts.SCALE})?"),
        re.compile(amounts.ENGLISH_RUN),
        re.compile(rf"(?<![0-9.点]){amounts.CHINESE_RUN}"),
        re.compile(r"[a-z]+"),
    )


def numbers(text: str, locale: str) -> list[Counted]:
    """All numbers of a folded text, in order, none overlapping. Linear in its length."""
    found = [*_chinese(text), *_words(text), *_digits(text, locale)]
    found.sort(key=lambda number: (number.start, -number.end))
    chosen: list[Counted] = []
    for number in found:
        if not chosen or number.start >= chosen[-1].end:
            chosen.append(number)
    return chosen


def _digits(text: str, locale: str) -> Iterator[Counted]:
    for match in _patterns()[0].finditer(text):
        start, end = match.span()
        # Pieces of versions, addresses and times: 2.10.3, 10:30, 24/12.
        if re.match(r"[.,:/'][0-9]|[0-9]", text[end : end + 2]) or re.search(
            r"[0-9][.,:/]$", text[max(0, start - 2) : start]
        ):
            continue
        if not match["scale"] and re.match(rf"[{_LATIN}_]", text[end : end + 1]) and not _unit_follows(text, end):
            continue
        value = amounts.digits(match["digits"], locale)
        if value is None:
            continue
        written = match["digits"] if not match["scale"] else ""
        yield Counted(start, end, amounts.scaled(value, match["scale"]), "digits", written=written)


def _unit_follows(text: str, end: int) -> bool:
    """Whether a currency is written right behind the digits: 25eur, 50p."""
    word = _patterns()[3].match(text, end)
    return word is not None and word.group() in _UNITS


_UNITS = frozenset("eur usd gbp chf cny rmb jpy hkd euro euros dollars quid ct cents p c kč".split())


def _words(text: str) -> Iterator[Counted]:
    for run in _patterns()[1].finditer(text):
        tokens = [(run.start() + word.start(), word.group()) for word in re.finditer(r"[a-z]+", run.group())]
        position = 0
        while position < len(tokens):
            reading = amounts.english([word for _, word in tokens[position : position + 18]])
            if reading is None:
                position += 1
                continue
            last, word = tokens[position + reading.tokens - 1]
            yield Counted(tokens[position][0], last + len(word), reading.value, "words", reading.pair)
            position += reading.tokens


def _chinese(text: str) -> Iterator[Counted]:
    for match in _patterns()[2].finditer(text):
        said = match.group()
        if said.isascii():
            continue
        end = match.end()
        value = amounts.chinese(said)
        if value is None and "点" in said:
            end = match.start() + said.index("点")
            value = amounts.chinese(text[match.start() : end])
        if value is not None:
            yield Counted(match.start(), end, value, "chinese")
