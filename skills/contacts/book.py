"""The vCard files of a folder: reading them, and writing one whole. Knows no tool and no sentence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from assistant.skillkit import Card, Conflict, Context, NotFound, SkillFailed, read_cards, write_whole


@dataclass(frozen=True)
class Entry:
    """A contact and the file that holds it."""

    file: Path
    text: str
    card: Card


@dataclass(frozen=True)
class Book:
    """Everybody in the folder, and the names of files that can't be read."""

    folder: Path
    entries: tuple[Entry, ...]
    unreadable: tuple[str, ...]

    def called(self, name: str) -> list[Entry]:
        """The contacts of that name or alias, whatever its case."""
        folded = name.casefold()
        return [
            entry
            for entry in self.entries
            if folded in {known.casefold() for known in (entry.card.name, *entry.card.aliases)}
        ]


def open_book(ctx: Context) -> Book:
    """The user's contacts as they are on disk now: the folder's files, and those of the folders right in it."""
    folder: Path = ctx.settings["folder"] or ctx.folder
    entries: list[Entry] = []
    unreadable: list[str] = []
    for file in sorted((*folder.glob("[!.]*.vcf"), *folder.glob("[!.]*/[!.]*.vcf"))):
        try:
            text = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            unreadable.append(file.name)
            continue
        entries += [Entry(file, text, card) for card in read_cards(text)]
    return Book(folder, tuple(entries), tuple(unreadable))


def save(file: Path, text: str) -> str:
    """Write the file whole; gives the mark of what was written, for `expect`. Raises SkillFailed."""
    try:
        write_whole(file, text.encode("utf-8"))
    except OSError as error:
        raise SkillFailed("contacts.not_written", file=str(file), problem=error.strerror or str(error)) from error
    return _mark(text.encode("utf-8"))


def expect(file: Path, mark: str) -> None:
    """Make sure that the file is still what `save` wrote. Raises NotFound, Conflict."""
    try:
        there = file.read_bytes()
    except OSError as error:
        raise NotFound("contacts.gone") from error
    if _mark(there) != mark:
        raise Conflict("contacts.changed", file=str(file))


def _mark(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
