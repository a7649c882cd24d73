"""What a list is called: `my shopping list`, `the groceries` and 购物清单 are one. Reads no note."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from assistant.skillkit import Language

NOTES = "notes"
"""The list of free notes."""
_BEFORE = re.compile(
    r"^(?:(?:my|the|our|a|an|this|that|list\s+(?:of|for)(?:\s+the)?)\s+|我们的|我们|我的|我|这个|那个|名为|叫)+",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"(?:(?:\s*(?:\blists?|checklist|清单|列表|单子|名单|list)|(?<=购物|采购|买菜|行李|任务|待办)单)(?:里面|里|上面|上|中)?|的)+$",
    re.IGNORECASE,
)
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_LONGEST = 60


@dataclass(frozen=True)
class Names:
    """The lists that have several names, as `lists.yaml` tells them."""

    titles: Mapping[str, Mapping[str, str]]
    groups: Mapping[str, str]
    """Every folded name's group."""
    together: tuple[str, ...]
    whole: frozenset[str]


@cache
def names() -> Names:
    """Read once: the file comes with the skill."""
    from ruamel.yaml import YAML

    tree: dict[str, Any] = YAML(typ="safe").load((Path(__file__).parent / "lists.yaml").read_text(encoding="utf-8"))
    together, whole = tree.pop("together"), tree.pop("whole")
    return Names(
        titles={group: entry["title"] for group, entry in tree.items()},
        groups={folded(name): group for group, entry in tree.items() for name in entry["names"]},
        together=tuple(together),
        whole=frozenset(whole),
    )


def bare(said: str) -> str:
    """The name without the words around it: `my shopping list` → `shopping`; empty for "the list" alone."""
    name = " ".join(said.split())
    before = None
    while name and name != before:
        before, name = name, _BEHIND.sub("", _BEFORE.sub("", name)).strip(" '\"“”‘’「」《》.,，。")
    return name


def group(name: str) -> str:
    """The one key of all names of a list."""
    key = folded(name)
    return names().groups.get(key, key)


def is_common(name: str) -> bool:
    """Whether it is a list that everybody has, begun or not."""
    return group(name) in names().titles


def title(name: str, language: Language) -> str:
    """A new list's name in the user's language; a name of their own stays as it is."""
    titles = names().titles.get(group(name))
    return titles[language] if titles else name


def file_name(name: str) -> str:
    """A name that any file system takes, without the ending; never leads out of the folder."""
    fit = _UNFIT.sub("-", unicodedata.normalize("NFC", name)).strip(" .-")
    while len(fit.encode("utf-8")) > 3 * _LONGEST or len(fit) > _LONGEST:
        fit = fit[:-1]
    return fit.strip(" .-") or NOTES


def pick(name: str, existing: Iterable[str]) -> str | None:
    """The existing list that `name` means: by its very name first, then by another name of it."""
    there = list(existing)
    for same in (folded, group):
        if found := next((one for one in there if same(one) == same(name)), None):
            return found
    return next((one for one in there if folded(one) == folded(file_name(name))), None)


def folded(name: str) -> str:
    """As names are compared: width, case and separators alike."""
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()
