"""The digest of the profile: the foremost of what is known of the user, short enough for every prompt.

The same bytes for as long as the facts that it shows are the same: their order is that in which they were learned, and
no sentence holds a date that moves. Knows no model: tokens are counted by a bound that holds for the models in use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from assistant.knowledge import Fact
from assistant.memory.facts import FactBook
from assistant.memory.kinds import Kinds
from assistant.models import Language

MOST = 370
"""Tokens of a digest by `most_tokens`; with its heading in the prompt at most 400."""
_ORDER = ("identity", "people", "health", "preferences", "habits", "places", "work", "routines", "devices")
_BY_NAME_ONLY = frozenset({"accounts", "documents"})
"""Numbers that are asked for by name: no reply is better for knowing them, so only a pinned one is shown."""
_LONGEST = 60
"""Tokens of one line: what is longer is found when it is asked for."""
_CANDIDATES = 40
_PART = 3
"""At first each kind gets a third of the room at most, so that a hundred likes leave some for the rest."""
_USER: dict[Language, str] = {"en": "the user", "zh": "用户"}
_PIECE = re.compile(r"[A-Za-z]+|[^\S\n]+|.", re.DOTALL)


def most_tokens(text: str) -> int:
    """No fewer than the tokens of `text`, without a tokenizer.

    Letters A to Z: one for three of a word, rounded up. Spaces: none, they belong to the next word. Other characters:
    one for each in ASCII, two for two bytes or more; the models' byte-level tokenizers make as many at most of all but
    rare ones (`tests/integration/test_digest_tokens.py`).
    """
    return sum(map(_tokens, _PIECE.findall(text)))


def _tokens(piece: str) -> int:
    if piece.isspace() and piece != "\n":
        return 0
    if piece.isascii():
        return -(-len(piece) // 3)
    return 2


class Digest:
    """Compiles the digest, and keeps it until a fact changes."""

    def __init__(self, facts: FactBook, kinds: Kinds) -> None:
        self._facts = facts
        self._kinds = kinds
        self._kept: dict[tuple[Language, bool], tuple[int, str]] = {}

    def text(self, language: Language, *, private: bool) -> str:
        """A line a fact, `- The user lives in Hamburg.`; empty where nothing is known.

        Without `private` what must not leave the device is left out.
        """
        version = self._facts.version()
        kept = self._kept.get((language, private))
        if kept is None or kept[0] != version:
            kept = self._kept[language, private] = version, "\n".join(self._lines(language, private))
        return kept[1]

    def clear(self) -> None:
        """Keep nothing: something was forgotten."""
        self._kept.clear()

    def _lines(self, language: Language, private: bool) -> Iterable[str]:
        order = [*_ORDER, *(kind for kind in self._kinds.titles if kind not in _ORDER)]
        facts = [fact for kind in order for fact in self._of(kind, private)]
        lines = {fact.id: self._line(fact, language) for fact in facts}
        costs = {fact.id: most_tokens(lines[fact.id]) + 1 for fact in facts}
        chosen: dict[str, Fact] = {}
        spent = dict.fromkeys(order, 0)
        for most in (MOST // _PART, MOST):
            for fact in sorted(facts, key=lambda one: not one.pinned):
                cost = costs[fact.id]
                room = cost <= _LONGEST and sum(spent.values()) + cost <= MOST
                if fact.id not in chosen and room and (fact.pinned or spent[fact.kind] + cost <= most):
                    chosen[fact.id] = fact
                    spent[fact.kind] += cost
        place = {fact.id: (not fact.pinned, order.index(fact.kind), fact.recorded_at, fact.id) for fact in facts}
        return dict.fromkeys(lines[fact] for fact in sorted(chosen, key=place.__getitem__))

    def _of(self, kind: str, private: bool) -> list[Fact]:
        """The candidates of a kind, the foremost first."""
        found = self._facts.foremost(kind, _CANDIDATES)
        predicates = self._kinds.predicates
        return [
            fact
            for fact in found
            if (private or not predicates[fact.predicate].private) and (fact.pinned or kind not in _BY_NAME_ONLY)
        ]

    def _line(self, fact: Fact, language: Language) -> str:
        """One line whatever the value holds; of what may well change, with the month in which it was said last."""
        told = fact if fact.subject else fact.model_copy(update={"subject": _USER[language]})
        said = " ".join(self._kinds.sentence(told, language).split())
        review = self._kinds.predicates[fact.predicate].review
        return f"- {said} ({fact.last_confirmed_at:%Y-%m})" if review else f"- {said}"
