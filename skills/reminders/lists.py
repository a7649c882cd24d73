"""The task list that reminders live in, where the settings name one: a folder of .ics files, often an account's.

The schedules wake us; the list says what for. `refresh` makes the one follow the other, whoever changed the list.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from assistant.skillkit import (
    AccountError,
    Context,
    NotFound,
    Rejected,
    Scheduled,
    is_read_only,
    replicas,
    write_whole,
    writing,
)

from .tasks import Task, parse

PREFIX = "todo:"
LARGEST = 5_000_000
_LATE = timedelta(hours=24)
"""An alarm that was missed longer ago than this, on a list that is new here, is not made up for."""
_KEPT = timedelta(days=400)
_MOST_MISSED = 1000
_FIRED = "fired.json"
_parsed: dict[Path, tuple[tuple[int, int, int], str, list[Task]]] = {}


@dataclass(frozen=True)
class Listed:
    """A task and the file it lies in."""

    file: Path
    task: Task
    alone: bool
    """Whether nothing else is in the file."""


def folder(ctx: Context) -> Path | None:
    """Where the reminders lie; None for the assistant's own schedules. Raises NotFound."""
    name = str(ctx.settings["list"]).strip()
    if not name:
        return None
    path = Path(name).expanduser()
    if path.is_absolute():
        if not path.is_dir():
            raise NotFound("reminders.no_list", name=name, names=["-"])
        return path
    copies = replicas(ctx.folder)
    chosen = next((one for one in copies if one.called(name)), None)
    if chosen is None:
        raise NotFound("reminders.no_list", name=name, names=[one.id for one in copies] or ["-"])
    return chosen.folder


def read(ctx: Context, place: Path) -> list[Listed]:
    """All tasks of the list that are not closed. Raises AccountError."""
    found: list[Listed] = []
    seen: set[Path] = set()
    try:
        files = sorted(one for one in place.glob("[!.]*.ics"))
    except OSError as error:
        raise AccountError("reminders.list_unreadable", folder=str(place), problem=str(error)) from error
    for file in files:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = _parsed.get(file)
            if known is None or known[:2] != (stamp, str(ctx.zone)):
                tasks = parse(file.read_bytes(), ctx.zone) if status.st_size <= LARGEST else []
                known = _parsed[file] = (stamp, str(ctx.zone), tasks)
        except OSError:
            continue
        seen.add(file)
        found += [Listed(file, task, len(known[2]) == 1) for task in known[2] if not task.closed]
    for gone in [one for one in list(_parsed) if one.parent == place and one not in seen]:
        _parsed.pop(gone, None)
    return found


def put(file: Path, data: bytes) -> None:
    """Write a task's file whole. Raises Rejected, AccountError."""
    if is_read_only(file):
        raise Rejected("reminders.list_read_only")
    try:
        with writing():
            write_whole(file, data)
    except OSError as error:
        raise AccountError("reminders.list_unwritable", file=str(file), problem=error.strerror or str(error)) from error


def remove(one: Listed) -> bytes:
    """Delete a task; its file's bytes. Raises Rejected, NotFound, AccountError."""
    if is_read_only(one.file):
        raise Rejected("reminders.list_read_only")
    if not one.alone:
        raise Rejected("reminders.list_shared_file", file=one.file.name)
    try:
        with writing():
            data = one.file.read_bytes()
            one.file.unlink()
        return data
    except FileNotFoundError as error:
        raise NotFound("reminders.not_found", text=one.task.text) from error
    except OSError as error:
        raise AccountError("reminders.list_unwritable", file=str(one.file), problem=str(error)) from error


async def refresh(ctx: Context) -> None:
    """Wake for what the list says, and for nothing else; each alarm once, over restarts too."""
    try:
        place = folder(ctx)
    except NotFound:
        return  # not there yet: what was known of it stays
    tasks = await asyncio.to_thread(read, ctx, place) if place else []
    there = {one.key: one for one in await ctx.schedules.list(skill=ctx.skill) if one.key.startswith(PREFIX)}
    fired = _fired(ctx)
    wanted: dict[str, datetime] = {}
    for one in tasks:
        key = PREFIX + one.task.uid
        known = there.get(key)
        due = _next(one.task, known.due if known else None, fired.get(one.task.uid), ctx.now)
        if due is not None:
            wanted[key] = due
            if known is None or known.due != due or known.payload.get("text") != one.task.text:
                await ctx.schedules.add(key, skill=ctx.skill, due=due, payload=_payload(ctx, one.task))
    for key in there.keys() - wanted.keys():
        await ctx.schedules.remove(key, skill=ctx.skill)


async def ringing(ctx: Context, scheduled: Scheduled) -> datetime | None:
    """The alarm to tell of: of several that were missed the last. None where the task is done or moved by now, or was
    told already."""
    uid = str(scheduled.payload["task"])
    try:
        place = folder(ctx)
    except NotFound:
        return None
    tasks = await asyncio.to_thread(read, ctx, place) if place else []
    task = next((one.task for one in tasks if one.task.uid == uid), None)
    last = _fired(ctx).get(uid)
    if task is None or not task.rings_at(scheduled.due) or (last is not None and last >= scheduled.due):
        return None
    return _latest(task, scheduled.due, ctx.now)


def told(ctx: Context, scheduled: Scheduled) -> None:
    """Remember that its alarms up to now were told."""
    fired = _fired(ctx)
    fired[str(scheduled.payload["task"])] = max(scheduled.due, ctx.now)
    oldest = ctx.now - _KEPT
    kept = {uid: at.isoformat() for uid, at in fired.items() if at > oldest}
    write_whole(ctx.folder / _FIRED, json.dumps(kept).encode())


def restored(ctx: Context, record: dict[str, Any]) -> None:
    """Put a deleted task's file back."""
    file = Path(record["file"])
    if not file.exists():
        put(file, base64.b64decode(record["data"]))


def stamp(place: Path) -> int:
    """Changes when a file of the folder comes, goes or is replaced."""
    with contextlib.suppress(OSError):
        return os.stat(place).st_mtime_ns
    return 0


def _next(task: Task, known: datetime | None, last: datetime | None, now: datetime) -> datetime | None:
    """When to wake for it: an alarm that was missed counts as long as it is the latest, and not too old."""
    if known is not None and known <= now and (last is None or known > last) and task.rings_at(known):
        return known  # is being told just now
    after = max(last, now - _LATE) if last else now - _LATE
    due = task.next_alarm(after)
    return _latest(task, due, now) if due is not None and due <= now else due


def _latest(task: Task, due: datetime, now: datetime) -> datetime:
    """Of this alarm and those that follow it, the last one that is not to come yet."""
    for _ in range(_MOST_MISSED):
        following = task.next_alarm(due)
        if following is None or following > now:
            break
        due = following
    return due


def _payload(ctx: Context, task: Task) -> dict[str, Any]:
    late = ctx.text("reminders.late", due="{due}")
    return {
        "text": task.text,
        "title": task.text,
        "body": "",
        "late": late,
        "task": task.uid,
        "rule": task.rule or None,
    }


def _fired(ctx: Context) -> dict[str, datetime]:
    try:
        said = json.loads((ctx.folder / _FIRED).read_bytes())
        return {str(uid): datetime.fromisoformat(at) for uid, at in said.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
