"""What a question asks for: its concepts, each with the words of either language that may stand for it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_PIECE = re.compile(rf"([{_HAN}]+)|(\d{{1,2}}月|\d{{4}}年)|([a-z0-9]+(?:[.,:/-][0-9]+)*)")
_IRREGULAR = {"paid": "pay", "bought": "buy", "wrote": "write", "written": "write", "left": "leave", "fees": "fee"}
_MAY = re.compile(r"\b(?:in|by|until|till|since|of|for|from|before|after|last|next|early|late) May\b|\bMay \d")
_MONTH = re.compile(r"\d{1,2}月")
_MARKS = dict.fromkeys(range(0x300, 0x370))


def fold(text: str) -> str:
    """Text as it is compared: width, case and accents made alike."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).translate(_MARKS))


def stem(word: str) -> str:
    """An English word without its ending, so that `invoices`, `invoiced` and `invoice` are one."""
    word = _IRREGULAR.get(word, word)
    if not word.isascii() or len(word) < 4 or not word.isalpha():
        return word
    for ending, instead in (
        ("ations", ""), ("ation", ""), ("ments", ""), ("ment", ""), ("ies", "y"), ("ings", ""), ("ing", ""),
        ("sses", "ss"), ("ers", ""), ("ed", ""), ("er", ""), ("ly", ""), ("es", ""), ("s", ""),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word.rstrip("e")


@dataclass(frozen=True)
class Line:
    """A line prepared for matching."""

    folded: str
    stems: frozenset[str]


def prepared(text: str) -> Line:
    """The line's folded text and the stems of its words."""
    folded = fold(text)
    return Line(folded, frozenset(stem(word) for _, word in _pieces(folded) if word))


@dataclass(frozen=True)
class Concept:
    """One thing that the question names."""

    word: str
    """As it was said (folded)."""
    others: tuple[str, ...] = ()
    """What else may stand for it."""

    @property
    def strict(self) -> bool:
        """Whether it is a number, a year or a month, for which nothing else will do."""
        return self.word.isdigit() or bool(_MONTH.fullmatch(self.word)) or any(map(_MONTH.fullmatch, self.others))

    @property
    def generic(self) -> bool:
        """Whether it names only the kind of thing that is asked for: a number, a name, a date."""
        return self.word in _generic()

    @property
    def han(self) -> bool:
        """Whether it is written without spaces."""
        return bool(re.match(f"[{_HAN}]", self.word))

    def forms(self) -> Iterator[str]:
        """Queries that find it: itself, the pairs of a longer run, its other words."""
        yield self.word
        if self.han and len(self.word) > 2:
            yield from (self.word[at : at + 2] for at in range(len(self.word) - 1))
        yield from self.others

    def share(self, line: Line) -> float:
        """How much of it stands in the line, 0 to 1; another word for it counts a little less than itself."""
        own = _run_share(self.word, line.folded) if self.han else float(_has(self.word, line))
        return own if own == 1 else max(own, *(0.85 * _has(other, line) for other in self.others), 0.0)


def _has(form: str, line: Line) -> bool:
    if form[0].isdigit():
        return bool(re.search(rf"(?<!\d){re.escape(form)}(?!\d)", line.folded)) or _dated(form, line.folded)
    if re.search(f"[{_HAN}]", form):
        return form in line.folded
    return all(stem(word) in line.stems for _, word in _pieces(form) if word)


def _dated(form: str, text: str) -> bool:
    """Whether a month (`5月`) stands in the text as part of a date: 2026-05-12, 12.05.2026."""
    month = re.fullmatch(r"(\d{1,2})月", form)
    return bool(month and re.search(rf"\d{{4}}[-/.]0?{month[1]}\b|\b\d{{1,2}}\.0?{month[1]}\.", text))


def split(concept: Concept, known: Mapping[str, bool]) -> list[Concept]:
    """A run of Chinese in the words that the files know: chains of neighbouring pairs that stand there.

    No dictionary tells where a word ends; `known` tells of each pair (`pairs`) whether any file has it.
    """
    word = concept.word
    if not concept.han or concept.others or len(word) < 3:
        return [concept]
    parts, start = [], 0
    while start < len(word):
        end = start + 1
        while end < len(word) and known.get(word[end - 1 : end + 1], False) == known.get(
            word[start : start + 2], False
        ):
            end += 1
        chain = known.get(word[start : start + 2], False)
        if not chain and end < len(word):
            end -= 1  # the last character begins the known word behind
        parts.append(word[start : max(end, start + 1)])
        start = max(end, start + 1)
    kept = [part.strip(_table()["stop"]["weak"]) if not known.get(part[:2], False) else part for part in parts]
    return [Concept(part, tuple(_others(part))) for part in dict.fromkeys(kept) if len(part) > 1] or [concept]


def pairs(concepts: Iterable[Concept]) -> list[str]:
    """All neighbouring characters of the concepts' runs of Chinese."""
    words = [one.word for one in concepts if one.han and not one.others and len(one.word) > 2]
    return list(dict.fromkeys(word[at : at + 2] for word in words for at in range(len(word) - 1)))


def _run_share(run: str, text: str) -> float:
    """The share of a run's characters that stand in the text in neighbouring pairs (no dictionary tells its words)."""
    if run in text:
        return 1.0
    covered: set[int] = set()
    for at in range(len(run) - 1):
        if run[at : at + 2] in text:
            covered |= {at, at + 1}
    return len(covered) / len(run)


def concepts(question: str) -> list[Concept]:
    """The question's concepts in their order, without the words that every question has."""
    found: dict[str, Concept] = {}
    if _MAY.search(question):
        found["may"] = Concept("may", tuple(_others("may month")))
    stop = _stop_words()
    for run, word in _pieces(fold(question)):
        if word and word not in stop and (len(word) > 1 or word.isdigit()):
            found.setdefault(stem(word), Concept(word, tuple(_others(word))))
        for part in _words_of(run):
            found.setdefault(part, Concept(part, tuple(_others(part))))
    for phrase in _phrases(question):
        for word in phrase.split():
            concept = found.get(stem(word))
            if concept:
                found[stem(word)] = Concept(concept.word, (*concept.others, *_others(phrase)))
    return list(found.values())


def _phrases(question: str) -> Iterator[str]:
    """Known phrases of several words that stand in the question: `notice period`."""
    line = prepared(question)
    return (form for form in _groups() if " " in form and form.isascii() and _has(form, line))


def _words_of(run: str) -> Iterator[str]:
    """A run of Chinese without question words, with the words that the groups know taken as they are."""
    if not run:
        return
    if len(run) == 1 and not _borders().fullmatch(run):
        yield run
        return
    at = 0
    for found in _borders().finditer(run):
        yield from _trimmed(run[at : found.start()])
        if found.group() in _groups():
            yield found.group()
        at = found.end()
    yield from _trimmed(run[at:])


def _trimmed(rest: str) -> Iterator[str]:
    """What stands between known words, without the little words at its edges where more than one character is left."""
    bare = rest.strip(_table()["stop"]["weak"])
    if len(bare) > 1:
        yield bare
    elif len(rest) > 1:
        yield rest


def _others(word: str) -> list[str]:
    key = word if word in _groups() or " " in word or not word.isascii() else stem(word)
    return [other for other in _groups().get(key, ()) if other != word]


def _pieces(folded: str) -> Iterator[tuple[str, str]]:
    """Runs of Chinese as (run, ""), words and numbers as ("", word)."""
    for found in _PIECE.finditer(folded):
        yield found[1] or "", (found[2] or found[3] or "").removesuffix("年")


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = YAML(typ="safe").load((Path(__file__).parent / "terms.yaml").read_text(encoding="utf-8"))
    return table


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    """Every word of a group (and its stem) → all words of its groups."""
    groups: dict[str, tuple[str, ...]] = {}
    for group in _table()["groups"]:
        words = tuple(fold(str(word)) for word in group)
        for word in words:
            for key in {word, stem(word)} if " " not in word else {word}:
                groups[key] = tuple(dict.fromkeys((*groups.get(key, ()), *words)))
    return groups


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(_table()["stop"]["en"].split())


@cache
def _generic() -> frozenset[str]:
    return frozenset(_table()["stop"]["generic"].split())


@cache
def _borders() -> re.Pattern[str]:
    """Words that the groups know, and question words; of those at a place the longest."""
    known = {word for word in _groups() if len(word) > 1 and re.fullmatch(f"[{_HAN}]+", word)}
    ordered = sorted(known | set(_table()["stop"]["zh"].split()), key=lambda word: -len(word))
    return re.compile("|".join(ordered))
