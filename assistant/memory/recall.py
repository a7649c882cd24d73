"""What of all that was said answers a question: words and meaning weighed together, with what stands around them.

Scores are standardised over the whole collection before they are added (convex combination of normalised scores, Bruch
et al. 2023: better than reciprocal ranks wherever one leg is much the stronger). The weights were chosen on development
sets and are the same for every kind of question; `docs/decisions/0030-how-the-profile-is-searched.md` has the figures.
No language model is asked.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any

from ruamel.yaml import YAML

from assistant.errors import EngineError
from assistant.knowledge import Recalled
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.newest import newest_first
from assistant.memory.vectors import FAMILIES, VectorFiles, family
from assistant.memory.weighing import Candidate, Scores, adjust, of_leg, of_words
from assistant.ports import Embedder
from assistant.resources import bundled
from assistant.store.index import segment
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
_ALIKE = 0.5
"""What it counts that evidence in another language speaks of the same things."""
_ALL_SCRIPTS = frozenset({"multilingual-e5-small"})
"""Models that read more than English."""
_NEAR_WORDS = {-1: 0.5, 1: 0.25, -2: 0.2, 2: 0.15, -3: 0.1, 3: 0.05}
_NEAR_MEANING = {-1: 0.5, 1: 0.2}
"""How much of a neighbour's score counts: what is said answers what was asked just before."""
REACH = 3
_LEAST_WORDS = 3
_QUESTIONS = 3
"""Of those asked at once, so many are looked for."""


class Recall:
    """Looks in the evidence; keeps and changes nothing."""

    def __init__(self, evidence: EvidenceBook, facts: FactBook, vectors: VectorFiles, embedder: Embedder) -> None:
        self._evidence = evidence
        self._facts = facts
        self._vectors = vectors
        self._embedder = embedder
        self._asking: set[asyncio.Future[dict[str, list[Leg]]]] = set()

    async def find(self, query: str, limit: int, *, patience_s: float | None = None) -> list[Recalled]:
        """What answers the query, best first; of several questions in one, what answers each in turn.

        Without the embedding models, and where these take longer than `patience_s` in all, by its words alone.
        """
        ends = None if patience_s is None else time.monotonic() + patience_s
        asked = [await self._ranked(part, ends) for part in questions_in(query)]
        found: dict[int, Candidate] = {}
        for place in zip_longest(*asked):
            for one in place:
                if one is not None:
                    found.setdefault(one.number, one)
        return self._told(list(found.values())[:limit])

    async def _ranked(self, query: str, ends: float | None) -> list[Candidate]:
        """All that may answer one question, best first; the models have until `ends` (monotonic, s)."""
        advice, asked = asks_for_advice(query), family(query)
        words = self._evidence.search(query, _WORDS)
        alike = self._evidence.search_concepts(query, _WORDS)
        near = self._evidence.neighbours({*words, *alike, *(self._facts.guides(_GUIDING) if advice else ())}, REACH)
        among = {*near, *(one.number for around in near.values() for one in around)}
        legs = await self._soon(self._legs(query, among), ends)
        hits = {hit.slot for of_family in legs.values() for leg in of_family for hit in leg.best}
        near |= self._evidence.neighbours(hits - near.keys(), REACH)
        heads = self._evidence.heads(near)
        stated = self._facts.stated_in(heads)
        ways = self._ways({number: head.family for number, head in heads.items()}, words, legs, asked)
        candidates = []
        for number, head in heads.items():
            weighed = [
                (weight, scores.standard(number, near[number]))
                for weight, scores in ways[head.family]
                if number in scores.known or not scores.missing
            ]
            total = sum(weight for weight, _ in weighed) or 1.0
            score = sum(weight * score for weight, score in weighed) / total
            if head.family != asked:
                score += _ALIKE * alike.get(number, 0.0)
            candidates.append(
                Candidate(number, head.text, head.speaker, head.thread, head.at, stated.get(number, ()), score)
            )
        adjust(candidates, query, advice=advice)
        ranked = sorted(candidates, key=lambda one: (-one.score, -one.number))
        if asks_what_holds(query):
            ranked = newest_first(ranked, query, advice=advice)
        return ranked

    def _ways(
        self, families: Mapping[int, str], words: Mapping[int, float], legs: Mapping[str, list[Leg]], asked: str
    ) -> dict[str, list[tuple[float, Scores]]]:
        """For texts of each family of scripts, the ways to compare them with the question, and what each counts."""
        counts = self._evidence.counts()
        ways: dict[str, list[tuple[float, Scores]]] = {}
        for written in FAMILIES:
            here = ways[written] = []
            if written == asked or not legs:
                known = {number: score for number, score in words.items() if families.get(number) == written}
                here.append((_LEXICAL, of_words(known, counts.get(written, 0), _NEAR_WORDS)))
            here += [
                (_DENSE, of_leg(leg, _NEAR_MEANING))
                for leg in legs.get(written, ())
                if leg.name in _ALL_SCRIPTS or asked == written == "other"
            ]
        return ways

    def _told(self, ranked: Sequence[Candidate]) -> list[Recalled]:
        """The answer's words and facts, whole."""
        numbers = [one.number for one in ranked]
        found, facts = self._evidence.of(numbers), self._facts.read_in(numbers)
        return [
            Recalled(evidence=found[one.number], score=one.score, facts=facts.get(one.number, ())) for one in ranked
        ]

    async def _soon(self, asked: Coroutine[Any, Any, dict[str, list[Leg]]], ends: float | None) -> dict[str, list[Leg]]:
        """What was asked for, or nothing where it takes longer; it is not cancelled then: the models are being loaded,
        and the next question will find them."""
        task = asyncio.ensure_future(asked)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        done, _ = await asyncio.wait({task}, timeout=None if ends is None else max(ends - time.monotonic(), 0))
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


def questions_in(query: str) -> list[str]:
    """The questions that are asked in one breath; the whole where it is one."""
    parts = [part.strip(" ,，;；、") for part in _asking("another").split(query)]
    parts = [part for part in parts if len(segment(part)[0]) >= _LEAST_WORDS]
    return parts[:_QUESTIONS] if len(parts) > 1 else [query]


def asks_for_advice(query: str) -> bool:
    """Whether something is to be chosen or proposed: how the user wants things then counts before what was said."""
    return bool(_asking("advice").search(query)) and not _asking("past").search(query)


def asks_what_holds(query: str) -> bool:
    """Whether it asks for what holds now: of what was said about that, the last counts."""
    return bool(_asking("value").search(query)) and not _asking("once").search(query)


@cache
def _asking(kind: str) -> re.Pattern[str]:
    data = YAML(typ="safe").load((bundled("profile") / "questions.yaml").read_text(encoding="utf-8"))
    return re.compile("|".join(data[kind]), re.IGNORECASE)
