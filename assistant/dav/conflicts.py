"""Two versions of one thing, and the user's choice between them. Works with or without a running daemon.

A choice changes the file here; the engine then sends that as it sends any change.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.dav import folder as files
from assistant.dav.lines import Component, Line, Tree, read, same, title
from assistant.dav.replicas import ACCOUNTS
from assistant.dav.state import NAME, Kept, State
from assistant.errors import Conflict, NotFound, Rejected

Choice = Literal["ours", "theirs", "both"]
SHORT = 8
_SKILL_DATA = "skill-data"
_QUIET = {"DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "REV", "CREATED", "PRODID", "VERSION", "UID", "X-MOZ-GENERATION"}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")


@dataclass(frozen=True)
class Open:
    """One that waits for a choice."""

    folder: Path
    """Of the account's copies."""
    kept: Kept

    @property
    def id(self) -> str:
        """As the user names it."""
        return self.kept.mark[:SHORT]

    @property
    def place(self) -> str:
        """`work/Private`."""
        return f"{self.folder.name}/{self.kept.folder}"

    @property
    def title(self) -> str:
        """What the thing is called."""
        return title(self.kept.ours or b"") or title(self.kept.theirs or b"")

    @property
    def file(self) -> Path:
        """The file that holds the version in use."""
        return self.folder / self.kept.folder / self.kept.file

    def differences(self) -> list[tuple[str, str, str]]:
        """What differs: a property's name, what it is in our version and in the server's; "" where it is not there."""
        ours, theirs = _properties(self.kept.ours), _properties(self.kept.theirs)
        return [
            (name, ours.get(name, ""), theirs.get(name, ""))
            for name in dict.fromkeys((*ours, *theirs))
            if ours.get(name) != theirs.get(name)
        ]


def open_conflicts(data: Path, account: str = "") -> list[Open]:
    """All that wait, of one account or of every one, oldest first."""
    found = []
    for file in sorted((data / _SKILL_DATA).glob(f"*/{ACCOUNTS}/[!.]*/{NAME}")):
        if account in ("", file.parent.name):
            state = State(file.parent)
            try:
                found += [Open(file.parent, kept) for kept in state.conflicts()]
            finally:
                state.close()
    return sorted(found, key=lambda one: (one.kept.at, one.id))


def settle(data: Path, number: str, choice: Choice) -> Open:
    """Do as the user chose. Raises NotFound, Rejected, Conflict, OSError."""
    fitting = [one for one in open_conflicts(data) if one.kept.mark.startswith(number.strip().lower())]
    if len(fitting) != 1 or not number.strip():
        raise NotFound("dav.no_conflict", number=number)
    one = fitting[0]
    try:
        if choice == "both":
            _use_both(one)
        elif choice == "ours":
            _use_ours(one)
        else:
            _use_theirs(one)
    except files.Changed as error:
        raise Conflict("dav.moved_on", title=one.title) from error
    state = State(one.folder)
    try:
        state.settle(one.kept.id, choice)
    finally:
        state.close()
    return one


def _use_ours(one: Open) -> None:
    kept = one.kept
    current, seen = files.look(one.file)
    if kept.reason in ("refused", "deleted_there"):
        return  # it is in use, and will be offered to the server again
    if current is not None and kept.theirs is not None and not same(current, kept.theirs):
        if kept.ours is not None and same(current, kept.ours):
            return
        raise files.Changed(kept.file)
    if kept.ours is None:
        files.take_away(one.file, seen)
    else:
        files.place(one.file, kept.ours, seen)


def _use_theirs(one: Open) -> None:
    kept = one.kept
    if kept.reason not in ("refused", "deleted_there"):
        return  # it is in use
    current, seen = files.look(one.file)
    if current is None:
        return
    if kept.ours is None or not same(current, kept.ours):
        raise files.Changed(kept.file)
    if kept.theirs is None:
        files.take_away(one.file, seen)
    else:
        files.place(one.file, kept.theirs, seen)


def _use_both(one: Open) -> None:
    """Ours beside theirs, as a thing of its own."""
    tree = read(one.kept.ours or b"")
    if tree is None or one.kept.reason not in ("both_changed", "read_only"):
        raise Rejected("dav.nothing_kept", title=one.title)
    fresh = str(uuid.uuid5(uuid.NAMESPACE_OID, one.kept.mark))  # the same, if this is done again after a crash
    for component in _all(tree.roots):
        component.parts = [_renamed(part, fresh, tree) for part in component.parts]
    file = one.file.with_name(f"{fresh}{one.file.suffix}")
    if not file.exists():
        files.place(file, tree.data(), "")


def _renamed(part: Line | Component, fresh: str, tree: Tree) -> Line | Component:
    if isinstance(part, Line) and part.name == "UID" and not part.group:
        return Line(f"UID:{fresh}{tree.newline}")
    return part


def _all(components: list[Component]) -> Iterator[Component]:
    for one in components:
        yield one
        yield from _all([each for each in one.components if each.name not in ("VALARM", "VTIMEZONE")])


def _properties(data: bytes | None) -> dict[str, str]:
    tree = read(data or b"")
    found: dict[str, list[str]] = {}
    for component in _all(tree.roots) if tree else ():
        again = component.value("RECURRENCE-ID")
        for line in component.lines:
            if line.name not in _QUIET and component.name != "VCALENDAR":
                name = f"{line.name} ({_readable(again)})" if again else line.name
                found.setdefault(name, []).append(_readable(line.text))
        for inner in component.components:
            if inner.name == "VALARM":
                found.setdefault("VALARM", []).append(inner.value("TRIGGER"))
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def _readable(text: str) -> str:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return " ".join(text.split())[:200]
    day = "-".join(found.group(1, 2, 3))
    return f"{day} {found[4]}:{found[5]}{' UTC' if found[7] else ''}" if found[4] else day
