"""Which templates can match a sentence at all: those whose own words are all in it.

Read from a template's text, so that hassil parses only the few that can match. Leaves out none that hassil would match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from assistant.kept import Kept

Clause = Sequence[str]
"""Lower-case words of which the sentence must hold at least one, as a part of a word or whole."""

_PART = re.compile(r"\{[^}]*\}|<[^<>]*>|[\[\]()|]|[^\[\]()|{}<>]+")
_GROUP = re.compile(r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")
_WORD = re.compile(r"[^\W_]+")
_UNREAD = re.compile(r"[;\\]")
"""Permutations, escapes: too rare to be read here."""


_COMMON = dict.fromkeys("的 了 我 你 一 是 有 在 给 the my me to of in on for is it and you that what".split(), 0.5)


class Source(Protocol):
    """A template."""

    @property
    def sentence(self) -> str:
        """Its text."""

    def clauses(self) -> tuple[Clause, ...]:
        """What a sentence must hold to match it."""


def _nothing(name: str) -> tuple[Clause, ...]:
    return ()


def clauses(template: str, of_rule: Callable[[str], Iterable[Clause]] = _nothing) -> tuple[Clause, ...]:
    """What a sentence must hold to match `template` (hassil's notation): one word of each clause. Empty: anything.

    `of_rule` gives the clauses of a part that the template names.
    """
    if _UNREAD.search(template):
        return ()
    branches = _branches(iter(_PART.findall(template)), of_rule)
    return tuple(branches[0] if len(branches) == 1 else _either(branches))


class Prefilter:
    """An index of templates by their narrowest clause, which leaves few to look at."""

    def __init__(self, templates: Iterable[Source], keys: Iterable[Clause]) -> None:
        """With what `keys_of` gives for the templates."""
        self._templates = tuple(templates)
        self._by_word: dict[str, list[int]] = {}
        self._open: list[int] = []
        self._needed: dict[int, tuple[Clause, ...]] = {}
        for number, words in enumerate(keys):
            if not words:
                self._open.append(number)
            for word in words:
                self._by_word.setdefault(word, []).append(number)

    def candidates(self, sentence: str) -> list[int]:
        """The numbers of the templates that may match, in order."""
        said = sentence.casefold()
        found = {number for word, numbers in self._by_word.items() if word in said for number in numbers}
        return sorted((*self._open, *(one for one in found if _holds(said, self.read(one)))))

    def read(self, number: int) -> tuple[Clause, ...]:
        """The clauses of a template, which is read when a sentence first comes near it."""
        if number not in self._needed:
            self._needed[number] = self._templates[number].clauses()
        return self._needed[number]


def _holds(said: str, needed: Iterable[Clause]) -> bool:
    """Whether a word of each clause is there, one after the other."""
    after = 0
    for clause in needed:
        ends = [start + len(word) for word in clause if (start := said.find(word, after)) >= 0]
        if not ends:
            return False
        after = min(ends)
    return True


def keys_of(name: str, templates: Sequence[Source], texts: Iterable[str], kept: Kept) -> list[Clause]:
    """A clause of each template, empty where it has none; kept under `name` for the same `texts` of them."""
    keys: list[Clause] = kept.of(name, texts, lambda: [_key(template) for template in templates])
    return keys


def _key(template: Source) -> Clause:
    """A clause that few sentences hold: the longest word that stands in no group, else one out of its groups."""
    outside = template.sentence
    while (inner := _GROUP.sub(" ", outside)) != outside:
        outside = inner
    words = () if _UNREAD.search(outside) or "|" in outside else _WORD.findall(outside.casefold())
    return (min(words, key=_frequency),) if words else _narrowest(template.clauses())


def _branches(parts: Iterator[str], of_rule: Callable[[str], Iterable[Clause]]) -> list[list[Clause]]:
    """The clauses of each alternative up to the end of a group."""
    branches: list[list[Clause]] = [[]]
    for part in parts:
        if part in (")", "]"):
            break
        if part == "|":
            branches.append([])
        elif part == "[":
            _skip(parts)
        elif part == "(":
            inner = _branches(parts, of_rule)
            branches[-1] += inner[0] if len(inner) == 1 else _either(inner)
        elif part.startswith("<"):
            branches[-1] += of_rule(part[1:-1])
        elif not part.startswith("{"):
            branches[-1] += [(word,) for word in _WORD.findall(part.casefold())]
    return branches


def _skip(parts: Iterator[str]) -> None:
    """Go to the end of an optional group: nothing of it is needed."""
    open_groups = 1
    while open_groups:
        part = next(parts, "]")
        open_groups += (part in ("[", "(")) - (part in ("]", ")"))


def _either(branches: list[list[Clause]]) -> list[Clause]:
    """One of the branches is there, so at least one of the words that they need most narrowly."""
    if not all(branches):
        return []
    return [tuple(word for branch in branches for word in _narrowest(branch))]


def _narrowest(needed: Sequence[Clause]) -> Clause:
    """The clause that fewest sentences hold."""
    return min(needed, key=lambda clause: sum(map(_frequency, clause)), default=())


@lru_cache(4096)
def _frequency(word: str) -> float:
    """About how many sentences hold a word: a guess by its length, one Chinese character as much as three letters."""
    return _COMMON.get(word, 0.5 ** len(word.encode()))
