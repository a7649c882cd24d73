"""Words that mean the same in both languages (`profile/concepts.yaml`), as terms of the word index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from assistant.resources import bundled
from assistant.store.index import fold

_MARK = "kk"
"""Begins a concept's term, so that it is no word of any text."""


def concepts(text: str) -> list[str]:
    """The concepts that `text` names, as terms of the index, each once."""
    return [_MARK + name for name in named(text)]


def is_person(concept: str) -> bool:
    """Whether it is somebody."""
    return bool(_data()[concept].get("person"))


def exactly(word: str) -> list[str]:
    """The concepts that `word` is a name of, whole: "sister" and 姐姐, not "my sister's friend"."""
    folded = fold(word).strip()
    single = folded[0] if len(folded) == 2 and folded[0] == folded[1] else folded
    return [
        name for name, entry in _data().items() if folded in entry["en"] or not {folded, single}.isdisjoint(entry["zh"])
    ]


def named(text: str) -> list[str]:
    """The names of the concepts that `text` speaks of, each once."""
    folded = fold(text)
    english, chinese = _words()
    found = {name: None for word in english.finditer(folded) for name in _of_english(word[0])}
    for word, names in chinese.items():
        if word in folded:
            found |= dict.fromkeys(names)
    return list(found)


@cache
def _data() -> Mapping[str, Mapping[str, Any]]:
    loaded: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(
        (bundled("profile") / "concepts.yaml").read_text(encoding="utf-8")
    )
    return loaded


@cache
def _words() -> tuple[re.Pattern[str], Mapping[str, tuple[str, ...]]]:
    forms = sorted({_form(word) for entry in _data().values() for word in entry["en"]}, key=len, reverse=True)
    chinese: dict[str, tuple[str, ...]] = {}
    for name, entry in _data().items():
        for word in entry["zh"]:
            chinese[word] = (*chinese.get(word, ()), name)
    return re.compile(rf"(?<![a-z])(?:{'|'.join(forms)})(?![a-z])"), chinese


@cache
def _of_english(said: str) -> tuple[str, ...]:
    return tuple(
        name for name, entry in _data().items() if any(re.fullmatch(_form(word), said) for word in entry["en"])
    )


def _form(word: str) -> str:
    """The pattern of an English entry: a plural s may follow, `*` is any ending."""
    return re.escape(word[:-1]) + "[a-z]*" if word.endswith("*") else re.escape(word) + "(?:s|'s)?"
