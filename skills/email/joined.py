"""Several mail stores as one: the mailbox of the settings and that of each account, folders as `work/INBOX`.

Where there is only one store, its folders keep their own names. A store that can't be reached hides no other.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from .parse import Mail
from .provider import Delta, Flag, Folder, MailProvider, Role, Slot

logger = logging.getLogger(__name__)
LOCAL = "local"
"""The name of the store that no account has."""
_BETWEEN = "\x1f"


class Joined:
    """`MailProvider` over stores by their names, the first of which gets what belongs to none."""

    def __init__(self, stores: Mapping[str, MailProvider]) -> None:
        self.stores = dict(stores)
        self._alone = len(self.stores) == 1

    def store_of(self, folder: str) -> str:
        """The name of the store that has a folder."""
        if self._alone:
            return next(iter(self.stores))
        return folder.partition("/")[0]

    def folders(self) -> Sequence[Folder]:
        """All of all stores. Raises OSError where none can be reached."""
        found: list[Folder] = []
        problem: OSError | None = None
        for name, store in self.stores.items():
            try:
                found += [Folder(self._outer(name, folder.name), folder.role) for folder in store.folders()]
            except OSError as error:
                problem = problem or error
        if problem is not None and not found:
            raise problem
        return found

    def stamp(self, folder: str) -> str:
        """The store's."""
        store, inner = self._inner(folder)
        return store.stamp(inner)

    def candidates(self, folder: str) -> Sequence[Slot]:
        """The store's."""
        store, inner = self._inner(folder)
        return [Slot(folder, slot.key, slot.flags) for slot in store.candidates(inner)]

    def changes(self, since: str) -> Delta:
        """Of all stores that can be reached. Raises OSError where none can."""
        versions = since.split(_BETWEEN) if since else []
        versions = versions if len(versions) == len(self.stores) else [""] * len(self.stores)
        changed: dict[str, Slot] = {}
        gone: list[str] = []
        told: list[str] = []
        problem: OSError | None = None
        for (name, store), version in zip(self.stores.items(), versions, strict=True):
            try:
                delta = store.changes(version)
            except OSError as error:
                if self._alone:
                    raise
                logger.warning("the mail of %s can't be reached: %s", name, error)
                problem = error
                told.append(version)
                continue
            told.append(delta.version)
            gone += delta.gone
            changed.update(
                delta.changed
                if self._alone
                else {key: Slot(f"{name}/{slot.folder}", slot.key, slot.flags) for key, slot in delta.changed.items()}
            )
        if problem is not None and not any(told):
            raise problem
        return Delta(_BETWEEN.join(told), changed, gone, partial=problem is not None)

    def mails(self, slots: Sequence[Slot]) -> Sequence[Mail | None]:
        """Asked of each store once."""
        found: list[Mail | None] = [None] * len(slots)
        for name, store in self.stores.items():
            mine = [number for number, slot in enumerate(slots) if self.store_of(slot.folder) == name]
            if mine:
                said = store.mails([self._slot(slots[number])[1] for number in mine])
                for number, mail in zip(mine, said, strict=True):
                    found[number] = mail
        return found

    def head(self, slot: Slot) -> Mail | None:
        """The store's."""
        store, inner = self._slot(slot)
        return store.head(inner)

    def fetch(self, slot: Slot) -> bytes | None:
        """The store's."""
        store, inner = self._slot(slot)
        return store.fetch(inner)

    def whole(self, slot: Slot) -> bytes | None:
        """The store's."""
        store, inner = self._slot(slot)
        return store.whole(inner)

    def move(self, slot: Slot, folder: str) -> bool:
        """Within a store its own move. From one to another: filed there first, then put into the trash here."""
        store, inner = self._slot(slot)
        target, name = self._inner(folder)
        if target is store:
            return store.move(inner, name)
        raw = store.whole(inner)
        if raw is None:
            return False
        target.append(name, raw, slot.flags)
        return store.move(inner, store.ensure("trash").name)

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """The store's."""
        store, inner = self._slot(slot)
        return store.flag(inner, add=add, remove=remove)

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """The store's."""
        store, inner = self._inner(folder)
        store.append(inner, raw, flags)

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """The first that has it."""
        if folder is not None:
            store, inner = self._inner(folder)
            found = store.find_by_message_id(message_id, inner)
            return Slot(folder, found.key, found.flags) if found else None
        for name, store in self.stores.items():
            found = store.find_by_message_id(message_id)
            if found is not None:
                return Slot(self._outer(name, found.folder), found.key, found.flags)
        return None

    def ensure(self, role: Role, near: str = "") -> Folder:
        """In the store that has `near`; in the first where none is named."""
        name = self.store_of(near) if near else next(iter(self.stores))
        folder = self.stores[name].ensure(role)
        return Folder(self._outer(name, folder.name), folder.role)

    def within(self, store: str, role: Role) -> Folder:
        """The folder for `role` of that store, made if there is none."""
        folder = self.stores[store].ensure(role)
        return Folder(self._outer(store, folder.name), folder.role)

    def _outer(self, store: str, folder: str) -> str:
        return folder if self._alone else f"{store}/{folder}"

    def _inner(self, folder: str) -> tuple[MailProvider, str]:
        if self._alone:
            return next(iter(self.stores.values())), folder
        name, _, inner = folder.partition("/")
        if name not in self.stores:
            raise FileNotFoundError(folder)
        return self.stores[name], inner

    def _slot(self, slot: Slot) -> tuple[MailProvider, Slot]:
        if self._alone:
            return next(iter(self.stores.values())), slot
        store, inner = self._inner(slot.folder)
        return store, Slot(inner, slot.key, slot.flags)
