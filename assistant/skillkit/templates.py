"""Checks sentence templates (hassil) before they are put beside all the others. Matches nothing itself.

A template that can't be parsed would break its neighbours; one made of slots alone would take every sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

TIME_SLOTS = frozenset({"when", "period", "duration"})
"""Slots that hold a time and not the argument of their name."""
LEAST_WORDS = 2
"""Letters or characters of its own that a template must always have."""
_SLOT = re.compile(r"\{(\w+)(?::\w+)?\}")


def fault(sentence: str, arguments: Collection[str]) -> str:
    """Why the template can't be used, as a key below `skillkit.template`; empty if it can.

    `arguments` are the names that its slots may have beside the time slots.
    """
    from hassil import parse_sentence  # only where there are templates to check
    from hassil.parser import ParseError

    try:
        least = _least(parse_sentence(sentence).expression)
    except (ParseError, ValueError, RecursionError):
        return "unreadable"
    if least < LEAST_WORDS:
        return "too_wide"
    if any(slot not in TIME_SLOTS and slot not in arguments for slot in _SLOT.findall(sentence)):
        return "unknown_slot"
    return ""


def faults(tree: Mapping[str, Any], arguments: Mapping[str, Collection[str]]) -> list[str]:
    """The faulty templates of a `sentences.yaml`, a line each, for developers; `arguments` by full tool name."""
    names = {name for known in arguments.values() for name in known}
    found = []
    for language, tools in tree.items():
        for tool, entries in tools.items():
            if tool not in arguments:
                found.append(f"{language}: {tool}: no such tool")
                continue
            for entry in entries:
                problems = ((sentence, fault(sentence, names)) for sentence in entry["sentences"])
                found += [f"{language}: {tool}: {sentence!r}: {problem}" for sentence, problem in problems if problem]
    return found


def _least(item: Any) -> int:
    """Letters and characters in the shortest sentence of an expression. Raises ValueError for a rule."""
    from hassil.expression import Alternative, ListReference, Permutation, Sequence, TextChunk

    if isinstance(item, TextChunk):
        return sum(1 for character in item.original_text if character.isalnum())
    if isinstance(item, ListReference):
        return 0
    if isinstance(item, Alternative):
        return min((_least(one) for one in item.items), default=0)
    if isinstance(item, Sequence | Permutation):
        return sum(_least(one) for one in item.items)
    raise ValueError(type(item).__name__)
