"""Letters about events leave, each once: what is under way is noted before, and looked for before it is repeated."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.skillkit import Context, Mailer, NotConfigured, Rejected, SkillFailed, Uncertain, write_whole

logger = logging.getLogger(__name__)
_SENDING, _SENT = "sending", "sent"
_KEPT_S = 60 * 86_400


async def send(ctx: Context, operation: str, letters: Sequence[dict[str, Any]]) -> None:
    """Let them leave. Raises SkillFailed (one was not sent; Rejected: and never will be), Uncertain."""
    if not letters:
        return
    mail = await ctx.fellows.mail()
    if mail is None:
        raise NotConfigured("calendar.no_mail")
    notes = _Notes(ctx, operation)
    for letter in letters:
        if await _has_left(mail, letter, notes):
            continue
        notes.put(letter, _SENDING)
        try:
            await mail.deliver(letter)
        except SkillFailed as error:
            notes.put(letter, "")
            if isinstance(error, Rejected) and notes.any_sent:
                problem = ctx.text(f"error.{error.code}", **error.data)
                raise Rejected("calendar.partly_sent", problem=problem, some=True) from error
            raise
        notes.put(letter, _SENT, must=False)  # it has left: a full disk makes us look, not send it twice


async def all_left(ctx: Context, operation: str, letters: Sequence[dict[str, Any]]) -> bool:
    """Whether all have left. Raises Uncertain."""
    if not letters:
        return True
    mail = await ctx.fellows.mail()
    if mail is None:
        raise Uncertain(ctx.text("calendar.uncertain_mail"))
    notes = _Notes(ctx, operation)
    return all([await _has_left(mail, letter, notes) for letter in letters])


def forget_old(ctx: Context) -> None:
    """Drop the notes of letters that nobody asks about any more."""
    oldest = ctx.now.timestamp() - _KEPT_S
    for note in (ctx.folder / "letters").glob("*.json"):
        with contextlib.suppress(OSError):
            if note.stat().st_mtime < oldest:
                note.unlink()


async def _has_left(mail: Mailer, letter: dict[str, Any], notes: _Notes) -> bool:
    state = notes.of(letter)
    if state == _SENDING and await mail.look(letter) is not None:
        notes.put(letter, _SENT, must=False)
        return True
    return state == _SENT


class _Notes:
    """How far the letters of an operation are, on disk before each step."""

    def __init__(self, ctx: Context, operation: str) -> None:
        self._file: Path = ctx.folder / "letters" / f"{hashlib.sha256(operation.encode()).hexdigest()[:32]}.json"
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        self._states: dict[str, str] = found if isinstance(found, dict) else {}

    @property
    def any_sent(self) -> bool:
        return _SENT in self._states.values()

    def of(self, letter: dict[str, Any]) -> str:
        return self._states.get(letter["message_id"], "")

    def put(self, letter: dict[str, Any], state: str, *, must: bool = True) -> None:
        self._states[letter["message_id"]] = state
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._file, json.dumps(self._states).encode())
        except OSError as error:
            if must:
                raise SkillFailed("calendar.disk", problem=error.strerror or str(error)) from error
            logger.warning("a letter has left, but that could not be noted: %s", error)
