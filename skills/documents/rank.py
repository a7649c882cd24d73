"""The lines that speak of a question: found by the index, ranked by how many of its rare words they hold together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.skillkit import Index

from .kinds import Kind, has
from .library import Entry, Library
from .reader import HEADING, Passage
from .terms import Concept, pairs, prepared, split
from .terms import Line as Words

_POSTINGS = 300
_CANDIDATES = 60
_FILES = 3
_WHOLE_FILE = 30
"""Of the best files all passages are looked at, if not more than so many: the answer may stand among other words."""
_GENERIC = 0.4
_LOOSE = 0.5
"""What a piece of a longer Chinese run counts that no file has: it may be no word at all."""
_CONTEXT = 0.8
"""A word that stands only in the heading or the file's name counts so much."""
_PASSAGE = 0.5
"""One that stands elsewhere in the passage so much, and elsewhere in the file so much."""
_FILE = 0.3
_OWN = 0.25
_NO_KIND = 0.75
_HEADED = 0.85
_MISSED = 0.5
"""What is left of a line's worth that lacks the month or number that was asked for."""


@dataclass(frozen=True)
class Line:
    """One line of a file."""

    entry: Entry
    number: int
    """Of the passage in the file, from 0."""
    passage: Passage
    at: int
    """In the passage, from 0."""

    @property
    def text(self) -> str:
        """As it stands there."""
        return self.passage.lines[self.at].removeprefix(HEADING)

    @property
    def heading(self) -> bool:
        """Whether it is one."""
        return self.passage.lines[self.at].startswith(HEADING)

    @property
    def section(self) -> str:
        """The heading that governs it."""
        return self.passage.section(self.at)


@dataclass(frozen=True)
class Wanted:
    """A question, taken apart."""

    concepts: Sequence[Concept]
    weights: Mapping[str, float]
    """By the concept's word: how rare it is, all together 1."""
    kind: Kind
    """What kind of answer it wants."""


@dataclass(frozen=True)
class Ranking:
    """Lines with their scores (0 to 1), the best first, and what they were ranked for."""

    lines: Sequence[tuple[Line, float]]
    wanted: Wanted

    @property
    def best(self) -> float:
        """The best score."""
        return self.lines[0][1] if self.lines else 0.0

    def places(self) -> list[tuple[Line, float]]:
        """The best line of each passage."""
        kept: dict[tuple[str, int], tuple[Line, float]] = {}
        for line, score in self.lines:
            kept.setdefault((line.entry.id, line.number), (line, score))
        return list(kept.values())


async def rank(
    index: Index,
    library: Library,
    concepts: Sequence[Concept],
    scope: Sequence[Entry] | None,
    kind: Kind,
    hints: Sequence[str] = (),
) -> Ranking:
    """Rank the lines of the files in `scope` (all, if None) for the concepts of a question.

    `hints` are further words that an answer may have: they lead to passages and count nothing by themselves.
    """
    where = None if scope is None else {"file": [entry.id for entry in scope]}

    async def hits(form: str) -> Sequence[str]:
        return await index.search(form, limit=_POSTINGS, where=where)

    known = {pair: bool(await index.search(pair, limit=1)) for pair in pairs(concepts)}
    parts = {concept.word: split(concept, known) for concept in concepts}
    weights: dict[str, float] = {}
    scores: dict[str, float] = defaultdict(float)
    for whole, pieces in parts.items():
        for concept in pieces:
            found: dict[str, None] = {}
            for form in concept.forms():
                found |= dict.fromkeys(await hits(form))
            count = len(found) if len(found) < _POSTINGS else library.size
            rarity = math.log(1 + (library.size + 1) / (count + 0.5))
            loose = _LOOSE if not found and concept.word != whole else 1
            weights[concept.word] = rarity * (_GENERIC if concept.generic else loose)
            for place, id_ in enumerate(found):
                scores[id_] += weights[concept.word] * (1 - place / (4 * _POSTINGS))
    typical = sum(weights.values()) / max(len(weights), 1)
    for hint in hints:
        for place, id_ in enumerate(await hits(hint)):
            scores[id_] += 0.5 * typical * (1 - place / (4 * _POSTINGS))
    total = sum(weights.values()) or 1.0
    all_concepts = {concept.word: concept for pieces in parts.values() for concept in pieces}
    wanted = Wanted(list(all_concepts.values()), {word: weight / total for word, weight in weights.items()}, kind)
    best = sorted(scores, key=lambda id_: -scores[id_])[:_CANDIDATES]
    lines = _scored(library, _passages(library, best), wanted, hints)
    return Ranking(sorted(lines, key=lambda pair: -pair[1]), wanted)


