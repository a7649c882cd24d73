"""The user's vCard files, and those of their accounts' address books: reading them, and writing one whole.

Knows no tool and no sentence.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from assistant.skillkit import (
    Card,
    Conflict,
    Context,
    NotFound,
    Rejected,
    SkillFailed,
    is_read_only,
    read_cards,
    replicas,
    write_whole,
    writing,
)


@dataclass(frozen=True)
class Entry:
    """A contact and the file that holds it."""

    file: Path
    text: str
    card: Card


@dataclass(frozen=True)
class Book:
    """Everybody there is, and the names of files that can't be read."""

    folder: Path
    """Where new contacts go."""
    entries: tuple[Entry, ...]
    unreadable: tuple[str, ...]

    def called(self, name: str) -> list[Entry]:
        """The contacts of that name or alias, whatever its case, that can be changed from here."""
        folded = name.casefold()
        return [
            entry
            for entry in self.entries
            if folded in {known.casefold() for known in (entry.card.name, *entry.card.aliases)}
            and not is_read_only(entry.file)
        ]


def open_book(ctx: Context) -> Book:
    """The user's contacts as they are on disk now: the folder's files, those of the folders right in it, and those of
    their accounts. Raises NotFound for an address book that was set and is not there."""
    own: Path = ctx.settings["folder"] or ctx.folder
    copies = replicas(ctx.folder)
    name = str(ctx.settings["book"]).strip()
    chosen = next((one.folder for one in copies if one.called(name)), None) if name else own
    if chosen is None:
        raise NotFound("contacts.no_book", name=name, names=[one.id for one in copies] or ["-"])
    entries: list[Entry] = []
    unreadable: list[str] = []
    theirs = [file for one in copies for file in sorted(one.folder.glob("[!.]*.vcf"))]
    for file in [*sorted((*own.glob("[!.]*.vcf"), *own.glob("[!.]*/[!.]*.vcf"))), *theirs]:
        try:
            text = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError):
            unreadable.append(file.name)
            continue
        entries += [Entry(file, text, card) for card in read_cards(text)]
    return Book(chosen, tuple(entries), tuple(unreadable))


def save(file: Path, text: str) -> str:
    """Write the file whole; gives the mark of what was written, for `expect`. Raises SkillFailed, Rejected."""
    if is_read_only(file):
        raise Rejected("contacts.read_only", file=file.name)
    try:
        with writing():
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
