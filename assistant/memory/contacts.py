"""The people in folders of vCards, as khard and vdirsyncer keep them. Only reads: the contacts skill writes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from assistant.models import Person
from assistant.values.vcards import read_cards

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int]


class ContactsFolder:
    """Reads the files of some folders, and of the folders right in them, whenever one has changed."""

    def __init__(self, folders: Callable[[], Sequence[Path]]) -> None:
        self._folders = folders
        self._files: dict[Path, tuple[_Stamp, tuple[Person, ...]]] = {}
        self._people: tuple[Person, ...] = ()

    def people(self) -> tuple[Person, ...]:
        """Everybody there; the same object as long as nothing changes. A file that can't be read is logged and left."""
        found = _stamps(self._folders())
        if {file: stamp for file, (stamp, _) in self._files.items()} != found:
            self._files = {file: self._known(file, stamp) for file, stamp in found.items()}
            self._people = tuple(person for _, people in self._files.values() for person in people)
        return self._people

    def _known(self, file: Path, stamp: _Stamp) -> tuple[_Stamp, tuple[Person, ...]]:
        known = self._files.get(file)
        return known if known and known[0] == stamp else (stamp, _read(file))


def merged(own: Sequence[Person], others: Sequence[Person]) -> tuple[Person, ...]:
    """One list: of two of a name, what the user's own file says counts, and the vCard fills its gaps."""
    people = list(own)
    places = {person.name.casefold(): place for place, person in reversed(list(enumerate(own)))}
    for person in dict.fromkeys(others):
        place = places.get(person.name.casefold())
        if place is None:
            people.append(person)
        else:
            people[place] = _joined(people[place], person)
    return tuple(people)


def _joined(first: Person, second: Person) -> Person:
    return Person(
        name=first.name,
        aliases=tuple(dict.fromkeys((*first.aliases, *second.aliases))),
        email=first.email or second.email,
        phone=first.phone or second.phone,
        iban=first.iban or second.iban,
    )


def _stamps(folders: Sequence[Path]) -> dict[Path, _Stamp]:
    stamps: dict[Path, _Stamp] = {}
    for folder in folders:
        for file in sorted((*folder.glob("[!.]*.vcf"), *folder.glob("[!.]*/[!.]*.vcf"))):
            try:
                status = file.stat()
            except OSError:  # gone between the listing and now
                continue
            stamps[file] = (status.st_mtime_ns, status.st_size)
    return stamps


def _read(file: Path) -> tuple[Person, ...]:
    try:
        return tuple(card.person for card in read_cards(file.read_bytes().decode("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("contacts: %s can't be read: %s", file.name, error)
        return ()
