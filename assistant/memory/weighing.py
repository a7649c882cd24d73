"""Numbers of a recall: scores made comparable, and what the words around a text and the facts in it say of its worth.

Knows no database and no model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assistant.memory.evidence import Neighbour
from assistant.memory.kinds import kinds
from assistant.vectors import Leg

_LEAST_DEVIATION = 1.0
"""Of lexical scores: where little is kept, every common word stands out."""
_OWN = 0.15
"""Of a neighbour's part where the same person speaks: the answer to a question comes from another one."""
_SPEAKER = 1.0
_ASKING = -0.7
_LENGTH = 0.5
_THREAD = 0.3
_GUIDES = 4.0
_GONE = -1.0
_FULL = 200
"""Characters from which a piece of evidence counts as long."""


@dataclass
class Candidate:
    """A piece of evidence on its way into the answer."""

    number: int
    text: str
    speaker: str
    thread: str
    at: str
    """UTC: sorts as time does."""
    stated: Sequence[tuple[str, bool]] = ()
    """The predicates of the facts that were read in it, and whether they hold."""
    score: float = 0.0

    @property
    def guides(self) -> bool:
        """Whether it says how the user wants things."""
        return any(holds and kinds().predicates[predicate].guides for predicate, holds in self.stated)


@dataclass(frozen=True)
class Scores:
    """What one way of searching says: numbers → scores, and how such scores are spread over all that is kept."""

    known: Mapping[int, float]
    mean: float
    deviation: float
    around: Mapping[int, float] = field(default_factory=dict)
    """Offset → how much of a neighbour's score counts."""
    missing: bool = False
    """Whether a score that is not known is like the text's own (it may be any), not 0 (no word is in it)."""

    def standard(self, number: int, beside: Sequence[Neighbour]) -> float:
        """The score with its neighbours' parts, in deviations from the mean of such sums."""
        own = self.known.get(number, 0.0)
        total, whole, wide = own, 1.0, 1.0
        other = own if self.missing else 0.0
        parts = {one.offset: (one.number, _OWN if one.same else 1.0) for one in beside}
        for offset, weight in self.around.items():
            near, share = parts.get(offset, (0, 1.0))
            total += share * weight * self.known.get(near, other)
            whole += share * weight
            wide += (share * weight) ** 2
        return (total - whole * self.mean) / ((math.sqrt(wide) * self.deviation) or 1.0)


def of_words(known: Mapping[int, float], count: int, around: Mapping[int, float]) -> Scores:
    """Lexical scores over `count` texts of which all but those given score 0."""
    mean, deviation = moments(known.values(), count)
    return Scores(known, mean, max(deviation, _LEAST_DEVIATION), around)


def of_leg(leg: Leg, around: Mapping[int, float]) -> Scores:
    """What a model says: of those asked about, the best, and what stands before and after the best."""
    beside = [pair for hit in leg.best for pair in ((hit.slot - 1, hit.before), (hit.slot + 1, hit.after))]
    known = {slot: score for slot, score in beside if score is not None}
    known |= {hit.slot: hit.score for hit in leg.best} | leg.among
    return Scores(known, leg.mean, leg.deviation, around, missing=True)


def moments(scores: Iterable[float], count: int) -> tuple[float, float]:
    """Mean and standard deviation over `count` items of which all but those given score 0."""
    kept = list(scores)
    mean = sum(kept) / max(count, 1)
    square = sum(score * score for score in kept) / max(count, 1)
    return mean, math.sqrt(max(square - mean * mean, 0.0))


def adjust(candidates: Sequence[Candidate], query: str, *, advice: bool) -> None:
    """Add what the words around and the facts in it say of a text's worth."""
    names = {one.speaker for one in candidates if one.speaker}
    named = {name for name in names if re.search(rf"\b{re.escape(name.split()[0])}\b", query, re.IGNORECASE)}
    for one in candidates:
        text = one.text.rstrip()
        if len(named) == 1 and one.speaker in named:
            one.score += _SPEAKER
        one.score += _LENGTH * min(len(text), _FULL) / _FULL
        one.score += _ASKING if text.endswith(("?", "？")) else 0.0
        one.score += _GUIDES if advice and one.guides else 0.0
        if one.stated and not any(holds for _, holds in one.stated):
            one.score += _GONE
    threads: dict[str, list[float]] = {}
    for one in candidates:
        threads.setdefault(one.thread, []).append(one.score)
    best = {thread: sum(sorted(scores)[-3:]) / 3 for thread, scores in threads.items()}
    for one in candidates:
        if one.thread:
            one.score += _THREAD * best[one.thread]
