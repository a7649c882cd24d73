"""Which files are meant by `path`: a file's name, a folder, or words of either as people say them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .files import KINDS
from .library import Entry, Library
from .terms import concepts, fold, prepared

_NEARLY = 0.6


def named(library: Library, path: str) -> Sequence[Entry]:
    """The files that `path` means, none where nothing is called so."""
    entries = library.entries
    said = fold(path.strip().strip("\"'“”《》").rstrip("/"))
    if not said:
        return []
    for same in (
        [entry for entry in entries if said in (fold(str(entry.path)), fold(entry.shown), fold(entry.name))],
        [entry for entry in entries if said in map(fold, entry.path.parts) or fold(entry.path.stem) == said],
    ):
        if same:
            return same
    wanted = concepts(path)
    if not wanted:
        return []
    scores = {}
    for entry in entries:
        line = prepared(entry.shown.replace("_", " ").replace("-", " ").replace(".", " "))
        scores[entry.path] = sum(concept.share(line) for concept in wanted) / len(wanted)
    best = max(scores.values(), default=0.0)
    return [entry for entry in entries if best >= _NEARLY and scores[entry.path] == best]


def is_file_name(path: str) -> bool:
    """Whether `path` is written as a file's name (`lease.pdf`, `~/Documents/x`), not as words for it."""
    return Path(path.strip()).suffix[1:].lower() in KINDS or path.strip().startswith(("/", "~"))
