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
        self._count = len(texts)
        self._postings: dict[str, list[tuple[str, int]]] = {}
        lengths: dict[str, int] = {}
        for name, lines in texts.items():
            bag = Counter(pieces(lines))
            lengths[name] = bag.total()
            for term, count in bag.items():
                self._postings.setdefault(term, []).append((name, count))
        average = sum(lengths.values()) / max(1, self._count) or 1
        self._damping = {name: _K1 * (1 - _B + _B * length / average) for name, length in lengths.items()}

    def rank(self, text: str) -> list[str]:
        """The names that share a term with `text`, the likeliest first; ties by name, so that prompts stay the same."""
        scores = self._scores(set(pieces([text])))
        return sorted(scores, key=lambda name: (-scores[name], name))

    def relevance(self, text: str) -> float:
        """The best score as a share of what the words of `text` could weigh."""
        query = set(pieces([text]))
        weight = sum(self._rarity(len(self._postings.get(term, ()))) for term in query)
        return max(self._scores(query).values(), default=0.0) / max(1.0, weight)

    def _rarity(self, seen: int) -> float:
        return math.log(1 + (self._count - seen + 0.5) / (seen + 0.5))

    def _scores(self, query: Iterable[str]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for term in sorted(query):  # sums of floats depend on their order, and a set's changes from run to run
            found = self._postings.get(term, ())
            rarity = self._rarity(len(found))
            for name, count in found:
                scores[name] = scores.get(name, 0.0) + rarity * count * (_K1 + 1) / (count + self._damping[name])
        return scores


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
