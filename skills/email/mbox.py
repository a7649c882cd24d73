"""Mail in an mbox file (RFC 4155), other folders as mbox files in `<file>.sbd/`.

Locked both ways (lock file and record lock) while it is changed; rewritten into a new file that takes its name.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .provider import CREATED, READ_LIMIT, Busy, Flag, Folder, Role, Slot, has_message_id, role_of

_FROM = re.compile(rb"^From [^\n]*\d{4}[^\n]*\n", re.MULTILINE)
_STATUS = re.compile(rb"^(?:X-)?Status:[^\n]*\n", re.MULTILINE | re.IGNORECASE)
_LETTERS: dict[str, Flag] = {"R": "seen", "A": "answered", "F": "flagged", "T": "draft", "D": "deleted"}
_PATIENCE_S = 10.0
_STALE_S = 300.0  # a lock file older than this was left by a program that died


@dataclass(frozen=True)
class _Entry:
    """A mail's place in the file: its `From ` line, its bytes."""

    slot: Slot
    start: int
    body: int
    end: int


class MboxProvider:
    """An mbox file as INBOX."""

    def __init__(self, file: Path) -> None:
        self._inbox = file
        self._folder = file.with_name(f"{file.name}.sbd")
        self._seen: dict[str, tuple[str, dict[str, _Entry]]] = {}

    def folders(self) -> Sequence[Folder]:
        """INBOX and the files beside it."""
        if not self._inbox.is_file():
            raise FileNotFoundError(self._inbox)
        names = sorted(path.name for path in self._folder.iterdir() if path.is_file()) if self._folder.is_dir() else []
        kept = [name for name in names if not name.endswith((".lock", ".new")) and not name.startswith(".")]
        return [Folder("INBOX", "inbox"), *(Folder(name, role_of(name)) for name in kept)]

    def stamp(self, folder: str) -> str:
        """Inode, size and time of the file."""
        return _stamp(self._path(folder).stat())

    def candidates(self, folder: str) -> Sequence[Slot]:
        """In the order of the file."""
        return [entry.slot for entry in self._entries(folder).values()]

    def fetch(self, slot: Slot) -> bytes | None:
        """Its bytes, quoted `From ` lines as they were sent."""
        try:
            with self._path(slot.folder).open("rb") as stream:
                entry = self._entries_of(stream, slot.folder).get(slot.key)
                if entry is None:
                    return None
                stream.seek(entry.body)
                return _unquoted(stream.read(min(entry.end - entry.body, READ_LIMIT)))
        except FileNotFoundError:
            return None

    def move(self, slot: Slot, folder: str) -> bool:
        """Filed in the target first, then taken out of the source."""
        if folder == slot.folder:
            return slot.key in self._entries(folder)
        with _locked(self._path(slot.folder)) as source:
            found = self._entries_of(source, slot.folder).get(slot.key)
            if found is None:
                return False
            source.seek(found.start)
            data = source.read(found.end - found.start)
            if slot.key not in self._entries(folder):
                self._add(folder, data)
            self._rewrite(self._path(slot.folder), source, {found: b""})
        return True

    def flag(self, slot: Slot, *, add: frozenset[Flag] = frozenset(), remove: frozenset[Flag] = frozenset()) -> bool:
        """Written into Status and X-Status, as mutt and Dovecot do."""
        with _locked(self._path(slot.folder)) as stream:
            found = self._entries_of(stream, slot.folder).get(slot.key)
            if found is None:
                return False
            wanted = (found.slot.flags | add) - remove
            if wanted != found.slot.flags:
                stream.seek(found.start)
                line, body = stream.read(found.body - found.start), stream.read(found.end - found.body)
                self._rewrite(self._path(slot.folder), stream, {found: line + _with_flags(body, wanted)})
        return True

    def append(self, folder: str, raw: bytes, flags: frozenset[Flag]) -> None:
        """Added at the end and brought to the disk; cut off again if that fails."""
        moment = time.asctime(time.gmtime()).encode()
        body = re.sub(rb"^(>*From )", rb">\1", raw.replace(b"\r\n", b"\n"), flags=re.MULTILINE)
        body = _with_flags(body if body.endswith(b"\n") else body + b"\n", flags)
        self._add(folder, b"From assistant@localhost " + moment + b"\n" + body)

    def find_by_message_id(self, message_id: str, folder: str | None = None) -> Slot | None:
        """Looks through every folder's file, newest first."""
        wanted = message_id.encode()
        for place in [folder] if folder else [one.name for one in self.folders()]:
            with self._path(place).open("rb") as stream:
                for entry in reversed(self._entries_of(stream, place).values()):
                    stream.seek(entry.body)
                    head = stream.read(min(entry.end - entry.body, 65_536))
                    if wanted in head and has_message_id(head, wanted):
                        return entry.slot
        return None

    def ensure(self, role: Role, near: str = "") -> Folder:
        """The file for `role`, made empty if need be."""
        for folder in self.folders():
            if folder.role == role:
                return folder
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with (self._folder / CREATED[role]).open("ab"):
            (self._folder / CREATED[role]).chmod(0o600)
        return Folder(CREATED[role], role)

    def _path(self, folder: str) -> Path:
        return self._inbox if folder == "INBOX" else self._folder / Path(folder).name

    def _entries(self, folder: str) -> dict[str, _Entry]:
        with self._path(folder).open("rb") as stream:
            return self._entries_of(stream, folder)

    def _entries_of(self, stream: BinaryIO, folder: str) -> dict[str, _Entry]:
        """By key, in the file's order; read again only when the file has changed."""
        stamp = _stamp(os.fstat(stream.fileno()))
        known = self._seen.get(folder)
        if known is None or known[0] != stamp:
            known = self._seen[folder] = (stamp, {entry.slot.key: entry for entry in _read(stream, folder)})
        return known[1]

    def _add(self, folder: str, data: bytes) -> None:
        with _locked(self._path(folder)) as stream:
            end = stream.seek(0, os.SEEK_END)
            if end:
                stream.seek(max(end - 2, 0))
                last = stream.read(2)
                data = b"\n" * (2 - (len(last) - len(last.rstrip(b"\n")))) + data
            data = data.rstrip(b"\n") + b"\n\n"
            try:
                stream.seek(end)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(end)
                raise

    def _rewrite(self, path: Path, stream: BinaryIO, changes: dict[_Entry, bytes]) -> None:
        """A new file beside the old one takes its name: whole or not at all."""
        temporary = path.with_name(f"{path.name}.new")
        status = os.fstat(stream.fileno())
        try:
            with temporary.open("wb") as out:
                position = 0
                for entry, data in sorted(changes.items(), key=lambda change: change[0].start):
                    _copy(stream, out, position, entry.start)
                    out.write(data)
                    position = entry.end
                _copy(stream, out, position, status.st_size)
                out.flush()
                os.fchmod(out.fileno(), status.st_mode & 0o777)
                with suppress(PermissionError):
                    os.fchown(out.fileno(), status.st_uid, status.st_gid)
                os.fsync(out.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file, with a lock file beside it and a record lock on it: delivery agents heed one or the other."""
    give_up = time.monotonic() + _PATIENCE_S
    lock = path.with_name(f"{path.name}.lock")
    dotted = _lock_file(lock, give_up)
    try:
        while True:
            with path.open("r+b") as stream:
                _lock_record(stream, give_up)
                # Another program may have put a new file in its place while we waited.
                if os.fstat(stream.fileno()).st_ino == path.stat().st_ino:
                    yield stream
                    return
    finally:
        if dotted:
            lock.unlink(missing_ok=True)


def _lock_file(lock: Path, give_up: float) -> bool:
    while True:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            if _is_stale(lock):
                lock.unlink(missing_ok=True)
                continue
            if time.monotonic() > give_up:
                raise Busy(str(lock)) from None
            time.sleep(0.05)
        except PermissionError:  # a spool folder that only delivery agents may write: the record lock has to do
            return False
        else:
            os.write(handle, f"{os.getpid()}\n".encode())
            os.close(handle)
            return True


def _is_stale(lock: Path) -> bool:
    """Left by a process that is gone (its id is in the file, as liblockfile writes it), or very old."""
    try:
        holder = lock.read_text(encoding="ascii", errors="replace").strip()
        if holder.isdecimal() and 0 < int(holder) < 1 << 31:
            os.kill(int(holder), 0)
        return time.time() - lock.stat().st_mtime > _STALE_S
    except ProcessLookupError:
        return True
    except OSError:
        return False


def _lock_record(stream: BinaryIO, give_up: float) -> None:
    while True:
        try:
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() > give_up:
                raise Busy(stream.name) from None
            time.sleep(0.05)


def _read(stream: BinaryIO, folder: str) -> list[_Entry]:
    size = os.fstat(stream.fileno()).st_size
    if size == 0:
        return []
    entries: list[_Entry] = []
    counted: dict[str, int] = {}
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        starts = [match.span() for match in _FROM.finditer(data) if _begins(data, match.start())]
        for (start, body), end in zip(starts, [*(start for start, _ in starts[1:]), size], strict=True):
            content = data[body:end]
            key = hashlib.sha256(_without_flags(content)).hexdigest()[:24]
            counted[key] = counted.get(key, 0) + 1
            key = key if counted[key] == 1 else f"{key}#{counted[key]}"
            entries.append(_Entry(Slot(folder, key, _flags(content)), start, body, end))
    return entries


def _begins(data: mmap.mmap, position: int) -> bool:
    """A `From ` line begins a mail at the start of the file or after an empty line."""
    return (
        position == 0
        or data[max(position - 2, 0) : position] in {b"\n\n", b"\n"}
        or data[position - 3 : position] == b"\n\r\n"
    )


def _head(content: bytes) -> tuple[bytes, bytes]:
    match = re.search(rb"\r?\n\r?\n", content)
    return (content[: match.start() + 1], content[match.start() + 1 :]) if match else (content, b"")


def _without_flags(content: bytes) -> bytes:
    head, rest = _head(content)
    return _STATUS.sub(b"", head) + rest.rstrip(b"\r\n")


def _flags(content: bytes) -> frozenset[Flag]:
    head, _ = _head(content)
    letters = b"".join(line.partition(b":")[2] for line in _STATUS.findall(head)).decode("ascii", "replace")
    return frozenset(flag for letter, flag in _LETTERS.items() if letter in letters)


def _with_flags(content: bytes, flags: frozenset[Flag]) -> bytes:
    head, rest = _head(content)
    letters = {flag: letter for letter, flag in _LETTERS.items()}
    status = ("R" if "seen" in flags else "") + "O"
    more = "".join(letters[flag] for flag in sorted(flags - {"seen"}))
    lines = f"Status: {status}\n" + (f"X-Status: {more}\n" if more else "")
    head = _STATUS.sub(b"", head)
    return head + (b"" if head.endswith(b"\n") else b"\n") + lines.encode() + rest


def _unquoted(content: bytes) -> bytes:
    return re.sub(rb"^>(>*From )", rb"\1", content, flags=re.MULTILINE).rstrip(b"\n") + b"\n"


def _copy(source: BinaryIO, target: BinaryIO, start: int, end: int) -> None:
    source.seek(start)
    while start < end:
        data = source.read(min(end - start, 1 << 20))
        if not data:
            raise OSError("the mailbox became shorter while it was copied")
        target.write(data)
        start += len(data)


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}/{status.st_size}/{status.st_mtime_ns}"
