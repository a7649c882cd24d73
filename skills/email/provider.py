"""Where mail is kept, as the tools see it. Each store (Maildir, mbox, IMAP) has one adapter; calls may block."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .parse import Mail

Role = Literal["inbox", "sent", "drafts", "archive", "trash", "junk", ""]
Flag = Literal["seen", "answered", "flagged", "draft", "deleted"]
FLAGS: tuple[Flag, ...] = ("seen", "answered", "flagged", "draft", "deleted")

READ_LIMIT = 40_000_000
"""Bytes of a mail that are read; what is longer is cut, its last attachment with it."""

_NAMES: dict[Role, tuple[str, ...]] = {
    "inbox": ("inbox", "收件箱", "收件夹"),
    "sent": (
        "sent",
        "sent mail",
        "sent items",
        "sent messages",
        "已发送",
        "已发送邮件",
        "已发邮件",
        "寄件备份",
        "gesendet",
    ),
    "drafts": ("drafts", "draft", "草稿", "草稿箱", "entwürfe"),
    "archive": ("archive", "archives", "all mail", "归档", "存档", "archiv"),
    "trash": (
        "trash",
        "deleted",
        "deleted items",
        "deleted messages",
        "bin",
        "已删除",
        "已删除邮件",
        "回收站",
        "papierkorb",
    ),
    "junk": ("junk", "junk e-mail", "junk email", "spam", "bulk mail", "垃圾邮件", "垃圾箱", "广告邮件"),
}
CREATED: dict[Role, str] = {"sent": "Sent", "drafts": "Drafts", "archive": "Archive", "trash": "Trash", "junk": "Junk"}
"""The name of a folder that had to be made."""


@dataclass(frozen=True)
class Folder:
    """A folder and the part it plays."""

    name: str
    role: Role = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a mail lies now. `key` stays the same when flags change and when the provider moves it."""

    folder: str
    key: str
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True)
class Delta:
    """What has changed in a store since it was last asked."""

    version: str
    """To ask with the next time."""
    changed: Mapping[str, Slot]
    """New mails and those whose place or flags changed, by a key that no other mail has; oldest first where known."""
    gone: Sequence[str] = ()
    partial: bool = False
    """Whether a part of the store could not be looked at: what is not named here need not be gone."""


class MailStore(Protocol):
    """A mail store. A mail that vanished meanwhile is no error: calls about it return None or False.

    A store that can't be reached raises OSError; a lock that others hold for too long raises `Busy`.
    """

    def folders(self) -> Sequence[Folder]:
        """All folders; one of them has the role `inbox`."""
        ...

    def stamp(self, folder: str) -> str:
        """Changes whenever anything in the folder did; empty where that can't be told."""
        ...

    def candidates(self, folder: str) -> Sequence[Slot]:
        """All mails of the folder, oldest first as far as the store knows, without reading them where possible."""
        ...

    def fetch(self, slot: Slot) -> bytes | None:
        """The mail's bytes."""
        ...

    def move(self, slot: Slot, folder: str) -> bool:
        """Move to a folder (see `ensure`). Never lost; after a crash at worst in both."""
        ...

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """Set and clear flags."""
        ...

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """File a mail, whole or not at all."""
        ...

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """The mail with this Message-ID (with angle brackets), anywhere or in one folder, by looking at the store."""
        ...

    def ensure(self, role: Role, near: str = "") -> Folder:
        """The folder that plays `role`, made if there is none; of several stores, in the one that has `near`."""
        ...


class MailProvider(MailStore, Protocol):
    """A store that tells what has changed and what its mails say; see `listing.Listed` for those that can't."""

    def changes(self, since: str) -> Delta:
        """What has changed since that version; everything where it is empty or unknown. Costs little for nothing."""
        ...

    def mails(self, slots: Sequence[Slot]) -> Sequence[Mail | None]:
        """What these mails say; None for one that vanished or can't be read."""
        ...

    def head(self, slot: Slot) -> Mail | None:
        """A mail of which no more than the headers is needed, and its digest."""
        ...

    def whole(self, slot: Slot) -> bytes | None:
        """All of a mail's bytes, where `fetch` may give only their beginning. Raises `OutOfReach`."""
        ...


class OutOfReach(OSError):
    """The rest of a mail is on a server that does not answer now."""


class Busy(OSError):
    """Another program has kept the mailbox locked for too long."""


def role_of(name: str) -> Role:
    """The part a folder plays, by its name (the last component counts)."""
    last = re.split(r"[./\\]", name)[-1].strip().casefold()
    return next((role for role, names in _NAMES.items() if last in names), "")


def has_message_id(head: bytes, message_id: bytes) -> bool:
    """Whether the header section at the start of `head` carries this Message-ID."""
    section = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0]
    return any(
        found[1].strip() == message_id
        for found in re.finditer(
            rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?([^\r\n]*)", section, re.IGNORECASE | re.MULTILINE
        )
    )
