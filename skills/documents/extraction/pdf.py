"""PDF pages. Lines that the layout broke are joined again. A page without text (a scan) is left out."""

from __future__ import annotations

import io
from collections.abc import Iterator

from .blocks import Block
from .plain import Unreadable, reflow

_PAGES = 1_500


def pdf(content: io.BytesIO) -> Iterator[Block]:
    """A page after the other; one that can't be read hides no other. Raises Unreadable for an encrypted file."""
    from pypdf import PdfReader

    reader = PdfReader(content)
    if reader.is_encrypted and not reader.decrypt(""):  # many are encrypted with no password, only to forbid printing
        raise Unreadable("encrypted")
    broken = read = 0
    for number, page in enumerate(reader.pages[:_PAGES], 1):
        try:
            text = page.extract_text()
        except MemoryError:
            raise
        except Exception:  # a parser may raise anything on a page that is damaged
            broken += 1
            continue
        read += 1
        for group in _groups(text.splitlines()):
            for _, paragraph in reflow(group):
                yield Block(paragraph, place_kind="page", place=str(number))
    if broken and not read:
        raise Unreadable("broken")


def _groups(lines: list[str]) -> Iterator[list[str]]:
    """Lines between empty ones."""
    group: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            group.append(line)
        elif group:
            yield group
            group = []
