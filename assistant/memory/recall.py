"""What of all that was said answers a question: words and meaning weighed together, with what stands around them.

Scores are standardised over the whole collection before they are added (convex combination of normalised scores, Bruch
et al. 2023: better than reciprocal ranks wherever one leg is much the stronger). The weights were chosen on development
sets and are the same for every kind of question; `docs/decisions/0030-how-the-profile-is-searched.md` has the figures.
No language model is asked.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from assistant.errors import EngineError
from assistant.knowledge import Evidence, Fact, Recalled
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.kinds import kinds
from assistant.memory.vectors import FAMILIES, VectorFiles, family
from assistant.ports import Embedder
from assistant.resources import bundled
from assistant.vectors import Leg

_log = logging.getLogger(__name__)
ENOUGH = 1.2
"""The score from which something that was recalled answers the question."""
_WORDS = 200
_NEAR = 100
_GUIDING = 300
_LEXICAL = 0.4
_DENSE = 0.3
"""Each of the models."""
_LEAST_DEVIATION = 1.0
"""Of lexical scores: where little is kept, every common word stands out."""
_ALIKE = 0.5
"""What it counts that evidence in another language speaks of the same things."""
_ALL_SCRIPTS = frozenset({"multilingual-e5-small"})
"""Models that read more than English."""
_NEAR_WORDS = {-1: 0.5, 1: 0.25, -2: 0.2, 2: 0.15, -3: 0.1, 3: 0.05}
_NEAR_MEANING = {-1: 0.5, 1: 0.2}
"""How much of a neighbour's score counts: what is said answers what was asked just before."""
REACH = 3
_SPEAKER = 1.0
_ASKING = -0.7
_LENGTH = 0.5
_THREAD = 0.3
_GUIDES = 4.0
_GONE = -1.0
_FULL = 200
"""Characters from which a piece of evidence counts as long."""


@dataclass
class _Candidate:
    """A piece of evidence on its way into the answer."""

    evidence: Evidence
    facts: Sequence[Fact]
    score: float


class Recall:
    """Looks in the evidence; keeps and changes nothing."""

    def __init__(self, evidence: EvidenceBook, facts: FactBook, vectors: VectorFiles, embedder: Embedder) -> None:
        self._evidence = evidence
        self._facts = facts
        self._vectors = vectors
        self._embedder = embedder
        self._asking: set[asyncio.Future[dict[str, list[Leg]]]] = set()

    async def find(self, query: str, limit: int, *, patience_s: float | None = None) -> list[Recalled]:
        """What answers the query, best first; without the embedding models, and where these take longer than
        `patience_s`, by its words alone."""
        advice = asks_for_advice(query)
        words = self._evidence.search(query, _WORDS)
        guides = self._facts.guides(_GUIDING) if advice else []
        alike = self._evidence.search_concepts(query, _WORDS)
        near = self._evidence.neighbours({*words, *alike, *guides}, REACH)
        among = {*near, *(other for around in near.values() for other in around.values())}
        legs = await self._soon(self._legs(query, among), patience_s)
        hits = {hit.slot for of_family in legs.values() for leg in of_family for hit in leg.best}
        near |= self._evidence.neighbours(hits - near.keys(), REACH)
        found = self._evidence.of(near)
        facts = self._facts.read_in(found)
        counts = self._evidence.counts()
        lexical = {
            written: moments(
                [words[one.id] for one in found.values() if one.id in words and family(one.text) == written], count
            )
            for written, count in counts.items()
        }
        asked = family(query)
        candidates = []
        for number, evidence in found.items():
            written = family(evidence.text)
            weighed = []
            if written == asked or not legs:
                held = spread(words, number, near[number], _NEAR_WORDS)
                weighed.append((_LEXICAL, _standard(held, *lexical[written], _NEAR_WORDS)))
            for leg in legs.get(written, ()):
                scores = known_scores(leg)
                if number in scores and (leg.name in _ALL_SCRIPTS or asked == written == "other"):
                    meant = spread(scores, number, near[number], _NEAR_MEANING, missing=scores[number])
                    weighed.append((_DENSE, _standard(meant, leg.mean, leg.deviation, _NEAR_MEANING)))
            total = sum(weight for weight, _ in weighed) or 1.0
            score = sum(weight * score for weight, score in weighed) / total
            if written != asked:
                score += _ALIKE * alike.get(number, 0.0)
            candidates.append(_Candidate(evidence, facts.get(number, ()), score))
        _adjust(candidates, query, advice)
        ranked = sorted(candidates, key=lambda one: (-one.score, -one.evidence.id))
        return [Recalled(evidence=one.evidence, score=one.score, facts=tuple(one.facts)) for one in ranked[:limit]]

    async def _soon(
        self, asked: Coroutine[Any, Any, dict[str, list[Leg]]], patience_s: float | None
    ) -> dict[str, list[Leg]]:
        """What was asked for, or nothing where it takes longer; it is not cancelled then: the models are being loaded,
        and the next question will find them."""
        task = asyncio.ensure_future(asked)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        done, _ = await asyncio.wait({task}, timeout=patience_s)
        return task.result() if done else {}

    async def _legs(self, query: str, among: Iterable[int]) -> dict[str, list[Leg]]:
        """What the models find near, by the family that it is written in; nothing where they are not there or fail."""
        if not self._embedder.ready:
            return {}
        found = {}
        try:
            for written in FAMILIES:
                file = self._vectors.of(self._embedder.version, written)
                nearest = await self._embedder.nearest(file, query, limit=_NEAR, among=sorted(among))
                found[written] = [leg for leg in nearest.legs if leg.count]
        except EngineError as error:
            _log.warning("searched by words alone: %s", error)
            return {}
        return {written: legs for written, legs in found.items() if legs}


