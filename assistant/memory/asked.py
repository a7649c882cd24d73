"""Which facts a question asks for by their kind: "when is my birthday", 我姐姐住在哪里. Searches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from assistant.knowledge import Fact
from assistant.memory.concepts import is_person, named
from assistant.memory.kinds import Kinds
from assistant.store.index import fold


def asked_for(
    query: str, known: Sequence[Fact], kinds: Kinds, names: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[Fact]:
    """Facts of the predicates that the question names: those of whom it names, else the user's own.

    `names` are further names by subject: Klara is "sister" too.
    """
    said = set(named(query))
    facts = [fact for fact in known if kinds.predicates[fact.predicate].asked & said]
    folded = fold(query)
    of_others = [
        fact
        for fact in facts
        if fact.subject and any(_is_named(one, folded, said) for one in (fact.subject, *names.get(fact.subject, ())))
    ]
    if of_others or any(is_person(concept) for concept in said):
        return _of_topic(of_others, said)
    return _of_topic([fact for fact in facts if not fact.subject], said)


def _is_named(subject: str, query: str, said: set[str]) -> bool:
    people = {concept for concept in named(subject) if is_person(concept)}
    return fold(subject) in query or bool(people & said)


def _of_topic(facts: list[Fact], said: set[str]) -> list[Fact]:
    """Those whose topic is named, where one is: a shoe size, not the ring's."""
    return [fact for fact in facts if said & set(named(fact.topic))] or facts
