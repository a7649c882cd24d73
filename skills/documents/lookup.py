"""`search`: which documents speak of something, each with its best place."""

from __future__ import annotations

from assistant.skillkit import AskAgain, Context, NotFound, Result, tool

from .library import current
from .rank import Line, rank
from .scope import is_file_name, named
from .terms import concepts
from .wording import item, place, remarks, shortened

WAIT_S = 20.0
_SHOWN = 6
_ENOUGH = 0.3
_OF_BEST = 0.55


@tool
async def search(ctx: Context, query: str, path: str | None = None) -> Result:
    """Find documents and passages in the user's own files by words; lists files with their places.

    query: words to look for
    path: only in this file or folder
    """
    library, left = await current(ctx, wait_s=WAIT_S)
    scope = named(library, path) if path else None
    if path and not scope and is_file_name(path):
        raise NotFound("documents.no_file", file=path)
    wanted = concepts(query if scope or not path else f"{query} {path}")
    if not wanted:
        raise AskAgain("documents.no_query", missing=("query",))
    ranking = await rank(ctx.index, library, wanted, scope or None, "")
    best: dict[str, Line] = {}
    for line, score in ranking.lines:
        if score >= max(_ENOUGH, _OF_BEST * ranking.best):
            best.setdefault(line.entry.id, line)
    if not best:
        text = "\n".join([ctx.text("documents.nothing", query=query), *remarks(ctx, library, left)])
        return Result(text=text, data={"found": False, "items": []})
    shown = list(best.values())[:_SHOWN]
    lines, items = [ctx.text("documents.found", count=len(best))], []
    for line in shown:
        quote = shortened(line.text, 140)
        lines.append(ctx.text("documents.line", where=place(ctx, line), quote=quote))
        items.append(item(line, quote))
    if len(best) > _SHOWN:
        lines.append(ctx.text("documents.more", count=len(best) - _SHOWN))
    if left:
        lines.append(ctx.text("documents.still_reading", count=left))
    sources = tuple(line.entry.name for line in shown)
    return Result(text="\n".join(lines), data={"found": True, "items": items}, sources=sources)
