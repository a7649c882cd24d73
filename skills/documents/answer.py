"""`ask`: a question answered from the user's files, with file and page, or an honest "not in your files".

The model on the device proposes an answer and gives its word on the line it rests on; code decides whether it stands.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from assistant.skillkit import AskAgain, Context, EngineError, NotFound, Result, tool

from .evidence import excerpts
from .kinds import has
from .kinds import wanted as kind_of
from .library import Entry, Library, current
from .lookup import WAIT_S
from .model import confidence, propose, search_words
from .rank import Line, Ranking, coverage, lacks, rank
from .scope import is_file_name, named
from .support import bare_yes_or_no, supports
from .terms import Concept, concepts
from .wording import item, place, remarks, shortened

logger = logging.getLogger(__name__)

_SPEAKS_OF_IT = 0.12
"""No line that scores less is worth asking the model about."""
_WELL_COVERED = 0.5
"""Where no line holds so much of the question, the model guesses words that a text with the answer may have."""
_LOOKED_AT = 10
_STRICT = 0.28
"""A line that holds less than this of the question, and not its month or number, is of another one."""
_CONFIDENT = 0.6
"""The log-odds of the model's word that a line answers the question; a line that leaves words open needs more."""
_OPEN_WORDS = 1.5
_DOUBTED = 0.8
"""And so much more where the model itself found no answer."""
_QUOTED = 0.3
"""A line is quoted without an answer only where it says so much of the question itself."""
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
    ranking = await rank(ctx.index, library, words, scope or None, kind_of(question))
    try:
        found = await _found(ctx, library, question, words, scope or None, ranking)
    except EngineError as error:
        logger.warning("answered without the model: %s", error)
        found = _without_model(library, ranking)
    if found is None:
        return _not_found(ctx, library, ranking, left)
    return _told(ctx, *found)


async def _found(
    ctx: Context,
    library: Library,
    question: str,
    words: Sequence[Concept],
    scope: Sequence[Entry] | None,
    ranking: Ranking,
) -> tuple[str, Line] | None:
    """The answer ("" where only a line can be quoted) and the line it stands in. Raises EngineError."""
    if not ctx.model.ready:
        return _without_model(library, ranking)
    if (
        max((coverage(library, line, ranking.wanted) for line, _ in ranking.lines[:_LOOKED_AT]), default=0)
        < _WELL_COVERED
    ):
        guessed = await search_words(ctx, question)
        ranking = await rank(ctx.index, library, words, scope, ranking.wanted.kind, hints=guessed)
    if ranking.best < _SPEAKS_OF_IT:
        return None
    shown = excerpts(ranking)
    lines = {line for excerpt in shown for line in excerpt.lines}
    proposed = await propose(ctx, question, shown)
    surest: tuple[float, str, Line] | None = None
    for answer, line in _candidates(proposed, [pair for pair in ranking.lines if pair[0] in lines], ranking):
        covered = coverage(library, line, ranking.wanted)
        if covered < _STRICT and lacks(library, line, ranking.wanted):
            continue
        if not answer and coverage(library, line, ranking.wanted, alone=True) < _QUOTED:
            continue
        sure = await confidence(ctx, question, line)
        bar = _CONFIDENT + _OPEN_WORDS * max(0.0, 0.6 - covered) + (0 if proposed else _DOUBTED)
        logger.debug("%r at %r: confidence %.2f of %.2f, covered %.2f", answer, line.text, sure, bar, covered)
        if sure >= bar and (surest is None or sure - bar > surest[0]):
            surest = (sure - bar, answer, line)
    return surest[1:] if surest else None


def _candidates(proposed: str, scored: list[tuple[Line, float]], ranking: Ranking) -> list[tuple[str, Line]]:
    """What may be said: the proposed answer at the line that bears it best, and the best line where that is better."""
    kind = ranking.wanted.kind
    plain = [pair for pair in scored if not pair[0].heading] or scored
    bearing = [pair for pair in plain if proposed and supports(pair[0].text, proposed)]
    best, top = plain[0]
    if not bearing or not has(kind, bearing[0][0].text):
        return [("", best)] if not proposed or bare_yes_or_no(proposed) or has(kind, best.text) else []
    found = [(proposed, bearing[0][0])]
    return found if bearing[0][1] >= 0.75 * top or not has(kind, best.text) else [*found, ("", best)]


def _without_model(library: Library, ranking: Ranking) -> tuple[str, Line] | None:
    line = next((line for line, _ in ranking.lines if not line.heading), None)
    if line is None or not has(ranking.wanted.kind, line.text):
        return None
    return ("", line) if coverage(library, line, ranking.wanted) >= _PLAIN else None


def _told(ctx: Context, answer: str, line: Line) -> Result:
    where = place(ctx, line)
    quote = shortened(line.text)
    key = "documents.answer" if answer else "documents.quoted"
    return Result(
        text=ctx.text(key, answer=answer, where=where, quote=quote),
        data={"found": True, "answer": answer or quote, "items": [item(line, line.text)]},
        sources=(where,),
    )


def _not_found(ctx: Context, library: Library, ranking: Ranking, left: int) -> Result:
    near = [line.entry.name for line, score in ranking.lines if score >= max(_SPEAKS_OF_IT, 0.5 * ranking.best)]
    nearest = list(dict.fromkeys(near))[:3]
    lines = [ctx.text("documents.not_in_files")]
    if nearest:
        lines.append(ctx.text("documents.nearest", files=nearest))
    return Result(
        text="\n".join([*lines, *remarks(ctx, library, left)]),
        data={"found": False, "answer": None, "items": [], "nearest": nearest},
    )
