"""Whether what was said is found: LoCoMo, PrefEval, BEAM and MemDaily by path, and the project's own pairs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bench.form import DATA
from bench.memory.home import Home, Workshop, mean
from bench.memory.public import Said, beam, ids, locomo, memdaily, prefeval

_ANSWERABLE = ("1", "2", "3", "4")
CHATTER = 300
"""Turns among which a preference is said."""
Figures = dict[str, float | int | None]
Item = TypeVar("Item")


async def of_locomo(shop: Workshop, folder: Path, most: int) -> Figures:
    """Mean share of the evidence's turns among the first ten; and of its sessions."""
    turns, sessions = [], []
    for talk in locomo(folder)[: most or None]:
        with shop.home() as home:
            for said in talk.turns:
                home.hear(said.name, said.text, "en", origin="heard", speaker=said.speaker, thread=said.thread)
            await home.profile.settle()
            for asked in talk.questions:
                if asked.kind not in _ANSWERABLE:
                    continue
                found = await home.ask(asked.query, 100)
                turns.append(_share(found[:10], asked.answers))
                sessions.append(_share(_sessions(found)[:10], tuple(dict.fromkeys(_sessions(asked.answers)))))
    return {"locomo_r10": mean(turns), "locomo_session_r10": mean(sessions), "locomo_questions": len(turns)}


async def of_prefeval(shop: Workshop, folder: Path, most: int) -> Figures:
    """One preference somewhere among 300 turns: whether it is the first found, or among the first five."""
    preferences, chatter = prefeval(folder, CHATTER)
    chosen = some(preferences, most)
    first, five = [], []
    with shop.home() as home:
        feed(home, chatter)
        await home.profile.settle()
        for one in chosen:
            source = home.hear("it", one.text, "en", thread="it")
            await home.profile.settle()
            found = await home.ask(one.question, 5)
            first.append(float(found[:1] == ["it"]))
            five.append(float("it" in found))
            home.profile.take_back(source)
    return {"prefeval_r1": mean(first), "prefeval_r5": mean(five), "prefeval_questions": len(first)}


async def of_memdaily(shop: Workshop, folder: Path, most: int) -> Figures:
    """Mean share of the target messages among the first five of a trajectory; and of those that five can hold.

    Questions with more than five targets keep the first figure below 94.5 on the development files.
    """
    shares: list[float] = []
    held: list[float] = []
    for talk in some(list(memdaily(folder)), most):
        with shop.home() as home:
            feed(home, talk.turns, "zh")
            await home.profile.settle()
            for asked in talk.questions:
                share = _share(await home.ask(asked.query, 5), asked.answers)
                shares.append(share)
                held.append(share * len(asked.answers) / min(5, len(asked.answers)))
    return {"memdaily_r5": mean(shares), "memdaily_r5_of_five": mean(held), "memdaily_questions": len(shares)}


async def of_beam(shop: Workshop, folder: Path, most: int) -> Figures:
    """The updated message before the original; both sides of a contradiction in ten; what can't be answered.

    A message that is named as the original and as the update counts as the update; an update of no message is left out.
    """
    updated, both, unknown, known = [], [], [], []
    for talk, probing in beam(folder)[: most or None]:
        with shop.home() as home:
            feed(home, talk.turns)
            await home.profile.settle()
            for one in probing.get("knowledge_update", []):
                where = one["source_chat_ids"]
                newer = ids(where["updated_info"])
                older = [name for name in ids(where["original_info"]) if name not in newer]
                if newer:
                    found = await home.ask(one["question"], 50)
                    updated.append(float(_first(found, newer) < _first(found, older)))
            for one in probing.get("contradiction_resolution", []):
                found = await home.ask(one["question"], 10)
                sides = [ids(side) for side in one["source_chat_ids"].values()]
                both.append(float(all(any(name in found for name in side) for side in sides)))
            unknown += [await _silent(home, one["question"]) for one in probing.get("abstention", [])]
            known += [await _silent(home, one["question"]) for one in probing.get("information_extraction", [])]
    return {
        "beam_updated_first": mean(updated),
        "beam_both_sides": mean(both),
        "abstain": mean(unknown),
        "abstain_false": mean(known),
    }


async def of_pairs(shop: Workshop, _most: int = 0) -> Figures:
    """The project's own pairs of a fact and a question in the other language: whether the fact is the first found."""
    pairs = [json.loads(line) for line in (DATA / "memory" / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    with shop.home() as home:
        for one in pairs:
            home.hear(one["id"], one["fact"], one["fact_lang"], thread=one["id"])
        await home.profile.settle()
        first = [float((await home.ask(one["query"], 1))[:1] == [one["id"]]) for one in pairs]
    return {"xling_top1": mean(first), "xling_questions": len(first)}


def feed(home: Home, turns: Sequence[Said], language: str = "en") -> None:
    """Have the profile hear them, in order."""
    for said in turns:
        home.hear(said.name, said.text, language, speaker=said.speaker, thread=said.thread or "bench")


def _share(found: Sequence[str], answers: Sequence[str]) -> float:
    return len(set(found) & set(answers)) / len(answers)


def _sessions(turns: Sequence[str]) -> list[str]:
    """The sessions of turns, each where it comes first."""
    return list(dict.fromkeys(name.partition(":")[0] for name in turns))


def _first(found: Sequence[str], wanted: Sequence[str]) -> int:
    """The place of the first of them; behind everything where none is there."""
    return min((found.index(name) for name in wanted if name in found), default=len(found))


async def _silent(home: Home, query: str) -> float:
    """Whether nothing that is found is good enough to answer."""
    found = await home.recall(query, 1)
    return float(not found or found[0].score < home.profile.enough)


def some(items: Sequence[Item], most: int) -> Sequence[Item]:
    """At most so many, evenly spread; 0 is all."""
    if not most or len(items) <= most:
        return items
    return [items[place * len(items) // most] for place in range(most)]
