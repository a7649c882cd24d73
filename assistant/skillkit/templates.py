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
RULES = "rules"
"""The key, beside the tools, of parts that templates share: `<name>` in a template stands for one."""
RULE = re.compile(r"<([^<>]+)>")
MOST_RULES_DEEP = 12
SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
"""`{kind}` or `{kind:argument}`."""


def expanded(text: str, rules: Mapping[str, str], depth: int = 0) -> str:
    """`text` with the shared parts themselves in the place of their names.

    Raises KeyError for an unknown one, RecursionError for one that stands in itself.
    """
    if depth > MOST_RULES_DEEP:
        raise RecursionError(text)
    return RULE.sub(lambda found: f"({expanded(rules[found[1]], rules, depth + 1)})", text)


def fault(sentence: str, arguments: Collection[str]) -> str:
    """Why the template can't be used, as a key below `error.skillkit.sentences`; empty if it can.

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
    return "unknown_slot" if unknown_slots(sentence, arguments) else ""


def unknown_slots(sentence: str, arguments: Collection[str]) -> list[str]:
    """The slots that are no argument, without their braces."""
    named = [(argument or ("" if kind in SPAN_SLOTS else kind)) for kind, argument in SLOT.findall(sentence)]
    return [argument for argument in named if argument and argument not in arguments]


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
