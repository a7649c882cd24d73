"""What may become a fact: every statement that was read passes here, whoever read it. Asks no model, keeps nothing.

Rules are trusted with what they read but for secrets; what a model wrote must stand in the user's own words, be said of
the user or of somebody of theirs, and carry the words of its kind (`profile/reading.yaml`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from assistant.knowledge import Evidence, Fact, Statement
from assistant.memory.facts import plain
from assistant.memory.kinds import kinds
from assistant.memory.stating import (
    Told,
    about_others,
    about_own,
    about_user,
    is_value,
    lasting,
    negates,
    related,
    requests,
)
from assistant.resources import bundled
from assistant.store.index import fold

_MOST_WORDS = 10
_MOST_SIGNS = 24
"""Of a value in an unspaced script."""
_DIGITS = re.compile(r"\d+")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){13,19}(?!\d)")
_HAN = re.compile(r"[㐀-鿿]")
_PRONOUN = re.compile(r"\b(?:he|she|they|who|his|her|their|him|them)\b|[他她]|'s\b", re.I)


@dataclass(frozen=True)
class Written:
    """One line of the model's: `predicate(whose, topic) = value`; whose is empty for the user."""

    predicate: str
    whose: str
    topic: str
    value: str


@dataclass(frozen=True)
class Words:
    """What the model was asked about, as the gates see it."""

    evidence: Evidence
    clauses: Sequence[Told]
    bars: Callable[[str], bool] = lambda text: False
    """Whether a text is of a topic of which nothing is kept."""
    people: Sequence[str] = ()
    """Folded names that are known of the user's people."""


def secret(text: str) -> bool:
    """Whether words hold what is never kept: a secret, or a card's number."""
    return bool(_secrets().search(text)) or any(map(_card, _CARD.findall(text)))


def kept(written: Sequence[Written], words: Words, known: Sequence[Fact]) -> list[Statement]:
    """The statements among what a model wrote that may be kept: new ones, and those that confirm what is known."""
    passed = [(one, place) for one in map(refiled, written) if (place := clause_of(one, words)) is not None]
    passed = [(one, place) for one, place in passed if not refused(one, place, words)]
    own = [one for said in words.clauses for one in said.read]
    found: list[Statement] = []
    for one, place in passed:
        beside = [other for other, where in passed if where == place and other is not one]
        statement = _statement(one, words.clauses[place].text, beside, words.evidence.language)
        if not any(_same(statement, other) for other in (*own, *found)):
            found.append(_folded(statement, known))
    return found


def refiled(one: Written) -> Written:
    """The line under the kind that it belongs to, where a small model takes one for another: what a relation does is no
    name, and a contract or a membership without a number is no document."""
    if one.predicate == "relation" and one.topic and not one.whose and one.value[:1].islower():
        return Written("job", one.topic, "", one.value)
    contract = reading()["kinds"]["account"]["topics"]
    if one.predicate == "document" and not _DIGITS.search(one.value) and re.search(contract, one.topic, re.I):
        return Written("account", one.whose, one.topic, one.value)
    return one


def clause_of(one: Written, words: Words) -> int | None:
    """The place of the clause that the value was copied from; None where it stands in none (grounding)."""
    value = fold(one.value).strip()
    places = [
        place for place, said in enumerate(words.clauses) if not said.read and value and _stands(value, fold(said.text))
    ]
    cued = [place for place in places if _cued(one.predicate, words.clauses[place].text, words.evidence.language)]
    return next(iter(cued or places), None)


def refused(one: Written, place: int, words: Words) -> str:
    """Why the model's line may not be kept: the first gate that it does not pass. Empty where it passes all."""
    clause, language = words.clauses[place].text, words.evidence.language
    entry = reading()["kinds"].get(one.predicate)
    if words.evidence.origin == "heard" or words.evidence.speaker:
        return "origin"
    predicate = kinds().predicates.get(one.predicate)
    if entry is None or predicate is None or (one.whose and not predicate.told_of_others):
        return "kind"
    if not _is_grounded(one, entry, words):
        return "grounding"
    if requests(clause, language) or not lasting(clause, one.predicate, language):
        return "clause"
    if not entry.get("even") and negates(clause.replace(one.value, " "), language):
        return "negation"
    if not _is_whose(one, place, words):
        return "subject"
    if not _is_typed(one, entry, language) or not _cued(one.predicate, clause, language):
        return "usefulness"
    if entry.get("owned") and not _owned(one.topic).search(clause):
        return "usefulness"
    said = f"{clause} {one.value}"
    if secret(said) or words.bars(said):
        return "sensitivity"
    return ""


