"""Which tools the model chooses among: BM25 over names, descriptions and example sentences, both languages at once.

Chinese is cut into overlapping pairs of characters, as in the search index. BM25: Robertson & Zaragoza, "The
Probabilistic Relevance Framework", 2009.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from assistant.skillkit.loader import Tool

_WORD = re.compile(r"[^\W㐀-䶿一-鿿぀-ヿー]+|[㐀-䶿一-鿿぀-ヿー]+")
_TEMPLATE_MARKS = re.compile(r"\{[^}]*\}|[\[\]()|]")
_EAST = re.compile(r"[㐀-䶿一-鿿぀-ヿー]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_RUN = 5
_K1, _B = 1.2, 0.5


class Shortlist:
    """An index of all tools, made once."""

    def __init__(self, tools: Sequence[Tool], *sentences: Callable[[], Mapping[str, Sequence[str]]]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._sentences = sentences

    @cached_property
    def _index(self) -> Ranking:
        sources = [source() for source in self._sentences]
        return Ranking(
            {
                name: [
                    name.replace(".", " ").replace("_", " "),
                    tool.schema.description,
                    *(plain_template(text) for source in sources for text in source.get(name, ())),
                ]
                for name, tool in self._tools.items()
            }
        )

    def pick(self, text: str, limit: int | None) -> list[Tool]:
        """At most `limit` tools, the likeliest first. All of them without a limit,
        and where no word of `text` is known: another language."""
        ranked = self._index.rank(text) if limit else []
        if not ranked:
            return list(self._tools.values())
        return [self._tools[name] for name in ranked[:limit]]

    def nearest(self, text: str) -> tuple[str, ...]:
        """The likeliest tool, if any."""
        return tuple(self._index.rank(text)[:1])

    def relevance(self, text: str) -> float:
        """How much of what is rare in `text` the likeliest tool has, 0 to about 2: small talk has little."""
        return self._index.relevance(text)


class Ranking:
    """Texts by name, ranked against a query."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self._terms = {name: Counter(pieces(lines)) for name, lines in texts.items()}
        self._average = sum(sum(bag.values()) for bag in self._terms.values()) / max(1, len(self._terms))
        self._documents = Counter(term for bag in self._terms.values() for term in bag)

    def rank(self, text: str) -> list[str]:
        """The names that share a term with `text`, the likeliest first; ties by name, so that prompts stay the same."""
        query = set(pieces([text]))
        scores = {name: self._score(query, bag) for name, bag in self._terms.items()}
        return sorted((name for name, score in scores.items() if score > 0), key=lambda name: (-scores[name], name))

    def relevance(self, text: str) -> float:
        """The best score as a share of what the words of `text` could weigh."""
        query = set(pieces([text]))
        weight = sum(self._rarity(term) for term in query)
        best = max((self._score(query, bag) for bag in self._terms.values()), default=0.0)
        return best / max(1.0, weight)

    def _rarity(self, term: str) -> float:
        seen = self._documents[term]
        return math.log(1 + (len(self._terms) - seen + 0.5) / (seen + 0.5))

    def _score(self, query: Iterable[str], bag: Counter[str]) -> float:
        length = sum(bag.values()) / (self._average or 1)
        score = 0.0
        for term in query:
            if count := bag.get(term, 0):
                score += self._rarity(term) * count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length))
        return score


def plain_template(sentence: str) -> str:
    """The words of a template, without its slots and marks."""
    return _TEMPLATE_MARKS.sub(" ", sentence)


def pieces(texts: Iterable[str]) -> list[str]:
    """`terms`, single characters, and runs of five letters: compounds and endings meet ("Sparkonto")."""
    texts = list(texts)
    found = terms(texts)
    characters = [one for text in texts for one in _EAST.findall(text)]
    return (
        found
        + characters
        + [
            word[start : start + _RUN]
            for word in found
            if len(word) > _RUN and not _EAST.match(word)
            for start in range(len(word) - _RUN + 1)
        ]
    )


def _bare(text: str) -> str:
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded))


def terms(texts: Iterable[str]) -> list[str]:
    """Lower-case words without accents, and pairs of neighbouring Chinese and Japanese characters."""
    found: list[str] = []
    for text in texts:
        for word in _WORD.findall(_bare(text)):
            if not _EAST.match(word):
                found.append(word[:-1] if len(word) > 3 and word.endswith("s") else word)
            else:
                found.extend(word[index : index + 2] for index in range(max(1, len(word) - 1)))
    return found
