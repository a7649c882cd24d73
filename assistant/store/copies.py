"""Copies of the database that hold what shall be forgotten: backups, halves of them, damaged files that were put aside.

Knows no table. It blocks: call it from a thread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from assistant.store.backups import folder_of

Copy = tuple[Path, int]
"""With the time of its last change in nanoseconds."""


def remove_copies(database: Path | None, marks: Sequence[str], seen: Collection[Copy]) -> frozenset[Copy]:
    """Remove those that hold a mark, but for the `seen` ones, and whatever is half made; those that stay.

    The next daily backup holds the rest again.
    """
    if database is None:
        return frozenset()
    for half in folder_of(database).glob("*.part*"):
        half.unlink(missing_ok=True)
    sought = [mark.encode() for mark in marks]
    stays = set()
    for copy in [*folder_of(database).glob("*.db"), *database.parent.glob(f"{database.name}*.damaged-*")]:
        state = (copy, copy.stat().st_mtime_ns)
        if state in seen:
            stays.add(state)
            continue
        data = copy.read_bytes()
        if any(one in data for one in sought):
            copy.unlink(missing_ok=True)
        else:
            stays.add(state)
    return frozenset(stays)