def asks_for_advice(query: str) -> bool:
    """Whether something is to be chosen or proposed: how the user wants things then counts before what was said."""
    advice, past = _questions()
    return bool(advice.search(query)) and not past.search(query)


@cache
def _questions() -> tuple[re.Pattern[str], re.Pattern[str]]:
    data = YAML(typ="safe").load((bundled("profile") / "questions.yaml").read_text(encoding="utf-8"))
    advice, past = (re.compile("|".join(data[name]), re.IGNORECASE) for name in ("advice", "past"))
    return advice, past


def known_scores(leg: Leg) -> dict[int, float]:
    """Slot → score: those asked about, the best, and what stands before and after the best."""
    beside = [pair for hit in leg.best for pair in ((hit.slot - 1, hit.before), (hit.slot + 1, hit.after))]
    scores = {slot: score for slot, score in beside if score is not None}
    return scores | {hit.slot: hit.score for hit in leg.best} | leg.among


def spread(
    scores: Mapping[int, float],
    number: int,
    around: Mapping[int, int],
    weights: Mapping[int, float],
    missing: float = 0.0,
) -> float:
    """A score with a part of those of its neighbours; `missing` stands for the score of one that is not known."""
    total = scores.get(number, missing)
    for offset, weight in weights.items():
        other = around.get(offset)
        total += weight * (missing if other is None else scores.get(other, missing))
    return total


def moments(scores: Iterable[float], count: int) -> tuple[float, float]:
    """Mean and standard deviation over `count` items of which all but those given score 0."""
    kept = list(scores)
    mean = sum(kept) / max(count, 1)
    square = sum(score * score for score in kept) / max(count, 1)
    return mean, max(math.sqrt(max(square - mean * mean, 0.0)), _LEAST_DEVIATION)


def _adjust(candidates: Sequence[_Candidate], query: str, advice: bool) -> None:
    """What the words around and the facts in it say of its worth."""
    names = {one.evidence.speaker for one in candidates if one.evidence.speaker}
    named = {name for name in names if re.search(rf"\b{re.escape(name.split()[0])}\b", query, re.IGNORECASE)}
    predicates = kinds().predicates
    for one in candidates:
        text = one.evidence.text.rstrip()
        if len(named) == 1 and one.evidence.speaker in named:
            one.score += _SPEAKER
        one.score += _LENGTH * min(len(text), _FULL) / _FULL
        one.score += _ASKING if text.endswith(("?", "？")) else 0.0
        holding = [fact for fact in one.facts if fact.superseded_by is None and fact.valid_to is None]
        if advice and any(predicates[fact.predicate].guides for fact in holding):
            one.score += _GUIDES
        if one.facts and not holding:
            one.score += _GONE
    threads: dict[str, list[float]] = {}
    for one in candidates:
        threads.setdefault(one.evidence.thread, []).append(one.score)
    for one in candidates:
        if one.evidence.thread:
            one.score += _THREAD * sum(sorted(threads[one.evidence.thread])[-3:]) / 3


def _standard(score: float, mean: float, deviation: float, weights: Mapping[int, float]) -> float:
    """A score with its neighbours' parts, in deviations from the mean of such sums."""
    whole = 1 + sum(weights.values())
    wide = math.sqrt(1 + sum(weight * weight for weight in weights.values()))
    return (score - whole * mean) / ((wide * deviation) or 1.0)
