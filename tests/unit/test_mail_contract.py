"""The contract of mail stores on Maildir and mbox."""

from __future__ import annotations

import mailbox
from pathlib import Path
from typing import Any

import pytest

from tests.support.mail import deliver, module
from tests.support.mail_contract import *  # noqa: F403

LETTERS = {"seen": "S", "flagged": "F"}


class OtherMaildir:
    """The standard library's Maildir."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _box(self, folder: str) -> mailbox.Maildir:
        box = mailbox.Maildir(self._root)
        return box if folder == "INBOX" else box.add_folder(folder)

    def _find(self, message_id: str, folder: str) -> list[tuple[mailbox.Maildir, str, Any]]:
        box = self._box(folder)
        return [(box, key, message) for key, message in box.items() if message["Message-ID"] == message_id]

    def deliver(self, raw: bytes, folder: str = "INBOX") -> None:
        deliver(self._root, raw, folder="" if folder == "INBOX" else "&jSZTVQ-" if folder == "账单" else folder)

    def has(self, message_id: str, folder: str = "INBOX") -> int:
        return len(self._find(message_id, "&jSZTVQ-" if folder == "账单" else folder))

    def flags(self, message_id: str, folder: str = "INBOX") -> frozenset[str]:
        letters = self._find(message_id, folder)[0][2].get_flags()
        return frozenset(flag for flag, letter in LETTERS.items() if letter in letters)

    def flag(self, message_id: str, flag: str, folder: str = "INBOX") -> None:
        for box, key, message in self._find(message_id, folder):
            message.set_subdir("cur")
            message.add_flag(LETTERS[flag])
            box[key] = message

    def move(self, message_id: str, folder: str, source: str = "INBOX") -> None:
        for box, key, message in self._find(message_id, source):
            self._box(folder).add(message)
            box.discard(key)

    def delete(self, message_id: str, folder: str = "INBOX") -> None:
        for box, key, _ in self._find(message_id, folder):
            box.discard(key)


class OtherMbox:
    """A second one of our own: it heeds the same locks."""

    def __init__(self, file: Path) -> None:
        self._store = module("stores").provider_for(file)
        self._folder = file.with_name(f"{file.name}.sbd")

    def _all(self, message_id: str, folder: str) -> list[Any]:
        if folder not in {one.name for one in self._store.folders()}:
            return []
        parse = module("parse").parse
        slots = self._store.candidates(folder)
        return [slot for slot in slots if parse(self._store.fetch(slot)).message_id == message_id]

    def deliver(self, raw: bytes, folder: str = "INBOX") -> None:
        if folder != "INBOX":
            self._folder.mkdir(exist_ok=True)
            (self._folder / folder).touch()
        self._store.append(folder, raw, frozenset())

    def has(self, message_id: str, folder: str = "INBOX") -> int:
        return len(self._all(message_id, folder))

    def flags(self, message_id: str, folder: str = "INBOX") -> frozenset[str]:
        flags: frozenset[str] = self._all(message_id, folder)[0].flags
        return flags

    def flag(self, message_id: str, flag: str, folder: str = "INBOX") -> None:
        for slot in self._all(message_id, folder):
            self._store.flag(slot, add=frozenset({flag}))

    def move(self, message_id: str, folder: str, source: str = "INBOX") -> None:
        for slot in self._all(message_id, source):
            self._store.move(slot, folder)

    def delete(self, message_id: str, folder: str = "INBOX") -> None:
        for slot in self._all(message_id, folder):
            self._store.move(slot, self._bin().name)
            (self._folder / "bin of the other").write_bytes(b"")

    def _bin(self) -> Any:
        self._folder.mkdir(exist_ok=True)
        (self._folder / "bin of the other").touch()
        return next(one for one in self._store.folders() if one.name == "bin of the other")


class Local:
    """`mail_contract.Store` on one disk."""

    def __init__(self, path: Path, other: Any) -> None:
        self._path = path
        self.other = other
        self.reopen()

    def settle(self) -> None:
        """There is nothing between."""

    def reopen(self) -> None:
        self.provider: Any = module("listing").Listed(lambda: module("stores").provider_for(self._path))


@pytest.fixture(params=["maildir", "mbox"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Local:
    path = tmp_path / "mail"
    if request.param == "maildir":
        deliver(path)
        return Local(path, OtherMaildir(path))
    path.touch()
    return Local(path, OtherMbox(path))
