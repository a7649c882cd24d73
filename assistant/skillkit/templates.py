"""Checks sentence templates (hassil) before they are put beside all the others. Matches nothing itself.

A template that can't be parsed would break its neighbours; one made of slots alone would take every sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

SPAN_SLOTS = frozenset({"when", "once", "every", "period", "duration", "amount", "count"})
"""Slots that hold what the value parsers read, and not the words of the argument of their name. Of the times,
`once` does not repeat, `every` does, and `when` may."""
LIVE_SLOTS = frozenset({"contact", "account"})
"""Slots that hold one of what the user has."""
LEAST_WORDS = 2
"""Letters or characters of its own that a template must always have."""
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
"""`{kind}` or `{kind:argument}`."""


def fault(sentence: str, arguments: Collection[str]) -> str:
    """Why the template can't be used, as a key below `skillkit.template`; empty if it can.

    `arguments` are the names that its slots may have beside those of `SPAN_SLOTS`.
    """
    from hassil import parse_sentence  # only where there are templates to check
    from hassil.parser import ParseError

    try:
        least = _least(parse_sentence(sentence).expression)
    except (ParseError, ValueError, RecursionError):
        return "unreadable"
    if least < LEAST_WORDS:
        return "too_wide"
    for kind, named in SLOT.findall(sentence):
        argument = named or ("" if kind in SPAN_SLOTS else kind)
        if argument and argument not in arguments:
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
