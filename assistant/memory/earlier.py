"""Which of the user's own earlier words a prompt is given: few, and only for a reply that should know them."""

from __future__ import annotations

import re

from assistant.knowledge import Recalled
from assistant.memory.digest import most_tokens
from assistant.memory.recall import ENOUGH, Recall, asks_for_advice

_MOST = 5
_TOKENS = 200
_LONG = 60
"""Tokens from which words hold more than what they state: then only the clauses that state it are given."""
_PATIENCE_S = 0.4
"""So long the sentence models may take, who may have to be loaded first; then the words alone decide."""
_OWN = re.compile(r"\b(?:i|i'm|i've|i'd|my|we|our)\b|[我咱俺]", re.IGNORECASE)


async def earlier_words(recall: Recall, text: str, *, talk: bool) -> list[str]:
    """The user's own words that a reply to `text` should know, best first.

    None where neither is anything to be chosen or proposed nor the text small talk (`talk`).
    """
    if not (talk or asks_for_advice(text)):
        return []
    chosen: list[str] = []
    room = _TOKENS
    for one in await recall.find(text, _MOST, patience_s=_PATIENCE_S):
        said = _said(one) if one.score >= ENOUGH else ""
        cost = most_tokens(said)
        if said and said not in chosen and cost <= room:
            chosen.append(said)
            room -= cost
    return chosen


def _said(one: Recalled) -> str:
    """What a piece of evidence tells of the user on one line; empty where it is others', a question, or out of date."""
    evidence = one.evidence
    if evidence.origin == "heard" or evidence.speaker:
        return ""
    holding = [fact for fact in one.facts if fact.superseded_by is None and fact.valid_to is None]
    text = " ".join(evidence.text.split())
    short = most_tokens(text) <= _LONG
    if holding:
        return text if short else " ".join(" ".join(fact.text for fact in holding).split())
    told = not one.facts and short and not text.endswith(("?", "？")) and _OWN.search(text)
    return text if told else ""
