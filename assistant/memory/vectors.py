"""The vectors of the evidence, in one file of fixed records: record n is that of evidence n, all zeros for none.

Everything in it can be made anew from the evidence. Neither numbers nor models are known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from assistant.vectors import EMPTY, RECORD


class VectorFile:
    """The file for one version of the models; those of other versions are removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def of(self, version: str) -> Path:
        """Its path."""
        return self._folder / f"{hashlib.sha256(version.encode()).hexdigest()[:16]}.vectors"

    def next(self, version: str) -> int:
        """The first number that has no record yet. What a crash left of a record is cut off."""
        file = self.of(version)
        for other in self._folder.glob("*.vectors"):
            if other != file:
                other.unlink(missing_ok=True)
        if not file.exists():
            return 0
        size = file.stat().st_size
        if size % RECORD:
            os.truncate(file, size - size % RECORD)
        return size // RECORD

    def write(self, version: str, records: Sequence[tuple[int, bytes]]) -> None:
        """Put records in, in ascending order of their numbers; what lies between two is empty."""
        handle = os.open(self.of(version), os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            for number, record in records:
                os.pwrite(handle, record, number * RECORD)
        finally:
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
