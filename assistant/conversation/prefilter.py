"""Which templates can match a sentence at all: those whose own words are all in it.

Read from a template's text, so that hassil parses only the few that can match. Leaves out none that hassil would match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

Clause = tuple[str, ...]
"""Lower-case words of which the sentence must hold at least one, as a part of a word or whole."""

_PART = re.compile(r"\{[^}]*\}|<[^<>]*>|[\[\]()|]|[^\[\]()|{}<>]+")
_GROUP = re.compile(r"<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")
_WORD = re.compile(r"[^\W_]+")
_UNREAD = re.compile(r"[;\\]")
"""Permutations, escapes: too rare to be read here."""


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
    branches = _branches((part.group() for part in _PART.finditer(template)), of_rule)
    return tuple(branches[0] if len(branches) == 1 else _either(branches))


class Prefilter:
    """An index of templates by their narrowest clause, which leaves few to look at."""

    def __init__(self, templates: Iterable[Source]) -> None:
        self._templates = tuple(templates)
        self._by_word: dict[str, list[int]] = {}
        self._open: list[int] = []
        self._needed: dict[int, tuple[Clause, ...]] = {}
        for number, template in enumerate(self._templates):
            if key := _key(template):
                for word in key:
                    self._by_word.setdefault(word, []).append(number)
            else:
                self._open.append(number)

    def candidates(self, sentence: str) -> list[int]:
        """The numbers of the templates that may match, in order."""
        said = sentence.casefold()
        found = {number for word, numbers in self._by_word.items() if word in said for number in numbers}
        kept = (one for one in found if all(any(word in said for word in clause) for clause in self.read(one)))
        return sorted((*self._open, *kept))

    def read(self, number: int) -> tuple[Clause, ...]:
        """The clauses of a template, which is read when a sentence first comes near it."""
        if number not in self._needed:
            self._needed[number] = self._templates[number].clauses()
        return self._needed[number]


def _key(template: Source) -> Clause:
    """A clause that few sentences hold: the longest word that stands in no group, else one out of its groups."""
    outside = template.sentence
    while (inner := _GROUP.sub(" ", outside)) != outside:
        outside = inner
    words = () if _UNREAD.search(outside) or "|" in outside else _WORD.findall(outside.casefold())
    return (max(words, key=len),) if words else _narrowest(template.clauses())


def _branches(parts: Iterator[str], of_rule: Callable[[str], Iterable[Clause]]) -> list[list[Clause]]:
    """The clauses of each alternative up to the end of a group."""
    branches: list[list[Clause]] = [[]]
    for part in parts:
        if part in (")", "]"):
            break
        if part == "|":
            branches.append([])
        elif part == "[":
            _branches(parts, of_rule)
        elif part == "(":
            inner = _branches(parts, of_rule)
            branches[-1] += inner[0] if len(inner) == 1 else _either(inner)
        elif part.startswith("<"):
            branches[-1] += of_rule(part[1:-1])
        elif not part.startswith("{"):
            branches[-1] += [(word,) for word in _WORD.findall(part.casefold())]
    return branches


def _either(branches: list[list[Clause]]) -> list[Clause]:
    """One of the branches is there, so at least one of the words that they need most narrowly."""
    if not all(branches):
        return []
    return [tuple(word for branch in branches for word in _narrowest(branch))]


def _narrowest(needed: Sequence[Clause]) -> Clause:
    """The clause that fewest sentences hold: of the fewest words, the longest."""
    return min(needed, key=lambda clause: (len(clause), -len(clause[0])), default=())
