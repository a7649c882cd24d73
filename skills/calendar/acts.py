"""One change of one file: done, shown before it is done, looked up after a crash, and taken back byte for byte."""

from __future__ import annotations

import asyncio
import base64
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
    Prepared,
    PreviewField,
    Result,
    Uncertain,
    commit,
    reconcile,
    undo,
)

from . import vdir
from .library import opened
from .people import Invited


@dataclass(frozen=True)
class Act:
    """A file before and after; None where there is none."""

    file: Path
    uid: str
    before: bytes | None
    after: bytes | None
    seen: vdir.Etag | None = None

    def record(self) -> dict[str, Any]:
        """What takes it back."""
        return {
            "file": str(self.file),
            "before": _coded(self.before),
            "after": None if self.after is None else vdir.digest(self.after),
        }


async def perform(act: Act) -> None:
    """Do it. Raises Conflict where the file has changed since it was read, AccountError."""
    await asyncio.to_thread(_perform, act)


def _perform(act: Act) -> None:
    if act.after is None:
        if act.seen is not None:
            vdir.remove(act.file, act.seen)
    elif act.seen is None:
        vdir.create(act.file, act.after)
    else:
        vdir.replace(act.file, act.after, act.seen)


def prepared(
    ctx: Context,
    act: Act,
    heading: str,
    when: str,
    people: Sequence[Invited],
    *,
    location: str = "",
    warnings: Sequence[str] = (),
) -> Prepared:
    """The act as it is shown before a yes."""
    fields = [PreviewField(name=ctx.text("calendar.field_when"), value=when)]
    if location:
        fields.append(PreviewField(name=ctx.text("calendar.field_where"), value=location))
    name = ctx.text("calendar.field_people")
    fields += [PreviewField(name=name, value=one.shown, origin=one.origin) for one in people]
    fields.append(PreviewField(name=ctx.text("calendar.field_invitations"), value=ctx.text("calendar.not_mailed")))
    payload = {"file": str(act.file), "uid": act.uid, "before": _coded(act.before), "after": _coded(act.after)}
    return Prepared(title=heading, fields=tuple(fields), body="\n".join(warnings), payload=payload)


@commit("create_event", "update_event", "delete_event")
async def write(ctx: Context, operation: Operation) -> str:
    """Change the file as it was shown; the event's UID. Raises Conflict, AccountError: nothing was changed then."""
    act = _act(operation)
    content = await asyncio.to_thread(_now, act.file)
    data = content.data if content else None
    if data == act.after or await _is_elsewhere(ctx, act):
        return act.uid
    if data != act.before:
        raise Conflict("calendar.changed")
    await perform(Act(act.file, act.uid, act.before, act.after, content.etag if content else None))
    return act.uid


@reconcile("create_event", "update_event", "delete_event")
async def look(ctx: Context, operation: Operation) -> str | None:
    """The event's UID where the file is as it was to become, None where it is as before. Raises Uncertain."""
    act = _act(operation)
    content = await asyncio.to_thread(_now, act.file)
    data = content.data if content else None
    if data == act.after:
        return act.uid
    if data == act.before:
        return act.uid if await _is_elsewhere(ctx, act) else None
    raise Uncertain(ctx.text("calendar.uncertain"))


@undo("create_event", "update_event", "delete_event")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """The file as it was, byte for byte. Raises Conflict where somebody changed it since."""
    file = Path(record["file"])
    before = None if record["before"] is None else base64.b64decode(record["before"])
    await asyncio.to_thread(_restore, file, before, record["after"])
    return Result(text=ctx.text("calendar.taken_back"), data={"event_id": file.name})


async def _is_elsewhere(ctx: Context, act: Act) -> bool:
    """Whether a new event is there already, under a name that a synchronisation gave it."""
    return act.before is None and (await opened(ctx)).with_uid(act.uid) is not None


def _restore(file: Path, before: bytes | None, after: str | None) -> None:
    content = _now(file)
    if content is None and after is not None:
        raise NotFound("calendar.undo_gone")
    if (None if content is None else vdir.digest(content.data)) != after:
        raise Conflict("calendar.undo_changed")
    if before is None:
        if content is not None:
            vdir.remove(file, content.etag)
    elif content is None:
        vdir.create(file, before)
    else:
        vdir.replace(file, before, content.etag)


def _now(file: Path) -> vdir.Content | None:
    try:
        return vdir.read(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AccountError("calendar.unreadable", folder=str(file), problem=error.strerror or str(error)) from error


def _act(operation: Operation) -> Act:
    payload = operation.prepared.payload
    return Act(Path(payload["file"]), payload["uid"], _decoded(payload["before"]), _decoded(payload["after"]))


def _coded(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
