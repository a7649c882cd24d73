"""What changes files and mails letters: done, looked up after a crash, and taken back byte for byte.

A deed is one or two files and the letters about them. Each step is looked at before it is repeated: a file that is as
it was to become is left, and a letter that may have left is looked for (`letters/`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.skillkit import (
    AccountError,
    Conflict,
    Context,
    NotFound,
    Operation,
    Rejected,
    Result,
    SkillFailed,
    Uncertain,
    commit,
    reconcile,
    undo,
    write_whole,
)

from . import vdir
from .answers import note_answer
from .library import opened
from .sending import all_left, send

logger = logging.getLogger(__name__)
_PENDING = "pending"


@dataclass(frozen=True)
class Act:
    """A file before and after; None where there is none."""

    file: Path
    uid: str
    before: bytes | None
    after: bytes | None
    seen: vdir.Etag | None = None

    def payload(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "file": str(self.file),
            "uid": self.uid,
            "before": _coded(self.before),
            "after": _coded(self.after),
        }

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Act:
        """The act of a payload."""
        return cls(Path(payload["file"]), payload["uid"], _decoded(payload["before"]), _decoded(payload["after"]))

    def record(self) -> dict[str, Any]:
        """What takes it back."""
        after = None if self.after is None else vdir.digest(self.after)
        return {"file": str(self.file), "before": _coded(self.before), "after": after}


def record(acts: Sequence[Act]) -> dict[str, Any]:
    """What takes them all back."""
    return {"files": [act.record() for act in acts]}


async def perform(ctx: Context, acts: Sequence[Act]) -> None:
    """Do them all or none. Raises Conflict where a file has changed since it was read, AccountError."""
    await asyncio.to_thread(_perform_all, ctx.folder, acts)


def finish_pending(ctx: Context) -> None:
    """Go on with what a crash cut off between two files."""
    for note in sorted(ctx.folder.glob(f"{_PENDING}-*.json")):
        try:
            acts = [Act.of(one) for one in json.loads(note.read_text(encoding="utf-8"))]
            for act in acts:
                content = _now(act.file)
                if (content.data if content else None) == act.before:
                    _perform(Act(act.file, act.uid, act.before, act.after, content.etag if content else None))
            note.unlink(missing_ok=True)
        except (OSError, ValueError, KeyError, TypeError, SkillFailed) as error:
            logger.warning("a change of the calendar that was cut off is left as it is (%s): %s", note.name, error)


def _perform_all(folder: Path, acts: Sequence[Act]) -> None:
    if len(acts) == 1:
        _perform(acts[0])
        return
    note = folder / f"{_PENDING}-{vdir.digest(acts[0].uid.encode())[:16]}.json"
    try:
        write_whole(note, json.dumps([act.payload() for act in acts]).encode())
    except OSError as error:
        raise AccountError("calendar.unwritable", file=str(note), problem=error.strerror or str(error)) from error
    done: list[Act] = []
    try:
        for act in acts:
            _perform(act)
            done.append(act)
    except SkillFailed:
        _roll_back(done)
        raise
    finally:
        note.unlink(missing_ok=True)


def _perform(act: Act) -> None:
    if act.after is None:
        if act.seen is not None:
            vdir.remove(act.file, act.seen)
    elif act.seen is None:
        vdir.create(act.file, act.after)
    else:
        vdir.replace(act.file, act.after, act.seen)


def _roll_back(done: Sequence[Act]) -> None:
    for act in reversed(done):
        try:
            _restore(act.file, act.before, None if act.after is None else vdir.digest(act.after))
        except SkillFailed as error:
            logger.warning("could not be taken back: %s: %s", act.file, error)


@commit("create_event", "update_event", "delete_event", "respond")
async def write(ctx: Context, operation: Operation) -> str:
    """Change the files as shown, then let the letters leave; the event's UID.

    Raises Conflict and AccountError (nothing was changed), SkillFailed (to be tried again), Uncertain (a letter may
    have left).
    """
    payload = operation.prepared.payload
    acts = _acts(payload)
    done = await _write_files(ctx, acts)
    try:
        await send(ctx, operation.id, payload.get("letters", []))
    except Rejected as error:
        if not error.data.get("some"):
            await asyncio.to_thread(_roll_back, done)
        raise
    if answer := payload.get("answer"):
        note_answer(ctx, answer)
    return str(payload["uid"])


@reconcile("create_event", "update_event", "delete_event", "respond")
async def look(ctx: Context, operation: Operation) -> str | None:
    """The event's UID where all is done, None where something is left to do. Raises Uncertain."""
    payload = operation.prepared.payload
    every = True
    for act in _acts(payload):
        content = await asyncio.to_thread(_now, act.file)
        data = content.data if content else None
        if data == act.after or (data == act.before and await _is_elsewhere(ctx, act)):
            continue
        if data != act.before:
            raise Uncertain(ctx.text("calendar.uncertain"))
        every = False
    left = await all_left(ctx, operation.id, payload.get("letters", []))
    return str(payload["uid"]) if every and left else None


@undo("create_event", "update_event", "delete_event", "take_over")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """The files as they were, byte for byte. Raises Conflict where somebody changed one since."""
    files = record.get("files") or [record]
    acts = [(Path(one["file"]), _decoded(one["before"]), one["after"]) for one in files]
    for file, _, after in acts:
        _expect(await asyncio.to_thread(_now, file), after)
    for file, before, after in reversed(acts):
        await asyncio.to_thread(_restore, file, before, after)
    return Result(text=ctx.text("calendar.taken_back"), data={"event_id": acts[0][0].name})


async def _write_files(ctx: Context, acts: Sequence[Act]) -> list[Act]:
    """Those that were not written yet. Raises Conflict before anything is."""
    open_: list[Act] = []
    for act in acts:
        content = await asyncio.to_thread(_now, act.file)
        data = content.data if content else None
        if data == act.after or await _is_elsewhere(ctx, act):
            continue
        if data != act.before:
            raise Conflict("calendar.changed")
        open_.append(Act(act.file, act.uid, act.before, act.after, content.etag if content else None))
    if open_:
        await perform(ctx, open_)
    return open_


async def _is_elsewhere(ctx: Context, act: Act) -> bool:
    """Whether a new event is there already, under a name that a synchronisation gave it."""
    return act.before is None and (await opened(ctx)).with_uid(act.uid) is not None


def _restore(file: Path, before: bytes | None, after: str | None) -> None:
    content = _now(file)
    _expect(content, after)
    if before is None:
        if content is not None:
            vdir.remove(file, content.etag)
    elif content is None:
        vdir.create(file, before)
    else:
        vdir.replace(file, before, content.etag)


def _expect(content: vdir.Content | None, after: str | None) -> None:
    if content is None and after is not None:
        raise NotFound("calendar.undo_gone")
    if (None if content is None else vdir.digest(content.data)) != after:
        raise Conflict("calendar.undo_changed")


def _now(file: Path) -> vdir.Content | None:
    try:
        return vdir.read(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccountError("calendar.unreadable", folder=str(file), problem=error.strerror or str(error)) from error


def _acts(payload: dict[str, Any]) -> list[Act]:
    return [Act.of(one) for one in payload.get("files", [payload] if "file" in payload else [])]


def _coded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
