"""What a reader yields, and how it becomes passages of about 900 characters. Knows no file format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

PlaceKind = Literal["", "page", "sheet", "slide", "line"]

_PASSAGE = 900  # characters; a Chinese one counts for more, as it does for a model
_HEADED = 300  # a heading opens a new passage once the open one is this long
_LINE = 320
_HEADING = 160
HEADING = "# "
"""What a line that is a heading begins with."""
_WIDE = 2.4
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]"
)
_SENTENCE = re.compile(r"(?<=[。！？；])(?=[^”’」』）)\s])|(?<=[.!?])[\"”’)]?\s+(?=[\"“‘(]?[A-Z0-9\u4e00-\u9fff])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:no|nos|nr|mr|mrs|ms|dr|prof|hr|fr|st|str|inc|ltd|co|vs|approx|art|sec|fig|tel|p|pp|e\.g|i\.e|etc)|\b[A-Z]|(?:^|\s)\d{1,2})\.$",
    re.IGNORECASE,
)
_CUT = re.compile(r"[,，、;；:：\s]")


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading or a table's row, and where it stands."""

    text: str
    kind: Literal["text", "heading", "row"] = "text"
    place_kind: PlaceKind = ""
    place: str = ""


@dataclass
class Passage:
    """Neighbouring lines of one page, sheet or slide, under the heading that they began with."""

    place_kind: PlaceKind
    place: str
    heading: str
    lines: list[str] = field(default_factory=list)
    weight: float = 0


def clean(text: str) -> str:
    """Without what nobody sees (controls, directional marks, tag characters); other white space becomes a space."""
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)).split())


def weight(text: str) -> float:
    """Length as a model feels it: a character of an unspaced script counts for more than a letter."""
    wide = sum(1 for one in text if one >= "\u2e80")
    return len(text) + (_WIDE - 1) * wide


def sentences(text: str) -> Iterator[str]:
    """The sentences of a paragraph, none much longer than 320 characters."""
    start = 0
    for border in _SENTENCE.finditer(text):
        if _ABBREVIATION.search(text[start : border.start()][-12:]):
            continue
        yield from _cut(text[start : border.end()].strip())
        start = border.end()
    yield from _cut(text[start:].strip())


def _cut(line: str) -> Iterator[str]:
    while weight(line) > _LINE * 1.25:
        room = _LINE if weight(line) < len(line) * 1.3 else int(_LINE / _WIDE)
        borders = [found.end() for found in _CUT.finditer(line, room // 2, room)]
        at = borders[-1] if borders else room
        yield line[:at].strip()
        line = line[at:].strip()
    if line:
        yield line


def passages(blocks: Iterable[Block]) -> Iterator[Passage]:
    """The blocks in passages; none crosses the border of a page, a sheet or a slide."""
    now: Passage | None = None
    heading = ""
    for block in blocks:
        text = clean(block.text)
        if not text:
            continue
        moved = now is not None and block.place_kind != "line" and (block.place_kind, block.place) != _place(now)
        if moved or (now and block.kind == "heading" and now.weight >= _HEADED):
            yield now  # type: ignore[misc]
            now = None
        if moved and block.place_kind in ("sheet", "slide"):
            heading = ""
        if block.kind == "heading":
            heading = text[:_HEADING]
            text = f"{HEADING}{heading}"
        for line in [text] if block.kind == "heading" else _lines(block.kind, text):
            size = weight(line)
            if now and now.weight + size > _PASSAGE:
                yield now
                now = None
            if now is None:
                now = Passage(block.place_kind, block.place, heading)
            now.lines.append(line)
            now.weight += size
    if now:
        yield now


def _lines(kind: str, text: str) -> Iterator[str]:
    return _cut(text) if kind == "row" else sentences(text)


def _place(passage: Passage) -> tuple[str, str]:
    return passage.place_kind, passage.place
