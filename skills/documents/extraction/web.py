"""HTML pages: what a reader of the page sees. Fetches nothing and runs nothing."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Any

from .blocks import Block
from .plain import decoded, table

_SKIPPED = {"script", "style", "noscript", "template", "svg", "math", "head", "select", "textarea", "object", "iframe"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_BLOCKS = set(
    "p div li dt dd section article blockquote pre td th tr br ul ol dl table header footer main nav aside figure"
    " figcaption address form hr body caption".split()
)
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{2,30})")


def web(content: io.BytesIO) -> Iterator[Block]:
    """Headings, tables and paragraphs in the order of the page."""
    from lxml import etree, html

    page = html.document_fromstring(_text(content), parser=html.HTMLParser(no_network=True, remove_comments=True))
    title = page.findtext(".//title")
    if title:
        yield Block(title, "heading")
    parts: list[str] = []
    walker = etree.iterwalk(page, events=("start", "end"))
    for event, node in walker:
        tag = node.tag if isinstance(node.tag, str) else "script"
        if (tag in _BLOCKS or tag in _HEADINGS) and parts:
            yield Block("".join(parts))
            parts = []
        if event == "end":
            parts.append(node.tail or "")
        elif tag in _SKIPPED or "hidden" in node.attrib or _HIDING.search(node.get("style", "").lower()):
            walker.skip_subtree()
        elif tag in _HEADINGS:
            yield Block("".join(node.itertext()), "heading")
            walker.skip_subtree()
        elif tag == "table" and node.find(".//table") is None:
            yield from table(_cells(row) for row in node.iter("tr"))
            walker.skip_subtree()
        else:
            parts.append(node.text or "")
    yield Block("".join(parts))


def _cells(row: Any) -> list[str]:
    return [" ".join(cell.itertext()) for cell in row if cell.tag in ("td", "th")]


def _text(content: io.BytesIO) -> str:
    """By the page's own word for its encoding, or by its bytes."""
    raw = content.getvalue()
    declared = _CHARSET.search(raw[:2048])
    if declared and not raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            name = codecs.lookup(declared[1].decode()).name
            meant = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252"}.get(name, name)
            return raw.decode(meant).replace("\0", "")
        except (LookupError, UnicodeDecodeError):
            pass
    return decoded(content).replace("\0", "")
