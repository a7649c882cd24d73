"""The passages that speak of a question: found by the index, ranked by how many of its rare words they hold."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.skillkit import Index

from .kinds import Kind, has
from .library import Entry, Library
from .reader import HEADING, Passage
from .terms import Concept, prepared

_POSTINGS = 300
_CANDIDATES = 60
_GENERIC = 0.4
_CONTEXT = 0.75
"""A word that stands only in the heading or the file's name counts so much."""
_PASSAGE = 0.55
"""And one that stands elsewhere in the passage so much."""
_MISSED = 0.5
"""What is left of a line's worth that lacks the month or number that was asked for."""


@dataclass(frozen=True)
class Spot:
    """A line of a file that speaks of the question."""

    entry: Entry
    passage: int
    """From 0, in the file."""
    line: int
    """From 0, in the passage."""
    score: float
    """0 to 1: the share of the question's words, rare ones counting more, that stand at this place."""


@dataclass(frozen=True)
class Wanted:
    """A question, taken apart."""

    concepts: Sequence[Concept]
    weights: Mapping[str, float]
    """By the concept's word: how rare it is, all together 1."""
    kind: Kind
    """What kind of answer it wants."""


async def rank(
    index: Index, library: Library, concepts: Sequence[Concept], scope: Sequence[Entry] | None, kind: Kind
) -> tuple[list[Spot], Wanted]:
    """The best places in the files of `scope` (all, if None), the best first, one per passage."""
    where = None if scope is None else {"file": [entry.id for entry in scope]}
    weights: dict[str, float] = {}
    scores: dict[str, float] = defaultdict(float)
    for concept in concepts:
        hits: dict[str, None] = {}
        for form in concept.forms():
            hits |= dict.fromkeys(await index.search(form, limit=_POSTINGS, where=where))
        count = len(hits) if len(hits) < _POSTINGS else library.size
        rarity = math.log(1 + (library.size + 1) / (count + 0.5))
        weights[concept.word] = rarity * (_GENERIC if concept.generic else 1)
        for place, id_ in enumerate(hits):
            scores[id_] += weights[concept.word] * (1 - place / (4 * _POSTINGS))
    total = sum(weights.values()) or 1.0
    wanted = Wanted(concepts, {word: weight / total for word, weight in weights.items()}, kind)
    spots: dict[tuple[str, int], Spot] = {}
    for id_ in sorted(scores, key=lambda id_: -scores[id_])[:_CANDIDATES]:
        spot = _best(library, id_, wanted)
        if spot is not None:
            spots.setdefault((spot.entry.id, spot.passage), spot)
    return sorted(spots.values(), key=lambda spot: -spot.score), wanted


def _best(library: Library, id_: str, wanted: Wanted) -> Spot | None:
    """The best line of a passage; for a file's head, of the file's first passage."""
    entry = library.entry(id_)
    passages = library.passages(entry) if entry else ()
    number = max(int(id_.partition(".")[2]) - 1, 0)
    if entry is None or number >= len(passages):
        return None
    passage = passages[number]
    scores = line_scores(entry, passages, passage, wanted)
    at = max(range(len(scores)), key=lambda at: scores[at])
    return Spot(entry, number, at, scores[at])


def line_scores(entry: Entry, passages: Sequence[Passage], passage: Passage, wanted: Wanted) -> list[float]:
    """How well each line of a passage speaks of what is wanted, 0 to 1."""
    file = prepared(f"{entry.shown}\n{title(passages)}".replace("_", " ").replace("-", " "))
    lines = [prepared(line) for line in passage.lines]
    shares = [{concept.word: concept.share(line) for concept in wanted.concepts} for line in lines]
    whole = {concept.word: max(share[concept.word] for share in shares) for concept in wanted.concepts}
    scores = []
    for at in range(len(lines)):
        section = prepared(passage.section(at))
        near = [share for number, share in enumerate(shares) if _neighbours(passage, at, number)]
        total = own = 0.0
        for concept in wanted.concepts:
            word, weight = concept.word, wanted.weights[concept.word]
            context = _CONTEXT * max(concept.share(section), concept.share(file))
            here = max(*(share[word] for share in near), context)
            total += weight * (here if concept.strict else max(here, _PASSAGE * whole[word]))
            own += weight * shares[at][word]
        score = 0.75 * total + 0.25 * own
        near_text = "\n".join(lines[number].folded for number in (at, at + 1) if _neighbours(passage, at, number))
        score *= 1.0 if has(wanted.kind, near_text) else 0.85
        scores.append(score * (0.9 if passage.lines[at].startswith(HEADING) else 1.0))
    return scores


def coverage(entry: Entry, passages: Sequence[Passage], passage: Passage, at: int, wanted: Wanted) -> float:
    """The share of the question that a line holds with its neighbours, its heading and its file's name, 0 to 1."""
    near = [line for number, line in enumerate(passage.lines) if _neighbours(passage, at, number)]
    around = f"{passage.section(at)}\n{entry.shown}\n{title(passages)}".replace("_", " ").replace("-", " ")
    text = prepared("\n".join([*near, around]))
    kind_met = wanted.kind in ("phone", "email", "web") and has(wanted.kind, passage.lines[at])
    total, missed = 0.0, False
    for concept in wanted.concepts:
        share = 1.0 if kind_met and _names_kind(concept) else concept.share(text)
        total += wanted.weights[concept.word] * share
        missed = missed or (concept.strict and not share)
    return total * _MISSED if missed else total


def _names_kind(concept: Concept) -> bool:
    return concept.generic or bool(
        {"phone", "telephone", "email", "mail", "website", "url", "网址"} & {concept.word, *concept.others}
    )


def _neighbours(passage: Passage, at: int, number: int) -> bool:
    """Whether a line stands next to another in the same section."""
    if not 0 <= number < len(passage.lines) or abs(number - at) > 1:
        return False
    return number <= at or not passage.lines[number].startswith(HEADING)


def title(passages: Sequence[Passage]) -> str:
    """What a file calls itself: its first heading or line."""
    return (passages[0].heading or passages[0].lines[0])[:160] if passages and passages[0].lines else ""
