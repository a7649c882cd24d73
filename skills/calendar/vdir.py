"""A vdir: folders with one .ics file an event, shared with khal, todoman and vdirsyncer. Knows bytes, no iCalendar.

https://vdirsyncer.pimutils.org/en/stable/vdir.html: files that begin with a dot or end in .tmp are not looked at, and
a file is replaced whole. Whoever wrote last wins nothing here: what changed since it was read is not overwritten.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.skillkit import (
    AccountError,
    Conflict,
    Context,
    NotFound,
    Rejected,
    Replica,
    is_read_only,
    replicas,
    writing,
)

LARGEST = 5_000_000
"""Bytes of a file that is still read."""


@dataclass(frozen=True)
class Etag:
    """Changes whenever the file does, as far as the file system tells."""

    modified: int
    size: int
    inode: int


@dataclass(frozen=True)
class Content:
    """A file as it was read."""

    data: bytes
    etag: Etag


def root(ctx: Context) -> Path:
    """The folder of the calendars. Raises NotFound for one that was set and is not there."""
    chosen: Path | None = ctx.settings.get("folder")
    if chosen is None:
        return ctx.folder / "calendar"
    if not chosen.is_dir():
        raise NotFound("calendar.no_folder", folder=str(chosen))
    return chosen


def places(ctx: Context) -> list[tuple[Path, list[Path]]]:
    """All folders with events, each list with the folder that ids begin below: the user's own, then the accounts'."""
    own = root(ctx)
    copies = replicas(ctx.folder)
    found = [(own, [own, *calendars(own)])]
    return [*found, (copies[0].folder.parents[1], [one.folder for one in copies])] if copies else found


def identity(ctx: Context, file: Path) -> str:
    """The id of the only event of a file."""
    base = next((base for base, folders in places(ctx) if file.parent in folders), file.parent)
    return file.relative_to(base).as_posix()


def for_new(ctx: Context) -> Path:
    """Where new events go: the calendar of the settings, `work/Private` for one of an account. Raises NotFound."""
    name = str(ctx.settings["calendar"]).strip()
    copies = replicas(ctx.folder) if "/" in name else []
    chosen = next((one for one in copies if one.called(name)), None)
    if chosen is not None:
        expect_writable(chosen.folder / "new")
        return chosen.folder
    return default(root(ctx), name, copies)


def expect_writable(file: Path) -> None:
    """Raises Rejected for a file of a calendar that its server lets nobody change from here."""
    if is_read_only(file):
        raise Rejected("calendar.read_only", calendar=Replica(file.parents[1].name, file.parent).name)


def files(folders: Iterable[Path]) -> Iterator[tuple[Path, Etag]]:
    """The .ics files of these calendars. Raises AccountError."""
    for place in folders:
        try:
            with os.scandir(place) as found:
                for one in sorted(found, key=lambda entry: entry.name):
                    if one.name.endswith(".ics") and not one.name.startswith(".") and one.is_file():
                        yield Path(one.path), _etag(one.stat())
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AccountError("calendar.unreadable", folder=str(place), problem=str(error)) from error


def calendars(folder: Path) -> list[Path]:
    """The folders below, a calendar each, by name."""
    try:
        return sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AccountError("calendar.unreadable", folder=str(folder), problem=str(error)) from error


def default(folder: Path, name: str, copies: Iterable[Replica] = ()) -> Path:
    """Where new events go: the calendar named in the settings, the folder itself where it holds events or no calendar
    is below it, else the first calendar. Raises NotFound for a name that is not there."""
    below = calendars(folder)
    if name:
        chosen = next((one for one in below if one.name == name), None)
        if chosen is None:
            raise NotFound(
                "calendar.no_calendar",
                name=name,
                names=[*(one.name for one in below), *(one.id for one in copies)] or ["-"],
            )
        return chosen
    if not below or any(file.parent == folder for file, _ in files([folder])):
        return folder
    return below[0]


def read(file: Path) -> Content:
    """The whole file. Raises OSError, also for one that is too large."""
    with file.open("rb") as stream:
        etag = _etag(os.fstat(stream.fileno()))
        if etag.size > LARGEST:
            raise OSError(f"{file.name}: {etag.size} bytes")
        return Content(stream.read(), etag)


def replace(file: Path, data: bytes, seen: Etag) -> None:
    """Write the file whole, if it is still the one that was read. Raises Conflict, AccountError."""
    _guarded(file, lambda: _put(file, data, seen))


def create(file: Path, data: bytes) -> None:
    """Write a new file whole. Raises Conflict where one of that name is there, AccountError."""
    _guarded(file, lambda: _put(file, data, None))


def remove(file: Path, seen: Etag) -> None:
    """Delete the file, if it is still the one that was read. Raises Conflict, AccountError."""

    def act() -> None:
        _unchanged(file, seen)
        file.unlink()

    _guarded(file, act)


def digest(data: bytes) -> str:
    """What tells one content from another."""
    return hashlib.sha256(data).hexdigest()


def _put(file: Path, data: bytes, seen: Etag | None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_name(f".{file.stem[:60]}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if seen is not None:
            temporary.chmod(file.stat().st_mode & 0o777)
        _unchanged(file, seen)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(file.parent)


def _unchanged(file: Path, seen: Etag | None) -> None:
    try:
        now = _etag(file.stat())
    except FileNotFoundError:
        now = None
    if now != seen:
        raise Conflict("calendar.changed")


def _guarded(file: Path, act: Callable[[], None]) -> None:
    expect_writable(file)
    try:
        with writing():
            act()
    except OSError as error:
        raise AccountError("calendar.unwritable", file=str(file), problem=str(error)) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _etag(status: os.stat_result) -> Etag:
    return Etag(status.st_mtime_ns, status.st_size, status.st_ino)
