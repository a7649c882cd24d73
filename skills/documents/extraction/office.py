"""Word, Excel and PowerPoint files (Office Open XML). What would unpack to too much is not opened."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from typing import Any

from .blocks import Block
from .plain import Unreadable, table

_UNPACKED = 256 << 20
_PARTS = 20_000
_OLE = b"\xd0\xcf\x11\xe0"
"""How an encrypted file begins: a compound file with the package inside."""
_SHEET_ROWS = 20_000
_COLUMNS = 60


def unpacked(content: io.BytesIO, reader: Callable[[Any], Iterator[Block]]) -> Iterator[Block]:
    """What `reader` makes of the file. Raises Unreadable for an encrypted one and for a zip bomb."""
    if content.getvalue().startswith(_OLE):
        raise Unreadable("encrypted")
    try:
        with zipfile.ZipFile(content) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise Unreadable("broken") from None
    if len(parts) > _PARTS or sum(part.file_size for part in parts) > _UNPACKED:
        raise Unreadable("large")
    return reader(content)


def document(content: io.BytesIO) -> Iterator[Block]:
    """A Word file: paragraphs and tables in their order, then headers, footers and notes are left out."""
    from docx import Document

    yield from _body(Document(content))


def _body(container: Any) -> Iterator[Block]:
    for item in container.iter_inner_content():
        if hasattr(item, "rows"):
            yield from table(_row(row) for row in item.rows)
        elif item.text.strip():
            style = ((item.style.name if item.style is not None else "") or "").casefold()
            heading = style.startswith(("heading", "title", "subtitle", "标题"))
            for text in item.text.split("\n"):
                yield Block(text, "heading" if heading else "text")


def _row(row: Any) -> list[str]:
    """The cells' texts; one that spans several columns once."""
    cells, seen = [], None
    for cell in row.cells:
        if cell._tc is not seen:
            cells.append(cell.text)
        seen = cell._tc
    return cells


def workbook(content: io.BytesIO) -> Iterator[Block]:
    """An Excel file: the values that its formulas had when it was saved, a sheet after the other."""
    from openpyxl import load_workbook

    book = load_workbook(content, read_only=True, data_only=True, keep_links=False)
    for sheet in book.worksheets:
        if sheet.sheet_state == "visible":
            rows = sheet.iter_rows(max_row=_SHEET_ROWS, max_col=_COLUMNS)
            yield from table(([_value(cell) for cell in row] for row in rows), "sheet", sheet.title)


def _value(cell: Any) -> str:
    """A cell as a person sees it, as far as its number format tells."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return _number(value, str(cell.number_format or ""))
    return str(value)


def _number(value: float, shape: str) -> str:
    if "%" in shape:
        return f"{round(value * 100, 2):g}%"
    text = f"{value:.2f}" if ".00" in shape else f"{round(value, 6):.6f}".rstrip("0").rstrip(".")
    return text + next((f" {mark}" for mark in ("€", "£", "¥", "￥", "$") if mark in shape.replace("[$-", "")), "")


def slides(content: io.BytesIO) -> Iterator[Block]:
    """A PowerPoint file: titles, texts, tables and the speaker's notes, a slide after the other."""
    from pptx import Presentation

    for number, slide in enumerate(Presentation(content).slides, 1):
        title = slide.shapes.title
        if title is not None and title.has_text_frame:
            yield Block(title.text_frame.text, "heading", "slide", str(number))
        for shape in _shapes(slide.shapes):
            if title is not None and shape.shape_id == title.shape_id:
                continue
            yield from _shape(shape, str(number))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            for text in slide.notes_slide.notes_text_frame.text.splitlines():
                yield Block(text, place_kind="slide", place=str(number))


def _shapes(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _shape(shape: Any, place: str) -> Iterator[Block]:
    if getattr(shape, "has_table", False):
        yield from table(([cell.text for cell in row.cells] for row in shape.table.rows), "slide", place)
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            yield Block("".join(run.text for run in paragraph.runs), place_kind="slide", place=place)
