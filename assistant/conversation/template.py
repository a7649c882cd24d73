"""One sentence template (hassil) and the named parts that it shares with others of its file; parsed when first needed.

A file's `rules` are hassil's expansion rules: `<mails>` in a template stands for what the file says of it, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from typing import Any

from hassil import IntentData, SlotList, WildcardSlotList, parse_sentence
from hassil.expression import Expression, Group, Sentence, Sequence, TextChunk
from hassil.util import match_start

from assistant.conversation.prefilter import Clause, clauses
from assistant.skillkit.templates import LIVE_SLOTS, RULE, SLOT, SPAN_SLOTS, expanded


class Rules:
    """The named parts of one file in one language."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._parsed: dict[str, Sentence] = {}
        self._clauses: dict[str, tuple[Clause, ...]] = {}

    def texts(self) -> Iterable[str]:
        """All parts as they stand in the file."""
        return self._texts.values()

    def expanded(self, text: str) -> str:
        """`text` with the parts themselves in the place of their names. Raises KeyError for an unknown one."""
        return expanded(text, self._texts)

    def used_by(self, text: str) -> dict[str, Sentence]:
        """The parsed parts that `text` needs, by name, and those that they need."""
        found: dict[str, Sentence] = {}
        for name in RULE.findall(text):
            if name not in self._parsed:
                self._parsed[name] = _slim(parse_sentence(self._texts[name]))
            found |= {name: self._parsed[name]} | self.used_by(self._texts[name])
        return found

    def clauses(self, name: str) -> tuple[Clause, ...]:
        """What a sentence must hold of one part."""
        if name not in self._clauses:
            self._clauses[name] = clauses(self._texts[name], self.clauses)
        return self._clauses[name]

    def told_by(self, texts: Iterable[str]) -> list[str]:
        """The texts, and each part that they use once."""
        told = list(texts)
        known: set[str] = set()
        for text in told:
            fresh = [name for name in dict.fromkeys(RULE.findall(text)) if name not in known]
            known.update(fresh)
            told += [self._texts[name] for name in fresh]  # a part may use others: it is looked at in its turn
        return told

    def warm(self) -> None:
        """What `Template.warm` does, for the parts."""
        for sentence in self.used_by("".join(f"<{name}>" for name in self._texts)).values():
            _compile(sentence)


@dataclass(frozen=True)
class Template:
    """One way to ask for a tool."""

    tool: str
    sentence: str
    args: Mapping[str, Any]
    rules: Rules

    @cached_property
    def whole(self) -> str:
        """The template without rules."""
        return self.rules.expanded(self.sentence)

    def clauses(self) -> tuple[Clause, ...]:
        """What a sentence must hold to match it."""
        return clauses(self.sentence, self.rules.clauses)

    @cached_property
    def data(self) -> IntentData:
        """As hassil reads it."""
        data = IntentData(
            [self.sentence], metadata={"args": self.args}, expansion_rules=self.rules.used_by(self.sentence)
        )
        for sentence in data.sentences:
            _slim(sentence)
        return data

    @cached_property
    def wildcards(self) -> dict[str, SlotList]:
        """Its slots that take any words."""
        names = {name for name, _ in SLOT.findall(self.whole)}
        return {name: WildcardSlotList(name) for name in names.difference(SPAN_SLOTS, LIVE_SLOTS)}

    def warm(self) -> None:
        """Parse it, and have hassil compile the patterns of its words, which it keeps."""
        for sentence in self.data.sentences:
            _compile(sentence)


def _compile(sentence: Sentence) -> None:
    for chunk in _chunks(sentence.expression):
        match_start("", chunk.text)


def _slim(sentence: Sentence) -> Sentence:
    sentence.expression = _slimmed(sentence.expression)
    return sentence


def _slimmed(expression: Expression) -> Expression:
    """The same expression without sequences of one and with one object for equal words: a third of the memory."""
    if isinstance(expression, TextChunk):
        expression.text = intern(expression.text)
        expression.original_text = intern(expression.original_text)
    elif isinstance(expression, Group):
        expression.items = [_slimmed(item) for item in expression.items]
        if type(expression) is Sequence and len(expression.items) == 1:
            return expression.items[0]
    return expression


def _chunks(expression: Expression) -> Iterator[TextChunk]:
    if isinstance(expression, TextChunk):
        yield expression
    elif isinstance(expression, Group):
        for item in expression.items:
            yield from _chunks(item)