def _passages(library: Library, ids: Iterable[str]) -> dict[Entry, list[int]]:
    """The passages of these ids by file; of the first files all of them."""
    chosen: dict[Entry, list[int]] = {}
    for id_ in ids:
        entry = library.entry(id_)
        if entry is None:
            continue
        if entry not in chosen and len(chosen) < _FILES and entry.count <= _WHOLE_FILE:
            chosen[entry] = list(range(entry.count))
        number = max(int(id_.partition(".")[2]) - 1, 0)
        if number not in chosen.setdefault(entry, []) and number < entry.count:
            chosen[entry].append(number)
    return chosen


def _scored(
    library: Library, chosen: Mapping[Entry, Sequence[int]], wanted: Wanted, hints: Sequence[str]
) -> list[tuple[Line, float]]:
    scored: list[tuple[Line, float]] = []
    hinted = [Concept(hint) for hint in hints]
    for entry, numbers in chosen.items():
        passages = library.passages(entry)
        name = _words(f"{entry.shown}\n{title(passages)}".replace("_", " ").replace("-", " "))
        held = [_most(wanted, [_words(line) for line in passages[number].lines]) for number in numbers if passages]
        file = {word: max(one[word] for one in held) for word in wanted.weights} if held else {}
        for number in numbers if passages else ():
            passage = passages[number]
            context = {one.word: _CONTEXT * one.share(name) for one in wanted.concepts}
            context = {word: max(share, _FILE * file[word]) for word, share in context.items()}
            scores = _line_scores(passage, wanted, context, hinted)
            scored += [(Line(entry, number, passage, at), score) for at, score in enumerate(scores)]
    return scored


def _most(wanted: Wanted, lines: Sequence[Words]) -> dict[str, float]:
    return {one.word: max((one.share(line) for line in lines), default=0.0) for one in wanted.concepts}


def _line_scores(
    passage: Passage, wanted: Wanted, context: Mapping[str, float], hinted: Sequence[Concept]
) -> list[float]:
    """How well each line of a passage speaks of what is wanted, 0 to 1."""
    lines = [_words(line) for line in passage.lines]
    shares = [{concept.word: concept.share(line) for concept in wanted.concepts} for line in lines]
    whole = {word: max(share[word] for share in shares) for word in wanted.weights}
    scores = []
    for at in range(len(lines)):
        section = _words(passage.section(at))
        near = [share for number, share in enumerate(shares) if _neighbours(passage, at, number)]
        total = own = 0.0
        for concept in wanted.concepts:
            word, weight = concept.word, wanted.weights[concept.word]
            here = max(*(share[word] for share in near), _CONTEXT * concept.share(section), context[word])
            total += weight * (here if concept.strict else max(here, _PASSAGE * whole[word]))
            own += weight * shares[at][word]
        score = (1 - _OWN) * total + _OWN * own
        score += 0.04 * min(3, sum(hint.share(lines[at]) >= 0.8 for hint in hinted))
        score *= 1.0 if has(wanted.kind, passage.lines[at]) else _NO_KIND
        scores.append(min(score, 1.0) * (_HEADED if passage.lines[at].startswith(HEADING) else 1.0))
    return scores


def coverage(library: Library, line: Line, wanted: Wanted, *, alone: bool = False) -> float:
    """The share of the question that a line holds with its neighbours, its heading and its file's name, 0 to 1;
    `alone`, what it and its heading say."""
    near = [text for number, text in enumerate(line.passage.lines) if _neighbours(line.passage, line.at, number)]
    file = f"{line.entry.shown}\n{title(library.passages(line.entry))}".replace("_", " ").replace("-", " ")
    text = prepared("\n".join([line.text, line.section] if alone else [*near, line.section, file]))
    kind_met = wanted.kind in ("phone", "email", "web") and has(wanted.kind, line.text)
    total, missed = 0.0, False
    for concept in wanted.concepts:
        share = 1.0 if kind_met and _names_kind(concept) else concept.share(text)
        total += wanted.weights[concept.word] * share
        missed = missed or (concept.strict and not share)
    return total * _MISSED if missed else total


def lacks(library: Library, line: Line, wanted: Wanted) -> bool:
    """Whether a month or a number that the question names stands nowhere about the line."""
    near = [text for number, text in enumerate(line.passage.lines) if _neighbours(line.passage, line.at, number)]
    text = prepared("\n".join([*near, line.section, line.entry.shown, title(library.passages(line.entry))]))
    return any(concept.strict and not concept.share(text) for concept in wanted.concepts)


def _names_kind(concept: Concept) -> bool:
    names = {"phone", "telephone", "email", "mail", "website", "url", "网址"}
    return concept.generic or bool(names & {concept.word, *concept.others})


def _neighbours(passage: Passage, at: int, number: int) -> bool:
    """Whether a line stands next to another in the same section."""
    if not 0 <= number < len(passage.lines) or abs(number - at) > 1:
        return False
    return number <= at or not passage.lines[number].startswith(HEADING)


def title(passages: Sequence[Passage]) -> str:
    """What a file calls itself: its first heading or line."""
    return (passages[0].heading or passages[0].lines[0])[:160] if passages and passages[0].lines else ""


_words = lru_cache(maxsize=20_000)(prepared)
