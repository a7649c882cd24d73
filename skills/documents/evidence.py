"""What the model is shown of the files: the best lines with their neighbours, few enough for a small model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .library import Entry
from .rank import Line, Ranking

_TOKENS = 400
_OF_BEST = 0.5
_WITH_NEIGHBOURS = 4
"""So many of the best lines bring the lines beside them."""


@dataclass(frozen=True)
class Excerpt:
    """Lines of one file, in their order."""

    entry: Entry
    lines: Sequence[Line]


def tokens(text: str) -> float:
    """About how many tokens a text is: a small model's vocabulary has few words of Chinese and single digits."""
    wide = sum(1 for one in text if one >= "\u2e80")
    digits = sum(1 for one in text if one.isdigit())
    return wide * 0.75 + digits + (len(text) - wide - digits) / 3.8 + 1


def excerpts(ranking: Ranking) -> list[Excerpt]:
    """The best lines by file, the best file first, within the room that there is."""
    chosen: dict[Entry, dict[tuple[int, int], Line]] = {}
    room = float(_TOKENS)
    for rank, (line, score) in enumerate(ranking.lines):
        if score < _OF_BEST * ranking.best:
            break
        for one in _group(line, neighbours=rank < _WITH_NEIGHBOURS):
            of_file = chosen.get(one.entry, {})
            cost = tokens(one.text) + (0 if of_file else 14)
            if (one.number, one.at) not in of_file and cost <= room:
                chosen.setdefault(one.entry, {})[(one.number, one.at)] = one
                room -= cost
    return [Excerpt(entry, [lines[place] for place in sorted(lines)]) for entry, lines in chosen.items()]


def _group(line: Line, *, neighbours: bool) -> list[Line]:
    """A line and what it is read with: its heading, the next line, the one before."""
    passage, at = line.passage, line.at
    places = [at]
    above = next((n for n in range(at, -1, -1) if Line(line.entry, line.number, passage, n).heading), None)
    if above is not None:
        places.append(above)
    if neighbours:
        places += [place for place in (at + 1, at - 1) if 0 <= place < len(passage.lines)]
    return [Line(line.entry, line.number, passage, place) for place in dict.fromkeys(places)]
