"""Which tools the model chooses among: BM25 over names, descriptions and example sentences, both languages at once.

Chinese is cut into overlapping pairs of characters, as in the search index. BM25: Robertson & Zaragoza, "The
Probabilistic Relevance Framework", 2009.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain

from assistant.kept import Kept
from assistant.skillkit.loader import Tool
from assistant.values import simplified

_WORD = re.compile(r"[^\W㐀-䶿一-鿿぀-ヿー]+|[㐀-䶿一-鿿぀-ヿー]+")
_TEMPLATE_MARKS = re.compile(r"<[^<>]*>|\{[^}]*\}|[\[\]()|]")
_EAST = re.compile(r"[㐀-䶿一-鿿぀-ヿー]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_RUN = 5
_WORDS_KEPT = 8192
"""Most words of our texts are there often: each is cut once."""
_K1, _B = 1.2, 0.5
Bag = Mapping[str, int]


class Shortlist:
    """An index of all tools, made once."""

    def __init__(
        self,
        tools: Sequence[Tool],
        templates: Callable[[], Mapping[str, Sequence[str]]],
        examples: Callable[[], Mapping[str, Sequence[str]]],
        kept: Kept,
    ) -> None:
        """The texts of `templates` and `examples` by tool; they are asked for at the first request."""
        self._tools = {tool.name: tool for tool in tools}
        self._templates = templates
        self._examples = examples
        self._kept = kept

    @cached_property
    def _index(self) -> Ranking:
        templates, examples = self._templates(), self._examples()
        told: dict[str, str] = {}
        for name, tool in self._tools.items():
            title = name.replace(".", " ").replace("_", " ")
            shown = plain_template("\n".join(templates.get(name, ())))
            told[name] = "\n".join((title, tool.schema.description, shown, *examples.get(name, ())))
        return Ranking(dict(zip(told, bags_of("tools", told.values(), self._kept), strict=True)))

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
    """Texts by name, as the bags of their pieces, ranked against a query."""

    def __init__(self, bags: Mapping[str, Bag]) -> None:
        self._bags = bags
        self._postings: dict[str, list[tuple[str, int]]] = {}
        lengths = {name: sum(bag.values()) for name, bag in bags.items()}
        average = sum(lengths.values()) / max(1, len(bags)) or 1
        self._damping = {name: _K1 * (1 - _B + _B * length / average) for name, length in lengths.items()}

    def rank(self, text: str) -> list[str]:
        """The names that share a term with `text`, the likeliest first; ties by name, so that prompts stay the same."""
        scores = self._scores(set(bag_of(text)))
        return sorted(scores, key=lambda name: (-scores[name], name))

    def relevance(self, text: str) -> float:
        """The best score as a share of what the words of `text` could weigh."""
        query = set(bag_of(text))
        weight = sum(self._rarity(len(self._found(term))) for term in query)
        return max(self._scores(query).values(), default=0.0) / max(1.0, weight)

    def _found(self, term: str) -> list[tuple[str, int]]:
        """Who has the term, and how often; looked for at its first use, since an index of all would slow each start."""
        if term not in self._postings:
            self._postings[term] = [(name, bag[term]) for name, bag in self._bags.items() if term in bag]
        return self._postings[term]

    def _rarity(self, seen: int) -> float:
        return math.log(1 + (len(self._bags) - seen + 0.5) / (seen + 0.5))

    def _scores(self, query: Iterable[str]) -> dict[str, float]:
        scores: dict[str, float] = {}
        for term in sorted(query):  # sums of floats depend on their order, and a set's changes from run to run
            found = self._found(term)
            rarity = self._rarity(len(found))
            for name, count in found:
                scores[name] = scores.get(name, 0.0) + rarity * count * (_K1 + 1) / (count + self._damping[name])
        return scores


def bags_of(name: str, texts: Collection[str], kept: Kept) -> list[Bag]:
    """The bag of each text, kept under `name`."""
    bags: list[Bag] = kept.of(name, texts, lambda: [bag_of(text) for text in texts])
    return bags


def bag_of(text: str) -> Bag:
    """How often each piece is in a text: `terms`, single Chinese and Japanese characters, and runs of five letters,
    in which compounds and endings meet ("Sparkonto")."""
    return Counter([*_EAST.findall(text), *chain.from_iterable(map(_cut, _WORD.findall(_bare(text))))])


def plain_template(sentence: str) -> str:
    """The words of a template, without its slots and marks."""
    return _TEMPLATE_MARKS.sub(" ", sentence)


def _bare(text: str) -> str:
    if text.isascii():
        return text.casefold()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", simplified(text)).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", folded))


def terms(texts: Iterable[str]) -> list[str]:
    """Lower-case words without accents, and pairs of neighbouring Chinese and Japanese characters."""
    return [term for text in texts for word in _WORD.findall(_bare(text)) for term in _terms_of(word)]


@lru_cache(_WORDS_KEPT)
def _cut(word: str) -> tuple[str, ...]:
    return (*_terms_of(word), *_runs_of(word))


def _terms_of(word: str) -> list[str]:
    if _EAST.match(word):
        return [word[index : index + 2] for index in range(max(1, len(word) - 1))]
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word]


def _runs_of(word: str) -> list[str]:
    if _EAST.match(word):
        return []
    [bare] = _terms_of(word)
    return [bare[start : start + _RUN] for start in range(len(bare) - _RUN + 1)] if len(bare) > _RUN else []
