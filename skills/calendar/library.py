"""The events of all calendars, read anew where a file changed, each with the id by which tools speak of it."""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assistant.skillkit import Context, NotFound

from . import vdir
from .events import Item, parse
from .expand import Occurrence, occurrences

_SLICE = 5
_PAUSE_S = 0.03
_parsed: dict[Path, tuple[vdir.Etag, list[Item] | None]] = {}
"""Of every file last seen: parsing takes a millisecond or two each, and calendars hold thousands."""


@dataclass(frozen=True)
class Entry:
    """An event and its file."""

    id: str
    file: Path
    etag: vdir.Etag
    item: Item


@dataclass(frozen=True)
class Library:
    """All that was found."""

    entries: tuple[Entry, ...]
    skipped: tuple[str, ...]
    """Names of files that can't be read as calendars."""

    def entry(self, event_id: str) -> Entry:
        """The event of an id. Raises NotFound."""
        for one in self.entries:
            if one.id == event_id.strip():
                return one
        raise NotFound("calendar.no_such_event", id=line(event_id, 80))

    def with_uid(self, uid: str) -> Entry | None:
        """The event of a UID, in whatever file it lies."""
        return next((one for one in self.entries if one.item.main.uid == uid), None)


async def opened(ctx: Context) -> Library:
    """Read the calendars. Raises NotFound, AccountError."""
    return await asyncio.to_thread(_load, vdir.places(ctx))


async def warm(ctx: Context) -> None:
    """Read what is new ahead of the next question, a few files at a time: a turn in between must not wait for it."""
    fresh = await asyncio.to_thread(_unread, vdir.places(ctx))
    for at in range(0, len(fresh), _SLICE):
        await ctx.quiet.wait()
        await asyncio.to_thread(_read_all, fresh[at : at + _SLICE])
        await asyncio.sleep(_PAUSE_S)


def _unread(places: list[tuple[Path, list[Path]]]) -> list[tuple[Path, vdir.Etag]]:
    every = [pair for _, folders in places for pair in vdir.files(folders)]
    return [(file, etag) for file, etag in every if _parsed.get(file, (None,))[0] != etag]


def _read_all(files: list[tuple[Path, vdir.Etag]]) -> None:
    for file, etag in files:
        _parsed[file] = _read(file, etag)


def _load(places: list[tuple[Path, list[Path]]]) -> Library:
    entries: list[Entry] = []
    skipped: list[str] = []
    seen: set[Path] = set()
    for base, folders in places:
        for file, etag in vdir.files(folders):
            seen.add(file)
            known = _parsed.get(file)
            if known is None or known[0] != etag:
                known = _parsed[file] = _read(file, etag)
            name = file.relative_to(base).as_posix()
            if known[1] is None:
                skipped.append(line(name, 80))
                continue
            alone = len(known[1]) == 1
            entries += [Entry(name if alone else f"{name}#{item.main.uid}", file, known[0], item) for item in known[1]]
    bases = [base for base, _ in places]
    for gone in [file for file in list(_parsed) if file not in seen and any(map(file.is_relative_to, bases))]:
        _parsed.pop(gone, None)
    return Library(tuple(entries), tuple(skipped))


def _read(file: Path, etag: vdir.Etag) -> tuple[vdir.Etag, list[Item] | None]:
    try:
        content = vdir.read(file)
    except OSError:
        return etag, None
    return content.etag, parse(content.data)


def between(entries: Sequence[Entry], first: datetime, last: datetime, ctx: Context) -> list[tuple[Entry, Occurrence]]:
    """All that takes place in the window, in order."""
    found = [(entry, one) for entry in entries for one in occurrences(entry.item, first, last, ctx.zone)]
    return sorted(found, key=lambda pair: (pair[1].start, not pair[1].event.all_day, pair[1].end, pair[0].id))


def line(text: str, most: int = 200) -> str:
    """Other people's words on one line, without characters that hide or reorder others."""
    shown = "".join(" " if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in text)
    shown = "".join(one for one in shown if unicodedata.category(one) not in ("Cf", "Cs", "Co"))
    shown = re.sub(r"\s+", " ", shown).strip()
    return shown if len(shown) <= most else shown[: most - 1] + "…"
