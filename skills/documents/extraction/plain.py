"""Plain text, Markdown and separated values: bytes in, blocks out.

A reader raises `Unreadable` with a word for why, or whatever its library raises.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .blocks import Block, PlaceKind, weight

_ROWS = 20_000
_COLUMNS = 60
_GUESSES = ["gb18030", "big5", "cp932", "euc_jp", "cp949", "cp1252", "cp1250", "cp1251"]
_MARKUP = re.compile(r"!?\[([^\]]*)\]\(([^)]*)\)|(?<!\w)[*_`~]{1,3}(?=\S)|(?<=\S)[*_`~]{1,3}(?=\W|$)")
_RULE = re.compile(r"^[\s|:+=*_-]{3,}$")
_ITEM = re.compile(
    r"^\s*(?:[-*+•·▪‣]|\d{1,3}[.)、]|[a-z][.)]|[（(][\d一二三四五六七八九十a-z]{1,3}[)）]"
    r"|第[\d一二三四五六七八九十]{1,4}[条章节]|[^:：,，。]{1,30}[:：]\s?\S)\s*"
)
"""How a line begins that goes on from none: a list's item, a clause, a name with its value."""
_WRAPPED = 50  # a shorter line was ended by its writer, not by the page's width
_TITLE = re.compile(r"(?!\d+$)\S.{0,58}[^.!?。！？；;:：,，\s]")
"""A short line between empty ones that ends no sentence."""
_ENDS = re.compile(r"[.!?。！？；;:：][\"”’)）」]*$")


class Unreadable(Exception):
    """Why a file gives no text: encrypted, large, broken, gone."""


def decoded(content: io.BytesIO) -> str:
    """Text of bytes whose encoding nobody tells. Raises Unreadable for what is no text."""
    raw = content.getvalue()
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if b"\0" in raw[:4096]:
        raise Unreadable("broken")
    from charset_normalizer import from_bytes

    best = from_bytes(raw[:200_000], cp_isolation=_GUESSES).best()
    return raw.decode(best.encoding if best else "cp1252", "replace")


def text(content: io.BytesIO) -> Iterator[Block]:
    """Plain text and Markdown: headings with `#` or underlined, lists, tables, paragraphs."""
    lines = decoded(content).splitlines()
    open_: list[str] = []
    began = 0
    header: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        heading = re.match(r"^#{1,6}\s+(.+?)\s*#*$", line)
        underlined = not open_ and _is_title(lines, number - 1)
        row = line.strip().startswith("|") and line.count("|") > 2
        if open_ and (not line.strip() or heading or row or _ITEM.match(line) or _RULE.match(line)):
            yield from _paragraphs(open_, began)
            open_ = []
        if not line.strip() or _RULE.match(line):
            header = header if line.strip() else []
        elif heading or underlined:
            yield Block(_plain(heading[1] if heading else line), "heading", "line", str(number))
        elif row:
            cells = [_plain(cell) for cell in line.strip().strip("|").split("|")]
            if not header:
                header = cells
            yield Block(_row(header, cells) if cells is not header else " | ".join(cells), "row", "line", str(number))
        else:
            began = began if open_ else number
            open_.append(line)


def _is_title(lines: list[str], at: int) -> bool:
    """Whether a line without marks is a heading: short, after an empty line, and underlined or above a paragraph."""
    if not _TITLE.fullmatch(lines[at].strip() if at < len(lines) else "") or (at and lines[at - 1].strip()):
        return False
    below = [line.strip() for line in lines[at + 1 : at + 4]] + [""] * 3
    if re.fullmatch(r"(=|-){3,}", below[0]):
        return True
    return not below[0] and bool(below[1]) and (bool(below[2]) or weight(below[1]) > weight(lines[at].strip()))


def _paragraphs(lines: list[str], began: int) -> Iterator[Block]:
    for offset, text in reflow([_plain(line) for line in lines]):
        yield Block(text, "text", "line", str(began + offset))


def _plain(text: str) -> str:
    """A line without Markdown's marks; a link keeps its words and where it leads."""
    return _MARKUP.sub(lambda found: f"{found[1]} ({found[2]})" if found[2] else found[1] or "", text).strip()


def reflow(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines that a layout broke, joined again: (number of the first, text).

    A line goes on in the next where it is nearly as long as the longest and ends no sentence.
    """
    longest = max((weight(line.strip()) for line in lines), default=0)
    text, first = "", 0
    for number, line in enumerate(line.strip() for line in lines):
        joins = text and not _ITEM.match(line) and line and not _ENDS.search(text) and longest >= _WRAPPED
        if joins and weight(lines[number - 1].strip()) >= 0.7 * longest:
            wide = text[-1] >= "\u2e80" and line[0] >= "\u2e80"
            text = text[:-1] + line if _hyphened(text, line) else text + ("" if wide else " ") + line
        else:
            if text:
                yield first, text
            text, first = line, number
    if text:
        yield first, text


def _hyphened(text: str, line: str) -> bool:
    return text.endswith("-") and text[-2:-1].islower() and line[0].islower()


def _row(header: list[str], cells: list[str]) -> str:
    """A table's row as it can be read alone: `Item: Rent; Amount: 950`."""
    named = [
        f"{name}: {cell}" if name and name != cell else cell
        for name, cell in zip([*header, *[""] * len(cells)], cells, strict=False)
        if cell
    ]
    return "; ".join(named)


def table(rows: Iterable[list[str]], kind: PlaceKind = "", place: str = "") -> Iterator[Block]:
    """Rows under the names of their columns, where the first full row is made of names."""
    header: list[str] = []
    title: list[Block] = []
    for count, row in enumerate(rows):
        cells = [" ".join(cell.split()) for cell in row[:_COLUMNS]]
        filled = [cell for cell in cells if cell]
        if count >= _ROWS or not filled:
            continue
        if not header and len(filled) == 1 and len(cells) > 1:  # a line above the table
            title.append(Block(filled[0], "heading", kind, place))
            continue
        yield from title
        title = []
        if not header and all(not _numeric(cell) for cell in filled) and len(filled) > 1:
            header = cells
            yield Block(" | ".join(filled), "row", kind, place)
        else:
            yield Block(_row(header, cells), "row", kind, place)
    yield from title


def _numeric(text: str) -> bool:
    return bool(re.fullmatch(r"[-+(]?[$€£¥￥]?\s*\d[\d.,:/ -]*\)?\s*[%€$£¥元]?", text))


def separated(content: io.BytesIO) -> Iterator[Block]:
    """A table of separated values."""
    text = decoded(content)
    csv.field_size_limit(1 << 20)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    yield from table(list(row) for row in csv.reader(io.StringIO(text), dialect))
