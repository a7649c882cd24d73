"""Grammar rules (GBNF) for runs of a text's own words: what was not said can't be written. Knows no prompt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_UNIT = re.compile(r"[㐀-䶿一-鿿぀-ヿ]|[^\W㐀-䶿一-鿿぀-ヿ]+(?:['’.@/~_+:-]+[^\W㐀-䶿一-鿿぀-ヿ]+)*|[~/]")
MOST_UNITS = 300


def runs(name: str, texts: Sequence[str], written: Callable[[str], str] = str) -> list[str]:
    """Rules of which the first, `name`, is any run of words (of characters, in Chinese and Japanese) of one text.

    `written` gives a piece of text as it stands in the output. Empty where there is no word, or more than MOST_UNITS.
    """
    units = [(place, found) for place, text in enumerate(texts) for found in _UNIT.finditer(text)]
    if not units or len(units) > MOST_UNITS:
        return []
    rules = [f"{name} ::= {' | '.join(f'w{number}' for number in range(len(units)))}"]
    for number, (place, unit) in enumerate(units):
        more = ""
        if number + 1 < len(units) and units[number + 1][0] == place:
            between = texts[place][unit.end() : units[number + 1][1].start()]
            more = f" ({literal(written(between))} w{number + 1})?" if between else f" w{number + 1}?"
        rules.append(f"w{number} ::= {literal(written(unit.group()))}{more}")
    return rules


def literal(text: str) -> str:
    """A text as a literal of the grammar."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
