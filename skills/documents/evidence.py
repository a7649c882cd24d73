"""What the model is shown of the files: the best lines with their neighbours, few enough for a small model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .library import Entry, Library
from .rank import Spot
from .reader import HEADING, Passage

_TOKENS = 360
_SPOTS = 4
_OF_BEST = 0.55
_REACH = 6


@dataclass(frozen=True)
class Line:
    """One line of a file."""

    entry: Entry
    passage: Passage
    at: int
    """In the passage, from 0."""

    @property
    def text(self) -> str:
        """As it stands there."""
        return self.passage.lines[self.at].removeprefix(HEADING)

    @property
    def heading(self) -> bool:
        """Whether it is one."""
        return self.passage.lines[self.at].startswith(HEADING)


@dataclass(frozen=True)
class Excerpt:
    """Neighbouring lines of one file."""

    entry: Entry
    lines: Sequence[Line]


def tokens(text: str) -> float:
    """About how many tokens a text is: a small model's vocabulary has few words of Chinese and single digits."""
    wide = sum(1 for one in text if one >= "\u2e80")
    digits = sum(1 for one in text if one.isdigit())
    return wide * 0.75 + digits + (len(text) - wide - digits) / 3.8 + 1


def excerpts(library: Library, spots: Sequence[Spot]) -> list[Excerpt]:
    """The surroundings of the best spots, within the room that there is."""
    made: list[Excerpt] = []
    taken: dict[str, set[int]] = {}
    room = float(_TOKENS)
    for spot in spots:
        if spot.score < _OF_BEST * spots[0].score or len(made) == _SPOTS or room < 30:
            break
        passages = library.passages(spot.entry)
        lines = [Line(spot.entry, passage, at) for passage in passages for at in range(len(passage.lines))]
        at = sum(len(passage.lines) for passage in passages[: spot.passage]) + spot.line
        known = taken.setdefault(spot.entry.id, set())
        if at >= len(lines) or at in known:
            continue
        chosen = _window(lines, at, room * (0.4 if made else 0.55), known)
        known |= set(chosen)
        room -= sum(tokens(lines[place].text) for place in chosen) + 12
        made.append(Excerpt(spot.entry, [lines[place] for place in chosen]))
    return made


def _window(lines: Sequence[Line], at: int, room: float, taken: set[int]) -> list[int]:
    """The line, then its neighbours, the next before the last, as long as there is room."""
    chosen = {at}
    used = tokens(lines[at].text)
    for step in range(1, _REACH + 1):
        for place, inner in ((at + step, at + step - 1), (at - step, at - step + 1)):
            if 0 <= place < len(lines) and inner in chosen and place not in taken:
                cost = tokens(lines[place].text)
                if used + cost <= room:
                    chosen.add(place)
                    used += cost
    return sorted(chosen)
