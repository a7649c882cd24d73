"""Mail in a Maildir (https://cr.yp.to/proto/maildir.html) with subfolders as Maildir++ or as plain folders.

Others work in it at the same time (a delivery agent, another mail program): files are renamed under our hands, so
each operation finds its file anew by the unique part of its name.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .provider import CREATED, READ_LIMIT, Flag, Folder, Role, Slot, has_message_id, role_of

_LETTERS: dict[str, Flag] = {"S": "seen", "R": "answered", "F": "flagged", "D": "draft", "T": "deleted"}
_HEAD = 65_536
_DEPTH = 4
_SETTLED_NS = 2_000_000_000  # coarse file systems give two changes within this time the same mtime


class MaildirProvider:
    """A Maildir and its subfolders."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths: dict[str, Path] = {}
        self._names: dict[tuple[str, str], str] = {}

    def folders(self) -> Sequence[Folder]:
        """INBOX first, then the others by name."""
        if not self._root.is_dir():
            raise FileNotFoundError(self._root)
        paths = dict(self._found())
        inbox = "INBOX" if "INBOX" in paths else next((name for name in paths if role_of(name) == "inbox"), None)
        if inbox is None:
            raise FileNotFoundError(self._root / "cur")
        self._paths = paths
        rest = (Folder(name, role_of(name)) for name in sorted(paths) if name != inbox)
        return [
            Folder(inbox, "inbox"),
            *(Folder(folder.name, "" if folder.role == "inbox" else folder.role) for folder in rest),
        ]

    def stamp(self, folder: str) -> str:
        """The times of `cur` and `new`; empty while they are too fresh to be told apart."""
        path = self._path(folder)
        times = [self._time(path / part) for part in ("cur", "new")]
        return "" if time.time_ns() - max(times) < _SETTLED_NS else f"{times[0]}/{times[1]}"

    def candidates(self, folder: str) -> Sequence[Slot]:
        """By unique name, which begins with the time of delivery."""
        return sorted(
            (Slot(folder, _unique(name), _flags(name)) for _, name in self._files(folder)),
            key=lambda slot: _age(slot.key),
        )

    def fetch(self, slot: Slot) -> bytes | None:
        """Its bytes; looks again where another program has just renamed it."""
        for file in self._located(slot):
            try:
                with file.open("rb") as stream:
                    return stream.read(READ_LIMIT)
            except FileNotFoundError:
                continue
        return None

    def move(self, slot: Slot, folder: str) -> bool:
        """One rename: atomic, the unique name and the flags stay."""
        target = self._path(folder) / "cur"
        for file in self._located(slot):
            name = file.name if ":2," in file.name else f"{file.name}:2,"
            try:
                file.rename(target / name)
            except FileNotFoundError:
                continue
            _sync(target)
            return True
        return False

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """Rename with the new letters; letters of other programs stay."""
        for file in self._located(slot):
            letters = set(file.name.partition(":2,")[2])
            letters |= {letter for letter, flag in _LETTERS.items() if flag in add}
            letters -= {letter for letter, flag in _LETTERS.items() if flag in remove}
            name = f"{_unique(file.name)}:2,{''.join(sorted(letters))}"
            try:
                file.rename(self._path(slot.folder) / "cur" / name)
            except FileNotFoundError:
                continue
            self._names[slot.folder, slot.key] = f"{self._path(slot.folder)}/cur/{name}"
            return True
        return False

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """Written in `tmp`, brought to the disk, then renamed into `cur`."""
        path = self._path(folder)
        moment = time.time_ns()
        host = re.sub(r"[/:\s]", "_", socket.gethostname())
        unique = f"{moment // 10**9}.M{moment % 10**9 // 1000}P{os.getpid()}R{secrets.token_hex(6)}.{host}"
        letters = "".join(sorted(letter for letter, flag in _LETTERS.items() if flag in flags))
        temporary = path / "tmp" / unique
        try:
            with temporary.open("xb") as stream:
                stream.write(raw.replace(b"\r\n", b"\n"))
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path / "cur" / f"{unique}:2,{letters}")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(path / "cur")

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """Looks into the header of every file, newest first."""
        wanted = message_id.encode()
        for place in [folder] if folder else [one.name for one in self.folders()]:
            for path, name in sorted(self._files(place), key=lambda found: _age(found[1]), reverse=True):
                try:
                    with (path / name).open("rb") as stream:
                        head = stream.read(_HEAD)
                except FileNotFoundError:
                    # renamed or moved since the listing: it still counts
                    head = self.fetch(Slot(place, _unique(name))) or b""
                if wanted in head and has_message_id(head, wanted):
                    return Slot(place, _unique(name), _flags(name))
        return None

    def ensure(self, role: Role, near: str = "") -> Folder:
        """As Maildir++ (`.Sent`) beside an INBOX in the root, else as a plain folder."""
        for folder in self.folders():
            if folder.role == role:
                return folder
        name = CREATED[role]
        path = self._root / (f".{name}" if (self._root / "cur").is_dir() else name)
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.name.startswith("."):
            (path / "maildirfolder").touch()
        self._paths[name] = path
        return Folder(name, role)

    def _found(self) -> Iterator[tuple[str, Path]]:
        if (self._root / "cur").is_dir():
            yield "INBOX", self._root
        for path in sorted(self._root.iterdir()):
            if path.name.startswith(".") and (path / "cur").is_dir():
                yield _decoded(path.name[1:]), path
        yield from self._plain(self._root, 1)

    def _plain(self, folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()):
            if path.name in {"cur", "new", "tmp"} or path.name.startswith(".") or not path.is_dir():
                continue
            if (path / "cur").is_dir():
                yield _decoded(str(path.relative_to(self._root))), path
            if depth < _DEPTH:
                yield from self._plain(path, depth + 1)

    def _path(self, folder: str) -> Path:
        if folder not in self._paths:
            self.folders()
        try:
            return self._paths[folder]
        except KeyError:
            raise FileNotFoundError(folder) from None

    def _time(self, path: Path) -> int:
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _files(self, folder: str) -> Iterator[tuple[Path, str]]:
        """Each mail's directory and file name. `new` is read before `cur`: one that moves between is seen twice at
        worst, and once is kept."""
        path = self._path(folder)
        seen: set[str] = set()
        for part in ("new", "cur"):
            try:
                names = os.listdir(path / part)
            except FileNotFoundError:
                continue
            directory = path / part
            for name in names:
                if not name.startswith(".") and _unique(name) not in seen:
                    seen.add(_unique(name))
                    self._names[folder, _unique(name)] = f"{path}/{part}/{name}"
                    yield directory, name

    def _located(self, slot: Slot) -> Iterator[Path]:
        """The file of a mail: where it was last seen, then, because others rename it, where the folder has it now."""
        known = self._names.get((slot.folder, slot.key))
        if known is not None:
            yield Path(known)
        for _ in range(3):
            try:
                found = next(
                    (path / name for path, name in self._files(slot.folder) if _unique(name) == slot.key), None
                )
            except FileNotFoundError:
                return
            if found is None:
                self._names.pop((slot.folder, slot.key), None)
                return
            yield found


def _unique(name: str) -> str:
    return name.partition(":")[0]


def _age(name: str) -> tuple[int, str]:
    seconds = name.partition(".")[0]
    return (int(seconds) if seconds.isdecimal() and len(seconds) < 12 else 0, name)


def _flags(name: str) -> frozenset[Flag]:
    return frozenset(_LETTERS[letter] for letter in name.partition(":2,")[2] if letter in _LETTERS)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _decoded(name: str) -> str:
    """A folder's name out of IMAP's modified UTF-7 (RFC 3501 §5.1.3), as Courier and Dovecot write it on disk."""

    def text(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        data = match[1].replace(",", "/")
        return base64.b64decode(data + "=" * (-len(data) % 4)).decode("utf-16-be")

    try:
        return re.sub(r"&([A-Za-z0-9+,]*)-", text, name)
    except ValueError:
        return name
