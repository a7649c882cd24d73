"""What the user answered to invitations, remembered: a declined one leaves no event behind that could tell."""

from __future__ import annotations

import json
import logging
from typing import Any

from assistant.skillkit import Context, write_whole

logger = logging.getLogger(__name__)
_FILE = "answers.json"
_KEPT = 2000


def note_answer(ctx: Context, answer: dict[str, Any]) -> None:
    """Remember `{"key", "sequence", "answer"}`. A full disk costs the memory, not the answer."""
    known = noted(ctx)
    known.pop(answer["key"], None)
    known[answer["key"]] = {"sequence": answer["sequence"], "answer": answer["answer"]}
    recent = dict(list(known.items())[-_KEPT:])
    try:
        write_whole(ctx.folder / _FILE, json.dumps(recent, ensure_ascii=False).encode())
    except OSError as error:
        logger.warning("an answer to an invitation could not be noted: %s", error)


def noted(ctx: Context) -> dict[str, dict[str, Any]]:
    """All that is remembered, by key."""
    try:
        known = json.loads((ctx.folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