@cache
def reading() -> Mapping[str, Any]:
    """`profile/reading.yaml`."""
    file = bundled("profile") / "reading.yaml"
    loaded: Mapping[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return loaded


def _is_grounded(one: Written, entry: Mapping[str, Any], words: Words) -> bool:
    said = fold(" . ".join(clause.text for clause in words.clauses))
    if bool(entry.get("topic")) != bool(one.topic):
        return False
    return all(_stands(fold(part), said) for part in (one.topic, one.whose) if part)


def _is_whose(one: Written, place: int, words: Words) -> bool:
    """Whether it is said of whom the model says: the first person, or somebody of the user's who is named."""
    clause, language = words.clauses[place].text, words.evidence.language
    turn = " . ".join(said.text for said in words.clauses)
    if one.predicate == "relation":
        return not one.whose and bool(related(turn, language))
    before = words.clauses[place - 1].text if place and language == "zh" and not about_user(clause, language) else ""
    if not one.whose:
        # Chinese leaves out who it is where it is clear, and then it is whoever it was before; English does not.
        others = about_others(clause, language) or about_others(before, language)
        return not others and (language == "zh" or about_user(turn, language))
    if not (related(one.whose, language) or fold(one.whose) in words.people or about_own(turn, language)):
        return False
    named = _stands(fold(one.whose), fold(f"{before} . {clause}"))
    return named or bool(place and _PRONOUN.search(clause))


def _is_typed(one: Written, entry: Mapping[str, Any], language: str) -> bool:
    """Whether the value can be one of its kind: short, something, and looking like it."""
    short = len(one.value) <= _MOST_SIGNS if _HAN.search(one.value) else len(one.value.split()) <= _MOST_WORDS
    looks = _looks(one.predicate)
    return (
        short
        and is_value(one.value, language)
        and plain(one.value) not in (plain(one.topic), plain(one.whose))
        and not requests(one.value, language)
        and (looks is None or bool(looks.search(one.value)))
    )


def _statement(one: Written, clause: str, beside: Sequence[Written], language: str) -> Statement:
    """Its words are the clause, or its own alone where the clause says more: so each can be forgotten by itself."""
    shared = any(_stands(fold(other.value), fold(clause)) for other in beside)
    value = one.value.strip(" ,，.。、;；:：")
    return Statement(
        predicate=one.predicate,
        subject=one.whose,
        topic=one.topic.strip().casefold(),
        value=value,
        text=value if shared else clause,
        language=language,
    )


def _folded(said: Statement, known: Sequence[Fact]) -> Statement:
    """The statement, in the words of what is known already where it says the same (novelty)."""
    kind = kinds().predicates[said.predicate].kind
    for fact in known:
        if fact.kind == kind and plain(fact.subject) == plain(said.subject) and says_same(fact.value, said.value):
            same = {"predicate": fact.predicate, "subject": fact.subject, "topic": fact.topic, "value": fact.value}
            return said.model_copy(update=same)
    return said


def _same(one: Statement, other: Statement) -> bool:
    return says_same(one.value, other.value) and (one.subject == other.subject or one.predicate == other.predicate)


def says_same(one: str, other: str) -> bool:
    """Whether two values say the same: alike, or one the longer form of the other, with the same numbers."""
    first, second = plain(one), plain(other)
    if first == second:
        return True
    if _DIGITS.findall(first) != _DIGITS.findall(second) or min(len(first), len(second)) < 2:
        return False
    if _HAN.search(first + second):
        return first in second or second in first
    left, right = set(first.split()), set(second.split())
    return left <= right or right <= left


def _stands(part: str, text: str) -> bool:
    """Whether `part` stands in `text`, as whole words."""
    part = part.strip()
    around = r"(?<![a-z0-9]){}(?![a-z0-9])" if part.isascii() else "{}"
    return bool(part) and re.search(around.format(re.escape(part)), text) is not None


def _card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812)."""
    numbers = [int(one) for one in digits if one.isdigit()][::-1]
    doubled = [sum(divmod(one * 2, 10)) for one in numbers[1::2]]
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0


def _cued(predicate: str, clause: str, language: str) -> bool:
    pattern = _cue(predicate, "zh" if language == "zh" else "en")
    return pattern is None or bool(pattern.search(clause))


@cache
def _cue(predicate: str, language: str) -> re.Pattern[str] | None:
    words = reading()["kinds"].get(predicate, {}).get(language)
    return re.compile(words, re.I) if words else None


def _owned(topic: str) -> re.Pattern[str]:
    """Where a thing is told as the user's own: "my old phone", 我家的车."""
    return re.compile(rf"(?:\b(?:my|our)\s+(?:\w+\s+)?|(?:我|咱)们?(?:家|家里)?的?){re.escape(topic)}", re.I)


@cache
def _looks(predicate: str) -> re.Pattern[str] | None:
    words = reading()["kinds"].get(predicate, {}).get("looks")
    return re.compile(words, 0 if predicate == "relation" else re.I) if words else None


@cache
def _secrets() -> re.Pattern[str]:
    return re.compile("|".join(reading()["secrets"]), re.I)
