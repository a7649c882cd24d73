"""The files of one replicated collection: listed, read, placed whole, taken away. Knows no server.

Who writes holds `WRITING`, so that a tool and the engine never fall between each other's look and act. Another program
that writes in the same instant is noticed by the file's stamp, as far as the file system tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path

from assistant.whole import sync_folder

WRITING = threading.RLock()
READ_ONLY = ".readonly"
"""A file of this name in a collection's folder: the server takes no changes of it."""
_ODD = re.compile(r"[^\w.@+-]+")
_LONGEST = 40


class Changed(Exception):
    """The file is not what it was when it was looked at."""


def stamp_of(file: Path) -> str:
    """Changes whenever the file does; "" where it is not there."""
    try:
        status = file.stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_mtime_ns}.{status.st_size}.{status.st_ino}"


def listed(folder: Path, ending: str) -> Iterator[tuple[str, str]]:
    """Name and stamp of the files of the collection."""
    with os.scandir(folder) as found:
        for one in found:
            if one.name.endswith(ending) and not one.name.startswith(".") and one.is_file(follow_symlinks=False):
                status = one.stat()
                yield one.name, f"{status.st_mtime_ns}.{status.st_size}.{status.st_ino}"


def look(file: Path) -> tuple[bytes | None, str]:
    """The file's bytes (None for none) and its stamp; both of the same moment."""
    for _ in range(5):
        before = stamp_of(file)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            if not before:
                return None, ""
            continue
        if stamp_of(file) == before:
            return data, before
    raise Changed(file.name)


def place(file: Path, data: bytes, seen: str, *, sync: bool = True) -> str:
    """Put `data` where the stamp was `seen` ("" for no file), durably; the new stamp. Raises Changed, OSError.

    Without `sync` whoever places many makes the folder durable after the last.
    """
    temporary = file.with_name(f".{file.stem[:60]}.{uuid.uuid4().hex}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        with WRITING:
            if stamp_of(file) != seen:
                raise Changed(file.name)
            temporary.replace(file)
            stamp = stamp_of(file)
    finally:
        temporary.unlink(missing_ok=True)
    if sync:
        sync_folder(file.parent)
    return stamp


def take_away(file: Path, seen: str) -> None:
    """Delete it where its stamp is still `seen`. Raises Changed, OSError."""
    with WRITING:
        if stamp_of(file) != seen:
            raise Changed(file.name)
        file.unlink(missing_ok=True)
    sync_folder(file.parent)


def set_aside(folder: Path, place: Path) -> Path:
    """Move a whole collection out of sight; nothing of it is deleted."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = place / f"{folder.name}.{uuid.uuid4().hex[:8]}"
    with WRITING:
        folder.rename(target)
    return target


def describe(folder: Path, name: str, color: str, *, writable: bool) -> None:
    """`displayname` and `color` as vdirsyncer writes them, and the mark of a collection that is only read."""
    for label, text in (("displayname", name), ("color", _rgb(color))):
        file = folder / label
        if text:
            with contextlib.suppress(OSError):
                if not file.exists() or file.read_text(encoding="utf-8") != text:
                    file.write_text(text, encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
    mark = folder / READ_ONLY
    if writable:
        mark.unlink(missing_ok=True)
    elif not mark.exists():
        mark.touch(mode=0o600)


def safe_name(text: str, taken: set[str]) -> str:
    """A folder's name of what a server calls a collection: no path, no hidden file, no two alike."""
    plain = unicodedata.normalize("NFC", text)
    plain = _ODD.sub("-", "".join(one for one in plain if unicodedata.category(one)[0] != "C")).strip("-.")
    plain = plain[:_LONGEST].rstrip("-.") or "collection"
    name, number = plain, 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def _rgb(color: str) -> str:
    """`#RRGGBB`; servers add how opaque it is."""
    found = re.fullmatch(r"(#[0-9A-Fa-f]{6})(?:[0-9A-Fa-f]{2})?", color.strip())
    return found[1] if found else ""
