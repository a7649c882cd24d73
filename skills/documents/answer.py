"""`ask`: a question answered from the user's files, with file and page, or an honest "not in your files".

The model on the device proposes an answer and gives its word on the line it rests on; code decides whether it stands.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from assistant.skillkit import AskAgain, Context, EngineError, NotFound, Result, tool

from .evidence import Excerpt, Line, excerpts
from .kinds import has
from .kinds import wanted as kind_of
from .library import Library, current
from .lookup import WAIT_S
from .model import confidence, propose
from .rank import Spot, Wanted, coverage, line_scores, rank
from .scope import is_file_name, named
from .support import bare_yes_or_no, supports
from .terms import concepts
from .wording import item, place, remarks, shortened

logger = logging.getLogger(__name__)

_SPEAKS_OF_IT = 0.22
"""No place that holds less of the question's words is worth asking the model about."""
_COVERED = 0.28
_CONFIDENT = 0.5
"""The log-odds of the model's word that a line answers the question; a line that leaves words open needs more."""
_OPEN_WORDS = 1.5
_DOUBTED = 1.0
"""And so much more where the model itself found no answer."""
_PLAIN = 0.62
"""Without a model: the share of the question's words at which a line is worth quoting."""


@tool
async def ask(ctx: Context, question: str, path: str | None = None) -> Result:
    """Answer a question from the user's own files (contracts, manuals, notes, tables), naming file and page.

    question: what the user wants to know, in full words
    path: only from this file or folder
    """
    library, left = await current(ctx, wait_s=WAIT_S)
    scope = named(library, path) if path else None
    if path and not scope and is_file_name(path):
        raise NotFound("documents.no_file", file=path)
    words = concepts(question if scope or not path else f"{question} {path}")
    if not words:
        raise AskAgain("documents.no_question", missing=("question",))
    spots, wanted = await rank(ctx.index, library, words, scope or None, kind_of(question))
    found = None
    if spots and spots[0].score >= _SPEAKS_OF_IT:
        try:
            found = await _found(ctx, library, question, spots, wanted)
        except EngineError as error:
            logger.warning("answered without the model: %s", error)
            found = _without_model(library, spots, wanted)
    if found is None:
        return _not_found(ctx, library, spots, left)
    return _told(ctx, *found)


async def _found(
    ctx: Context, library: Library, question: str, spots: Sequence[Spot], wanted: Wanted
) -> tuple[str, Line] | None:
    """The answer ("" where only a line can be quoted) and the line it stands in. Raises EngineError."""
    if not ctx.model.ready:
        return _without_model(library, spots, wanted)
    shown = excerpts(library, spots)
    scored = _scored(library, shown, wanted)
    if (
        max(coverage(line.entry, library.passages(line.entry), line.passage, line.at, wanted) for line in scored)
        < _COVERED
    ):
        return None
    proposed = await propose(ctx, question, shown)
    bar = _CONFIDENT if proposed else _CONFIDENT + _DOUBTED
    for answer, line in _candidates(proposed, scored, wanted):
        covered = _covered(library, line, wanted)
        if covered < _COVERED:
            continue
        sure = await confidence(ctx, question, line)
        logger.debug("%r at %r: confidence %.2f, covered %.2f", answer, line.text, sure, covered)
        if sure >= bar + _OPEN_WORDS * max(0.0, 0.6 - covered):
            return answer, line
    return None


def _covered(library: Library, line: Line, wanted: Wanted) -> float:
    return coverage(line.entry, library.passages(line.entry), line.passage, line.at, wanted)


def _scored(library: Library, shown: Sequence[Excerpt], wanted: Wanted) -> dict[Line, float]:
    """Every line that was shown, with its score."""
    scored: dict[Line, float] = {}
    for excerpt in shown:
        passages = library.passages(excerpt.entry)
        for line in excerpt.lines:
            scored[line] = line_scores(excerpt.entry, passages, line.passage, wanted)[line.at]
    return scored


def _candidates(proposed: str, scored: dict[Line, float], wanted: Wanted) -> list[tuple[str, Line]]:
    """What may be said, the likeliest first: the proposed answer at the line that bears it, or the best line alone."""
    lines = sorted((line for line in scored if not line.heading), key=lambda line: -scored[line]) or list(scored)
    best = lines[0]
    bearing = [line for line in lines if proposed and supports(line.text, proposed)]
    found: list[tuple[str, Line]] = []
    if bearing and has(wanted.kind, bearing[0].text):
        found = [(proposed, bearing[0])]
        if scored[bearing[0]] < 0.75 * scored[best]:
            found.insert(0, ("", best))
    elif not proposed or bare_yes_or_no(proposed) or has(wanted.kind, best.text):
        found = [("", best)]
    return found


def _without_model(library: Library, spots: Sequence[Spot], wanted: Wanted) -> tuple[str, Line] | None:
    best = spots[0]
    line = Line(best.entry, library.passages(best.entry)[best.passage], best.line)
    return ("", line) if _covered(library, line, wanted) >= _PLAIN and has(wanted.kind, line.text) else None


def _told(ctx: Context, answer: str, line: Line) -> Result:
    where = place(ctx, line.entry, line.passage, line.at)
    quote = shortened(line.text)
    key = "documents.answer" if answer else "documents.quoted"
    return Result(
        text=ctx.text(key, answer=answer, where=where, quote=quote),
        data={"found": True, "answer": answer or quote, "items": [item(line.entry, line.passage, line.text)]},
        sources=(where,),
    )


def _not_found(ctx: Context, library: Library, spots: Sequence[Spot], left: int) -> Result:
    nearest = list(dict.fromkeys(spot.entry.name for spot in spots if spot.score >= _SPEAKS_OF_IT))[:3]
    lines = [ctx.text("documents.not_in_files")]
    if nearest:
        lines.append(ctx.text("documents.nearest", files=nearest))
    return Result(
        text="\n".join([*lines, *remarks(ctx, library, left)]),
        data={"found": False, "answer": None, "items": [], "nearest": nearest},
    )
