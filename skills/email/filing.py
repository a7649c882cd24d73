"""`archive`, `delete`, `mark`: changes in the user's own mailbox, each with what takes it back. Nothing is expunged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from assistant.skillkit import AccountError, AskAgain, Conflict, Context, NotFound, Result, tool, undo

from .items import subject
from .mailbox import Entry, Mailbox
from .people import shown
from .provider import FLAGS, Flag, Role
from .stores import current

_MARKS: dict[str, tuple[Flag, bool]] = {
    "read": ("seen", True),
    "unread": ("seen", False),
    "flagged": ("flagged", True),
    "unflagged": ("flagged", False),
}


@tool
async def archive(ctx: Context, message_ids: list[str]) -> Result:
    """Put mails away into the archive.

    message_ids: the mails' ids, from a search
    """
    return await _move(ctx, message_ids, "archive", "email.archived")


@tool
async def delete(ctx: Context, message_ids: list[str]) -> Result:
    """Move mails to the trash.

    message_ids: the mails' ids, from a search
    """
    return await _move(ctx, message_ids, "trash", "email.deleted")


@tool
async def mark(ctx: Context, message_ids: list[str], flag: Literal["read", "unread", "flagged", "unflagged"]) -> Result:
    """Mark mails as read, unread, flagged or unflagged.

    message_ids: the mails' ids, from a search
    flag: what to mark them as
    """
    mailbox, _ = await current(ctx)
    entries = _all(mailbox, message_ids)
    which, on = _MARKS[flag]
    changed = [entry for entry in entries if (which in entry.slot.flags) != on]
    await _change(mailbox, ctx, lambda: _flag(mailbox, changed, which, on))
    text = await _told(ctx, mailbox, f"email.marked_{flag}", entries)
    record = {"flag": which, "on": not on, "ids": [entry.id for entry in changed]}
    return Result(text=text, data={"message_ids": [entry.id for entry in entries]}, undo=record)


@undo("archive", "delete", "mark")
async def take_back(ctx: Context, record: dict[str, Any]) -> Result:
    """Move back, or set the flags as they were."""
    mailbox, _ = await current(ctx)
    if "moves" in record:
        back = {str(id_): str(folder) for id_, folder in record["moves"].items()}
        entries = _all(mailbox, list(back))
        known = {folder.name for folder in mailbox.folders}
        missing = sorted({folder for folder in back.values() if folder not in known})
        if missing:
            raise NotFound("email.no_such_folder", name=missing[0], folders=sorted(known))
        await _change(mailbox, ctx, lambda: _shift(mailbox, entries, back))
        return Result(text=ctx.text("email.moved_back", count=len(entries)), data={"message_ids": list(back)})
    entries = _all(mailbox, [str(id_) for id_ in record["ids"]])
    which = next(flag for flag in FLAGS if flag == record["flag"])
    await _change(mailbox, ctx, lambda: _flag(mailbox, entries, which, bool(record["on"])))
    return Result(text=ctx.text("email.marks_back", count=len(entries)), data={"message_ids": list(record["ids"])})


async def _move(ctx: Context, message_ids: list[str], role: Role, key: str) -> Result:
    mailbox, _ = await current(ctx)
    entries = _all(mailbox, message_ids)
    moving = [entry for entry in entries if mailbox.role(entry.slot.folder) != role]
    text = await _told(ctx, mailbox, key, entries)

    def act() -> None:
        _shift(mailbox, moving, {one.id: mailbox.provider.ensure(role, one.slot.folder).name for one in moving})

    await _change(mailbox, ctx, act)
    return Result(
        text=text,
        data={"message_ids": [entry.id for entry in entries]},
        undo={"moves": {entry.id: entry.slot.folder for entry in moving}},
    )


def _all(mailbox: Mailbox, message_ids: list[str]) -> list[Entry]:
    """The mails of all ids: all of them, or nothing is done. Raises AskAgain for none, NotFound naming the unknown."""
    wanted = list(dict.fromkeys(id_.strip() for id_ in message_ids if id_.strip()))
    if not wanted:
        raise AskAgain("email.which_mail", missing=["message_ids"])
    found = {id_: mailbox.entry(id_) for id_ in wanted}
    unknown = [id_ for id_, entry in found.items() if entry is None]
    if unknown:
        raise NotFound("email.no_such_mail", ids=unknown)
    return [entry for entry in found.values() if entry is not None]


def _shift(mailbox: Mailbox, entries: list[Entry], folders: dict[str, str]) -> None:
    for entry in entries:
        mailbox.provider.move(entry.slot, folders[entry.id])


def _flag(mailbox: Mailbox, entries: list[Entry], which: Flag, on: bool) -> None:
    chosen: frozenset[Flag] = frozenset({which})
    for entry in entries:
        if on:
            mailbox.provider.flag(entry.slot, add=chosen)
        else:
            mailbox.provider.flag(entry.slot, remove=chosen)


async def _change(mailbox: Mailbox, ctx: Context, act: Callable[[], None]) -> None:
    try:
        await mailbox.change(act)
        await mailbox.refresh(ctx.index)
    except OSError as error:
        raise AccountError("email.not_changed", problem=error.strerror or str(error)) from error


async def _told(ctx: Context, mailbox: Mailbox, key: str, entries: list[Entry]) -> str:
    """One mail by its sender and subject, several by their number."""
    if len(entries) > 1:
        return ctx.text(f"{key}_many", count=len(entries))
    loaded = await mailbox.load(entries)
    if not loaded:
        raise Conflict("email.vanished")
    mail = loaded[0][1]
    return ctx.text(key, sender=shown(ctx, mail.sender), subject=subject(ctx, mail))
