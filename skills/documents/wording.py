"""How a place in a file and a passage are told to people."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.skillkit import Context

from .library import Library
from .rank import Line

_QUOTE = 220


def place(ctx: Context, line: Line) -> str:
    """Where a line stands: `lease.pdf, page 2`; in a file without pages by its section, or by the line number."""
    file, section, passage = line.entry.name, line.section, line.passage
    if passage.place_kind in ("page", "sheet", "slide"):
        return ctx.text(f"documents.at.{passage.place_kind}", file=file, place=passage.place)
    if section:
        return ctx.text("documents.at.section", file=file, place=section[:60])
    return ctx.text("documents.at.line", file=file, place=passage.place) if passage.place else file


def shortened(text: str, limit: int = _QUOTE) -> str:
    """At most `limit` characters, cut at a word."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", limit // 2, limit)
    return text[: cut if cut > 0 else limit].rstrip(" ,;，；、") + "…"


def remarks(ctx: Context, library: Library, left: int) -> Sequence[str]:
    """What the user should know of an answer that found nothing: files not read yet, or not readable."""
    unread = sum(library.unread.values())
    said = [ctx.text("documents.still_reading", count=left)] if left else []
    return [*said, ctx.text("documents.not_read", count=unread)] if unread else said


def item(line: Line, quote: str) -> dict[str, str]:
    """A place as data."""
    return {
        "path": str(line.entry.path),
        "file": line.entry.name,
        "place_kind": line.passage.place_kind,
        "place": line.passage.place,
        "heading": line.section,
        "quote": quote,
    }
