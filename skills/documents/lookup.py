"""`search`: which documents speak of something, each with its best place."""

from __future__ import annotations

from assistant.skillkit import AskAgain, Context, NotFound, Result, tool

from .library import current
from .rank import rank
from .reader import HEADING
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
    ranked, _ = await rank(ctx.index, library, wanted, scope or None, "")
    best: dict[str, int] = {}
    for number, spot in enumerate(ranked):
        if spot.score >= max(_ENOUGH, _OF_BEST * ranked[0].score):
            best.setdefault(spot.entry.id, number)
    spots = [ranked[number] for number in best.values()]
    if not spots:
        text = "\n".join([ctx.text("documents.nothing", query=query), *remarks(ctx, library, left)])
        return Result(text=text, data={"found": False, "items": []})
    lines, items = [ctx.text("documents.found", count=len(spots))], []
    for spot in spots[:_SHOWN]:
        passage = library.passages(spot.entry)[spot.passage]
        quote = shortened(passage.lines[spot.line].removeprefix(HEADING), 140)
        lines.append(ctx.text("documents.line", where=place(ctx, spot.entry, passage, spot.line), quote=quote))
        items.append(item(spot.entry, passage, quote))
    if len(spots) > _SHOWN:
        lines.append(ctx.text("documents.more", count=len(spots) - _SHOWN))
    if left:
        lines.append(ctx.text("documents.still_reading", count=left))
    sources = tuple(spot.entry.name for spot in spots[:_SHOWN])
    return Result(text="\n".join(lines), data={"found": True, "items": items}, sources=sources)
