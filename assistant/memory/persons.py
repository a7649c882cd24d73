"""Which names mean one person: "my sister" and Klara, once it is known that the sister is called Klara.

Only where it can mean nobody else: one sister, one Klara, nothing known of the two that contradicts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from assistant.knowledge import Fact
from assistant.memory.concepts import exactly
from assistant.memory.facts import plain
from assistant.memory.kinds import Kinds
from assistant.memory.likeness import near
from assistant.models import Person

_ONE_EACH = frozenset(
    "mother father sister brother wife husband daughter son grandmother grandfather boss landlord dog cat".split()
)
"""Relations of which many people have one; a friend, a colleague or a neighbour is never meant by that word alone."""
_RELATION = "relation"


@dataclass(frozen=True)
class Joined:
    """Names that are put under one: facts about `name` are about `subject`."""

    name: str
    subject: str


@dataclass
class _Somebody:
    """One person, by everything they are called."""

    subject: str
    names: set[str] = field(default_factory=set)


def same_people(
    known: Sequence[Fact], people: Sequence[Person], kinds: Kinds, apart: Callable[[str, str], bool]
) -> list[Joined]:
    """What is to be joined; `known` are all facts, those that hold no more included, `people` the contacts.

    `apart` tells of two names that the user keeps apart.
    """
    holding = [one for one in known if one.superseded_by is None and one.valid_to is None]
    used = list(dict.fromkeys(one.subject for one in holding if one.subject))
    somebody = [*_related(known, holding, used), *_contacts(people)]
    found = []
    for name in used:
        meant = [one for one in _merged(somebody) if plain(name) in one.names]
        if len(meant) != 1 or plain(meant[0].subject) == plain(name):
            continue
        subject = meant[0].subject
        theirs = [one for one in holding if plain(one.subject) == plain(subject)]
        own = [one for one in holding if one.subject == name]
        if not apart(plain(name), plain(subject)) and not _contradict(own, theirs, kinds):
            found.append(Joined(name, subject))
    return found


def _related(known: Sequence[Fact], holding: Sequence[Fact], used: Iterable[str]) -> list[_Somebody]:
    """Those whose relation to the user is told with a name, by both."""
    told = [one for one in known if one.predicate == _RELATION and not one.subject]
    words = {plain(word) for word in (*used, *(one.topic for one in told))}
    found = []
    for fact in (one for one in told if one in holding):
        relation = exactly(fact.topic)
        if len(relation) != 1 or relation[0] not in _ONE_EACH:
            continue
        same = {word for word in words if exactly(word) == relation}
        others = {plain(one.value) for one in told if exactly(one.topic) == relation} - {plain(fact.value)}
        if others or len({word[0] for word in same if not word.isascii()}) > 1:  # 姐姐 and 妹妹 are two
            continue
        name = plain(fact.value)
        found.append(_Somebody(fact.value, same | {name} | {f"{word} {name}" for word in same if word.isascii()}))
    return found


def _contacts(people: Sequence[Person]) -> list[_Somebody]:
    """The contacts, by whole name, aliases, and the first name that only one of them has."""
    first = [plain(person.name).split()[0] for person in people if plain(person.name)]
    found = []
    for person in people:
        names = {plain(name) for name in (person.name, *person.aliases)} - {""}
        names |= {word for word in plain(person.name).split()[:1] if first.count(word) == 1}
        found.append(_Somebody(person.name, names))
    return found


def _merged(somebody: Sequence[_Somebody]) -> list[_Somebody]:
    """A relation's Klara and the one contact who is called Klara are one; their name is the contact's."""
    found: list[_Somebody] = []
    for one in somebody:
        same = [other for other in found if plain(other.subject) in one.names or plain(one.subject) in other.names]
        if len(same) == 1:
            same[0].names |= one.names
            same[0].subject = max(same[0].subject, one.subject, key=len)
        else:
            found.append(_Somebody(one.subject, set(one.names)))
    return found


def _contradict(own: Sequence[Fact], theirs: Sequence[Fact], kinds: Kinds) -> bool:
    """Whether something that has one value has two: then they may be two people."""
    return any(
        one.predicate == other.predicate
        and kinds.predicates[one.predicate].one
        and near(one.topic) == near(other.topic)
        and near(one.value) != near(other.value)
        for one in own
        for other in theirs
    )
