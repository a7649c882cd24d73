"""PDF pages, as they are laid out: tables by their rows, broken lines joined again. A page without text is left out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from .blocks import Block
from .plain import Unreadable, reflow, table

_PAGES = 1_500
_CELLS = re.compile(r" {3,}")
_COLUMN = 30
"""Two cells that are both longer stand in columns of text, not in a table."""
_INDENT = 12
_HEADING = re.compile(
    r"(?:(?:section|article|chapter|part|appendix|annex)\s+\w{1,4}\b|§ ?\d+"
    r"|\d{1,2}(?:\.\d{1,2}){0,2}\.?\s+(?=[A-Z\u4e00-\u9fff])|[IVX]{1,4}\.\s"
    r"|[一二三四五六七八九十]{1,3}、|第[一二三四五六七八九十\d]{1,3}[章节条部分])\s*\S[^.!?。！？；;,，]{0,50}$",
    re.IGNORECASE,
)


def pdf(content: io.BytesIO) -> Iterator[Block]:
    """A page after the other; one that can't be read hides no other. Raises Unreadable for an encrypted file."""
    from pypdf import PdfReader

    reader = PdfReader(content)
    if reader.is_encrypted and not reader.decrypt(""):  # many are encrypted with no password, only to forbid printing
        raise Unreadable("encrypted")
    broken = read = 0
    for number, page in enumerate(reader.pages[:_PAGES], 1):
        try:
            lines = _lines(page)
        except MemoryError:
            raise
        except Exception:  # a parser may raise anything on a page that is damaged
            broken += 1
            continue
        read += 1
        yield from _blocks(lines, str(number))
    if broken and not read:
        raise Unreadable("broken")


def _lines(page: Any) -> list[str]:
    """The page's lines with their gaps; where text stands in columns, or the layout can't be told, without."""
    try:
        laid_out: list[str] = page.extract_text(extraction_mode="layout").splitlines()
    except MemoryError:
        raise
    except Exception:  # fonts without widths, rotated text
        laid_out = []
    filled = [line for line in laid_out if line.strip()]
    columns = sum(min(map(len, _cells(line))) > _COLUMN for line in filled if len(_cells(line)) > 1)
    plain: list[str] = page.extract_text().splitlines()
    complete = sum(map(len, "".join(filled).split())) >= 0.9 * sum(map(len, "".join(plain).split()))
    return laid_out if filled and complete and columns <= 0.2 * len(filled) else plain


def _cells(line: str) -> list[str]:
    return _CELLS.split(line.strip())


def _blocks(lines: list[str], page: str) -> Iterator[Block]:
    """Paragraphs, headings, and the rows of tables (between which the layout may leave empty lines)."""
    text: list[str] = []
    rows: list[list[str]] = []
    for line in lines:
        words, cells = line.strip(), _cells(line)
        if len(cells) > 1:
            yield from _paragraphs(text, page)
            text = []
            rows.append(cells)
        elif rows and words and len(line) - len(line.lstrip()) >= _INDENT:
            rows[-1][-1] += ("" if rows[-1][-1][-1] >= "\u2e80" else " ") + words
        elif words and not _HEADING.match(words):
            yield from _rows(rows, page)
            rows = []
            text.append(line)
        else:
            yield from _paragraphs(text, page)
            text = []
            if words:
                yield from _rows(rows, page)
                rows = []
                yield Block(words, "heading", "page", page)
    yield from _paragraphs(text, page)
    yield from _rows(rows, page)


def _rows(rows: list[list[str]], page: str) -> Iterator[Block]:
    """A table; a single line with a gap in it is none."""
    if len(rows) > 1:
        yield from table(rows, "page", page)
    else:
        yield from (Block(" ".join(row), "text", "page", page) for row in rows)


def _paragraphs(lines: list[str], page: str) -> Iterator[Block]:
    for _, paragraph in reflow(lines):
        yield Block(paragraph, place_kind="page", place=page)
