"""Which reader opens which file. The libraries are imported by the reader that is used."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from .blocks import Block


def read(kind: str, content: io.BytesIO) -> Iterator[Block]:
    """The blocks of a file of `kind` (its ending, lower case, without the dot). Raises Unreadable."""
    if kind == "pdf":
        from .pdf import pdf

        return pdf(content)
    if kind in ("html", "htm", "xhtml"):
        from .web import web

        return web(content)
    if kind in ("docx", "xlsx", "xlsm", "pptx"):
        from . import office

        readers: dict[str, Callable[[Any], Iterator[Block]]] = {
            "docx": office.document,
            "xlsx": office.workbook,
            "xlsm": office.workbook,
            "pptx": office.slides,
        }
        return office.unpacked(content, readers[kind])
    from .plain import separated, text

    return (separated if kind in ("csv", "tsv") else text)(content)
