"""The kinds of facts and their predicates, as `profile/kinds.yaml` lists them. Holds no fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from assistant.knowledge import Fact
from assistant.resources import bundled


@dataclass(frozen=True)
class Predicate:
    """What may be said of a subject, and how it behaves over time."""

    name: str
    kind: str
    one: bool = False
    """A subject (and topic) has one value at a time."""
    against: frozenset[str] = frozenset()
    """Predicates that can't hold of the same value at the same time."""
    review: int = 0
    """Days after which it may well have changed; 0 is never."""
    private: bool = False
    """It never leaves the device."""
    covers: bool = False
    """What holds of a thing holds of each kind of it: who avoids nuts avoids brazil nuts."""
    guides: bool = False
    """It says how the user wants things."""
    asked: frozenset[str] = frozenset()
    """Concepts that a question for it names."""
    told: dict[str, str] = field(default_factory=dict)
    """The sentence that tells it to the user, by language."""
    told_of_others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kinds:
    """All of them."""

    titles: dict[str, dict[str, str]]
    """Kind → language → its heading, in the order in which they are shown."""
    predicates: dict[str, Predicate]

    def sentence(self, fact: Fact, language: str) -> str:
        """The fact as the user is told it."""
        predicate = self.predicates[fact.predicate]
        forms = predicate.told_of_others if fact.subject else predicate.told
        form = forms.get(language) or predicate.told[language]
        said = form.format(subject=fact.subject, topic=fact.topic, value=fact.value.rstrip("。."))
        return said[:1].upper() + said[1:]


@cache
def kinds() -> Kinds:
    """Those that come with the program. Raises ValueError for a file that is not well-formed."""
    tree = YAML(typ="safe").load((bundled("profile") / "kinds.yaml").read_text(encoding="utf-8"))["kinds"]
    predicates = {
        name: _predicate(name, kind, dict(entry))
        for kind, of_kind in tree.items()
        for name, entry in of_kind["predicates"].items()
    }
    unknown = {other for one in predicates.values() for other in one.against} - predicates.keys()
    if unknown:
        raise ValueError(f"kinds.yaml: unknown predicates {sorted(unknown)}")
    return Kinds({kind: of_kind["title"] for kind, of_kind in tree.items()}, predicates)


def _predicate(name: str, kind: str, entry: dict[str, Any]) -> Predicate:
    told = {language: entry.pop(language) for language in ("en", "zh")}
    others = entry.pop("other", {})
    against, asked = (frozenset(entry.pop(each, ())) for each in ("against", "asked"))
    return Predicate(name=name, kind=kind, against=against, asked=asked, told=told, told_of_others=others, **entry)
