"""Which tools the model chooses among: BM25 over names, descriptions and example sentences, both languages at once.

Chinese is cut into overlapping pairs of characters, as in the search index. BM25: Robertson & Zaragoza, "The
Probabilistic Relevance Framework", 2009.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from assistant.skillkit.loader import Tool

_WORD = re.compile(r"[a-z0-9]+|[㐀-䶿一-鿿]+")
_TEMPLATE_MARKS = re.compile(r"\{[^}]*\}|[\[\]()|]")
_K1, _B = 1.2, 0.5


class Shortlist:
    """An index of all tools, made once."""

    def __init__(self, tools: Sequence[Tool], examples: Mapping[str, Sequence[str]]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._terms = {
            tool.name: Counter(
                terms(
                    [tool.name.replace(".", " ").replace("_", " "), tool.schema.description]
                    + [_TEMPLATE_MARKS.sub(" ", text) for text in examples.get(tool.name, ())]
                )
            )
            for tool in tools
        }
        self._average = sum(sum(bag.values()) for bag in self._terms.values()) / max(1, len(self._terms))
        self._documents = Counter(term for bag in self._terms.values() for term in bag)

    def pick(self, text: str, limit: int) -> list[Tool]:
        """At most `limit` tools, the likeliest first; ties by name, so that the prompt stays the same."""
        query = set(terms([text]))
        ranked = sorted(self._tools, key=lambda name: (-self._score(query, self._terms[name]), name))
        return [self._tools[name] for name in ranked[:limit]]

    def _score(self, query: Iterable[str], bag: Counter[str]) -> float:
        length = sum(bag.values()) / (self._average or 1)
        score = 0.0
        for term in query:
            if count := bag.get(term, 0):
                seen = self._documents[term]
                rarity = math.log(1 + (len(self._terms) - seen + 0.5) / (seen + 0.5))
                score += rarity * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length))
        return score


def terms(texts: Iterable[str]) -> list[str]:
    """Lower-case words, and pairs of neighbouring Chinese characters."""
    found: list[str] = []
    for text in texts:
        for word in _WORD.findall(text.casefold()):
            if word[0].isascii():
                found.append(word[:-1] if len(word) > 3 and word.endswith("s") else word)
            else:
                found.extend(word[index : index + 2] for index in range(max(1, len(word) - 1)))
    return found
