"""The vectors of the evidence, in files of fixed records: record n is that of evidence n, all zeros for none.

A file for each family of scripts: a model finds what is written as the question is nearer than it should, so scores
can be compared within a family only. Everything here can be made anew from the evidence; no model is known.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from assistant.vectors import EMPTY, RECORD

FAMILIES = ("han", "other")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def family(text: str) -> str:
    """The family of scripts that a text is written in."""
    return "han" if len(_HAN.findall(text)) * 4 > len(text.split()) and _HAN.search(text) else "other"


class VectorFiles:
    """The files for one version of the models; those of other versions are removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def of(self, version: str, written: str) -> Path:
        """The path of a family's file."""
        return self._folder / f"{_named(version)}-{written}.vectors"

    def next(self, version: str) -> int:
        """The first number that has no record yet. What a crash left of a record is cut off."""
        ours = [self.of(version, written) for written in FAMILIES]
        for other in self._folder.glob("*.vectors"):
            if other not in ours:
                other.unlink(missing_ok=True)
        return max(_records(file) for file in ours)

    def write(self, version: str, records: Sequence[tuple[int, str, bytes]]) -> None:
        """Put records in, in ascending order: number, text, record. What lies between two of them is empty."""
        handles = {
            written: os.open(self.of(version, written), os.O_WRONLY | os.O_CREAT, 0o600)
            for written in {family(text) for _, text, _ in records}
        }
        try:  # in the order of the numbers: wherever a crash comes, all before the last one are there
            for number, text, record in records:
                os.pwrite(handles[family(text)], record, number * RECORD)
        finally:
            for handle in handles.values():
                os.close(handle)

    def empty(self, numbers: Iterable[int]) -> None:
        """Overwrite the records of these numbers with nothing, and wait for the disk."""
        for file in self._folder.glob("*.vectors"):
            handle = os.open(file, os.O_WRONLY)
            try:
                known = os.fstat(handle).st_size // RECORD
                for number in numbers:
                    if number < known:
                        os.pwrite(handle, EMPTY, number * RECORD)
                os.fsync(handle)
            finally:
                os.close(handle)


def _named(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()[:16]


def _records(file: Path) -> int:
    if not file.exists():
        return 0
    size = file.stat().st_size
    if size % RECORD:
        os.truncate(file, size - size % RECORD)
    return size // RECORD
