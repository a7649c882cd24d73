"""What people say while they think ("at uh nine", 明天呃下午三点) taken out of a text, and positions put back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from assistant.values.kinds import Span

_FILLER = r"(?:,? |^)(?<![a-z])(?:u+h+m*|u+m+|e+r+m*|h+m+|e+h+m*)(?![a-z'])[,.…]*(?= |$)|[呃嗯](?:[,，、…]+)?|(?<= ) +"


@dataclass(frozen=True, slots=True)
class Fluent:
    """A text without its fillers."""

    text: str
    places: tuple[int, ...]
    """Where each of its characters stood."""

    def back(self, span: Span) -> Span:
        """`span` of the fluent text in the one that was said."""
        return replace(span, start=self.places[span.start], end=self.places[span.end - 1] + 1)


def fluent(text: str) -> Fluent | None:
    """A folded English or Chinese text without fillers and doubled spaces; None where it has none."""
    parts: list[str] = []
    places: list[int] = []
    position = 0
    for match in re.finditer(_FILLER, text):
        parts.append(text[position : match.start()])
        places.extend(range(position, match.start()))
        position = match.end()
    if not position:
        return None
    parts.append(text[position:])
    places.extend(range(position, len(text)))
    return Fluent("".join(parts), tuple(places))
