"""Of several answers to the same question the newest first: what was said later took the place of what was said before.

Texts that answer a question are those that name most of what it names. They keep the places that they have, in the
order of time. Left as they are: questions for what once was, or whether something ever was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.memory.evidence import telling
from assistant.memory.weighing import Candidate
from assistant.store.index import segment

_AMONG = 10
_LEAST = 2.5
"""The score from which a text may be an answer at all (deviations from the mean): where little is kept, few are."""
_SHARE = 0.4
"""Of what the text that names most of the question names."""
_ENDING = re.compile(r"(?<=[a-z]{3})(?:ing|ed|es|s)$")


def newest_first(ranked: Sequence[Candidate], query: str, *, advice: bool) -> list[Candidate]:
    """The candidates, best first, where the later of two answers stands before the earlier.

    Where advice is asked for, what says how the user wants things stays where it is.
    """
    ranked = list(ranked)
    asked = set(map(_root, telling(query)))
    likely = [one for one in ranked[:_AMONG] if one.score >= _LEAST]
    named = {one.number: len(asked & set(map(_root, segment(one.text)[0]))) for one in likely}
    least = max(_SHARE * max(named.values(), default=0), 1)
    answers = [one for one in likely if named[one.number] >= least and not (advice and one.guides)]
    places = [ranked.index(one) for one in answers]
    for place, one in zip(places, sorted(answers, key=lambda one: (one.at, one.number), reverse=True), strict=True):
        ranked[place] = one
    return ranked


def _root(word: str) -> str:
    """The word without its ending: "books" is what "book" is."""
    return _ENDING.sub("", word).rstrip("e")
