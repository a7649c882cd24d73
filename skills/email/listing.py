"""A store that can only be listed (Maildir, mbox), as one that tells what has changed: keeps the last listing."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from .parse import Mail, headers_of, parse
from .provider import Delta, Flag, Folder, MailStore, Role, Slot

logger = logging.getLogger(__name__)


class Listed:
    """`MailProvider` over a `MailStore`, which is opened when it is first needed: it may not be there yet."""

    def __init__(self, open_store: Callable[[], MailStore]) -> None:
        self._open_store = open_store
        self._stamps: dict[str, str] = {}
        self._found: dict[str, Sequence[Slot]] = {}
        self._slots: dict[str, Slot] = {}
        self._version = 0

    @cached_property
    def store(self) -> MailStore:
        """The store. Raises OSError while it is not there."""
        return self._open_store()

    def folders(self) -> Sequence[Folder]:
        """As the store has them."""
        return self.store.folders()

    def stamp(self, folder: str) -> str:
        """The store's."""
        return self.store.stamp(folder)

    def candidates(self, folder: str) -> Sequence[Slot]:
        """The store's."""
        return self.store.candidates(folder)

    def fetch(self, slot: Slot) -> bytes | None:
        """The store's."""
        return self.store.fetch(slot)

    def move(self, slot: Slot, folder: str) -> bool:
        """The store's."""
        self._stamps.clear()
        return self.store.move(slot, folder)

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """The store's."""
        self._stamps.clear()
        return self.store.flag(slot, add=add, remove=remove)

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """The store's."""
        self._stamps.clear()
        self.store.append(folder, raw, flags)

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """The store's."""
        return self.store.find_by_message_id(message_id, folder)

    def ensure(self, role: Role, near: str = "") -> Folder:
        """The store's."""
        return self.store.ensure(role)

    def changes(self, since: str) -> Delta:
        """Costs a `stamp` per folder where nothing has changed; a changed folder is listed anew."""
        known = self._slots if since == str(self._version) and since != "0" else {}
        if self._look() or known is not self._slots:
            slots = self._numbered()
            changed = {key: slot for key, slot in slots.items() if known.get(key) != slot}
            gone = [key for key in known if key not in slots]
            self._slots = slots
            self._version += 1
            return Delta(str(self._version), changed, gone)
        return Delta(since, {})

    def mails(self, slots: Sequence[Slot]) -> Sequence[Mail | None]:
        """Read and parsed now."""
        return [self._mail(slot) for slot in slots]

    def head(self, slot: Slot) -> Mail | None:
        """Its headers, parsed now."""
        raw = self.store.fetch(slot)
        return replace(parse(headers_of(raw)), digest=hashlib.sha256(raw).hexdigest()) if raw is not None else None

    def whole(self, slot: Slot) -> bytes | None:
        """As `fetch`."""
        return self.store.fetch(slot)

    def _look(self) -> bool:
        """Whether any folder had to be listed anew."""
        looked = False
        found: dict[str, Sequence[Slot]] = {}
        for folder in self.store.folders():
            name = folder.name
            try:
                stamp = self.store.stamp(name)
                if stamp and stamp == self._stamps.get(name) and name in self._found:
                    found[name] = self._found[name]
                else:
                    found[name] = self.store.candidates(name)
                    looked = True
                self._stamps[name] = stamp
            except FileNotFoundError:  # the folder was removed while we looked
                continue
        looked = looked or found.keys() != self._found.keys()
        self._found = found
        return looked

    def _numbered(self) -> dict[str, Slot]:
        slots: dict[str, Slot] = {}
        for name, found in self._found.items():
            for slot in found:
                # A copy made by a file manager has the same key in two folders.
                slots[slot.key if slot.key not in slots else f"{slot.key}@{name}"] = slot
        return slots

    def _mail(self, slot: Slot) -> Mail | None:
        try:
            raw = self.store.fetch(slot)
        except OSError as error:  # one mail that can't be read hides no other
            logger.warning("%s in %s can't be read: %s", slot.key, slot.folder, error)
            return None
        if raw is None:
            self._stamps.pop(slot.folder, None)
            return None
        return parse(raw)
