"""Which files of the user's folders are documents. Looks, opens none; follows no link; counts what it leaves out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

KINDS = frozenset("txt text md markdown rst log org html htm xhtml pdf docx xlsx xlsm pptx csv tsv".split())
_FILES = 50_000
_DEPTH = 30
_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "site-packages"}


@dataclass(frozen=True)
class Found:
    """A document, as the folder's listing tells."""

    path: Path
    root: Path
    size: int
    mtime_ns: int

    @property
    def stamp(self) -> str:
        """Changes when the file does."""
        return f"{self.mtime_ns}:{self.size}"

    @property
    def kind(self) -> str:
        """Its ending, lower case."""
        return self.path.suffix[1:].lower()

    @property
    def shown(self) -> str:
        """Its path below the user's folder."""
        return str(self.path.relative_to(self.root))


@dataclass
class Listing:
    """All documents below the folders, and how many files were left out and why."""

    files: dict[Path, Found] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    """hidden, link, large, unknown (no format that is read), denied, many."""
    missing: list[Path] = field(default_factory=list)
    """Folders that are not there now: what is known of their files is kept."""


def look(folders: Sequence[Path], size_limit: int) -> Listing:
    """Walk the folders; `size_limit` in bytes. A folder that can't be listed is counted, never raised."""
    listing = Listing()
    for folder in folders:
        if not folder.is_dir():
            listing.missing.append(folder)
            continue
        _walk(folder, listing, size_limit)
    return listing


def _walk(root: Path, listing: Listing, size_limit: int) -> None:
    waiting = [(str(root), 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            listing.skipped["denied"] += 1
            continue
        for entry in entries:
            if entry.name.startswith((".", "~$")):
                listing.skipped["hidden"] += 1
            elif entry.is_symlink():
                listing.skipped["link"] += 1
            elif entry.is_dir(follow_symlinks=False):
                if depth < _DEPTH and entry.name not in _SKIPPED_FOLDERS:
                    waiting.append((entry.path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                _take(entry, root, listing, size_limit)


def _take(entry: os.DirEntry[str], root: Path, listing: Listing, size_limit: int) -> None:
    path = Path(entry.path)
    if path.suffix[1:].lower() not in KINDS:
        listing.skipped["unknown"] += 1
        return
    try:
        entry.name.encode()  # a name that is no text can neither be shown nor stored
        found = entry.stat(follow_symlinks=False)
    except (OSError, UnicodeEncodeError):
        listing.skipped["denied"] += 1
        return
    if found.st_size > size_limit:
        listing.skipped["large"] += 1
    elif len(listing.files) >= _FILES:
        listing.skipped["many"] += 1
    else:
        listing.files[path] = Found(path, root, found.st_size, found.st_mtime_ns)
