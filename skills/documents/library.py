"""The user's documents as the tools see them: a catalogue kept in step with the folders, and the text of each passage.

The index is the catalogue: a file counts as read once its head (`<id>.0`), put last and deleted first, is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from platformdirs import user_documents_path

from assistant.skillkit import Context, Index, NotConfigured

from .files import Found, Listing, look
from .reader import Extracted, Passage, Reader

logger = logging.getLogger(__name__)

_TRIED_AGAIN = ("gone", "denied")
_FILES_PER_PROCESS = 200
_MB = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A file that was read."""

    id: str
    path: Path
    shown: str
    """Its path below the user's folder: what people are told."""
    stamp: str
    problem: str
    count: int
    """How many passages it has."""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


@dataclass(frozen=True)
class Record:
    """What the index holds of a passage, or of a file's head (`skillkit.Document`)."""

    id: str
    text: str
    stamp: str
    fields: Mapping[str, str | int | bool] = field(default_factory=dict)


class Library:
    """The folders' documents with their index."""

    def __init__(self, folders: Sequence[Path], store: Path, size_limit: int) -> None:
        self.folders = folders
        self._store = store
        self._size_limit = size_limit
        self._entries: dict[Path, Entry] | None = None
        self._by_id: dict[str, Entry] = {}
        self._listing = Listing()
        self._reading: asyncio.Task[None] | None = None
        self._left = 0

    @property
    def entries(self) -> Sequence[Entry]:
        """All files read so far."""
        return list((self._entries or {}).values())

    @property
    def size(self) -> int:
        """How many passages there are."""
        return sum(entry.count for entry in self.entries)

    @property
    def unread(self) -> Counter[str]:
        """How many files give no text, and why; hidden files and other kinds of files are not meant to."""
        problems = Counter(entry.problem for entry in self.entries if entry.problem not in ("", "cut"))
        problems["large"] += self._listing.skipped["large"]
        problems["denied"] += self._listing.skipped["denied"]
        return +problems

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many files the last look left out, and why (`files.Listing`)."""
        return self._listing.skipped

    def entry(self, passage: str) -> Entry | None:
        """The file of a passage's id."""
        return self._by_id.get(passage.partition(".")[0])

    async def refresh(self, index: Index, *, wait_s: float) -> int:
        """Look what has changed and read it; how many files are still to be read after `wait_s` seconds.

        The reading goes on in the background. Costs a walk over the folders where nothing has changed.
        """
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_changes(index))
            self._reading.add_done_callback(_logged)
        await asyncio.wait({self._reading}, timeout=wait_s)
        if self._reading.done() and not self._reading.cancelled():
            self._reading.result()
        return self._left

    def passages(self, entry: Entry) -> Sequence[Passage]:
        """All of a file's passages; none where its text is lost (it is then read again)."""
        try:
            return _load(str(self._text_file(entry.id)), entry.stamp)
        except (OSError, ValueError, KeyError, TypeError):
            if self._entries is not None:
                self._entries.pop(entry.path, None)
            return ()

    async def _read_changes(self, index: Index) -> None:
        self._left = 0
        if self._entries is None:
            await self._recall(index)
        assert self._entries is not None
        listing = self._listing = await asyncio.to_thread(look, self.folders, self._size_limit)
        lost = [
            entry
            for path, entry in self._entries.items()
            if path not in listing.files and not any(path.is_relative_to(folder) for folder in listing.missing)
        ]
        await self._forget(index, lost)
        stale = [found for found in listing.files.values() if not self._knows(found)]
        stale.sort(key=lambda found: -found.mtime_ns)
        self._left = len(stale)
        for start in range(0, len(stale), _FILES_PER_PROCESS):
            async with Reader(self.folders) as reader:
                for found in stale[start : start + _FILES_PER_PROCESS]:
                    await self._adopt(index, found, await reader.read(found.path, found.kind))
                    self._left -= 1

    def _knows(self, found: Found) -> bool:
        entry = (self._entries or {}).get(found.path)
        return entry is not None and entry.stamp == found.stamp

    async def _recall(self, index: Index) -> None:
        """What an earlier run read. What it left half done is deleted."""
        stamps = await index.stamps()
        self._entries = {}
        for id_, stamp in stamps.items():
            if id_.endswith(".0"):
                self._keep(Entry(id=id_[:-2], **_parsed(stamp)))
        await index.delete([id_ for id_ in stamps if id_.partition(".")[0] not in self._by_id])
        self._store.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in self._store.iterdir():
            if file.stem not in self._by_id:
                file.unlink(missing_ok=True)

    def _keep(self, entry: Entry) -> None:
        assert self._entries is not None
        self._entries[entry.path] = entry
        self._by_id[entry.id] = entry

    async def _adopt(self, index: Index, found: Found, extracted: Extracted) -> None:
        """Take up a file's passages in place of those it had."""
        assert self._entries is not None
        known = self._entries.get(found.path)
        if known is not None:
            await self._forget(index, [known])
        if extracted.problem in _TRIED_AGAIN:
            self._listing.skipped["denied"] += extracted.problem == "denied"
            return
        id_ = hashlib.sha256(str(found.path).encode()).hexdigest()[:16]
        passages = extracted.passages
        entry = Entry(id_, found.path, found.shown, found.stamp, extracted.problem, len(passages))
        await asyncio.to_thread(self._write, entry, passages)
        fields: dict[str, str | int | bool] = {"file": id_, "date": found.mtime_ns // 10**9}
        title = _spaced(found.path.stem)
        records = [
            Record(f"{id_}.{number}", "\n".join((title, passage.heading, passage.text)), found.stamp, fields)
            for number, passage in enumerate(passages, 1)
        ]
        await index.put(records)
        await index.put([Record(f"{id_}.0", _spaced(found.shown), _stamp(entry), fields)])
        self._keep(entry)

    async def _forget(self, index: Index, entries: Iterable[Entry]) -> None:
        for entry in entries:
            await index.delete([f"{entry.id}.{number}" for number in range(entry.count + 1)])
            (self._entries or {}).pop(entry.path, None)
            self._by_id.pop(entry.id, None)
            self._text_file(entry.id).unlink(missing_ok=True)

    def _write(self, entry: Entry, passages: Sequence[Passage]) -> None:
        """Whole or not at all."""
        data = {
            "stamp": entry.stamp,
            "passages": [[one.place_kind, one.place, one.heading, one.lines] for one in passages],
        }
        file = self._text_file(entry.id)
        temporary = file.with_suffix(".tmp")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump(data, out, ensure_ascii=False)
        temporary.replace(file)

    def _text_file(self, id_: str) -> Path:
        return self._store / f"{id_}.json"


@lru_cache(maxsize=64)
def _load(file: str, stamp: str) -> Sequence[Passage]:
    data = json.loads(Path(file).read_text(encoding="utf-8"))
    if data["stamp"] != stamp:
        raise ValueError(stamp)
    return tuple(Passage(kind, place, heading, tuple(lines)) for kind, place, heading, lines in data["passages"])


def _logged(task: asyncio.Task[None]) -> None:
    """Nobody may be waiting for it any more."""
    if not task.cancelled() and task.exception() is not None:
        logger.warning("the documents were not all read: %s", task.exception())


def _spaced(name: str) -> str:
    """A file's name as words: `rental_contract-2024` is three."""
    return name.replace("_", " ").replace("-", " ").replace(".", " ")


def _stamp(entry: Entry) -> str:
    return json.dumps([entry.stamp, entry.problem, entry.count, str(entry.path), entry.shown], ensure_ascii=False)


def _parsed(stamp: str) -> dict[str, Any]:
    """The stamp of a head, read back."""
    mark, problem, count, path, shown = json.loads(stamp)
    return {"stamp": mark, "problem": problem, "count": count, "path": Path(path), "shown": shown}


_OPEN: dict[tuple[object, ...], Library] = {}
"""Open libraries by folders and by the skill's folder: each holds its catalogue, and reads in one task."""


def opened(ctx: Context) -> Library:
    """The library of the settings. Raises NotConfigured where there is no folder."""
    folders = _folders(ctx)
    if not folders:
        raise NotConfigured("documents.no_folders")
    if not any(folder.is_dir() for folder in folders):
        raise NotConfigured("documents.folders_gone", folders=[str(folder) for folder in folders])
    limit = int(ctx.settings["size_limit_mb"]) * _MB
    key = (ctx.folder, tuple(folders), limit)
    if key not in _OPEN:
        _OPEN[key] = Library(folders, ctx.folder / "texts", limit)
    return _OPEN[key]


def _folders(ctx: Context) -> list[Path]:
    """Those of the settings, made whole; without a setting the system's Documents folder, if there is one."""
    given = [Path(str(folder)).expanduser().absolute() for folder in ctx.settings.get("folders") or ()]
    if not given:
        default = user_documents_path()
        return [default] if default.is_dir() else []
    # A folder inside another would be read twice.
    return [
        one for one in dict.fromkeys(given) if not any(one != other and one.is_relative_to(other) for other in given)
    ]


async def current(ctx: Context, *, wait_s: float) -> tuple[Library, int]:
    """The library, looked through for changes, and how many files are still to be read. Raises NotConfigured."""
    library = opened(ctx)
    return library, await library.refresh(ctx.index, wait_s=wait_s)
