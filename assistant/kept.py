"""What is worked out of the program's own texts, kept in files for the next start, which is quicker for it.

Nothing is lost with a file: what it held is worked out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from assistant.failpoint import failpoint

_END = b"\0"


class Kept:
    """A folder of such files, one a name; without a folder everything is worked out each time."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def of(self, name: str, texts: Iterable[str], make: Callable[[], Any]) -> Any:
        """What `make` makes of `texts`, as JSON gives it back; made anew where they or the module of `make` changed."""
        if self._folder is None:
            return make()
        file = self._folder / f"{name}.json"
        stamp = _stamp(texts, Path(make.__code__.co_filename))
        with contextlib.suppress(OSError, ValueError, TypeError):
            kept_stamp, value = json.loads(file.read_bytes())
            if kept_stamp == stamp:
                return value
        value = make()
        temporary = file.with_suffix(".tmp")
        with contextlib.suppress(OSError):  # a full disk costs the next start a moment
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps([stamp, value], ensure_ascii=False), encoding="utf-8")
            failpoint("kept.written")
            temporary.replace(file)
        return value


def _stamp(texts: Iterable[str], source: Path) -> str:
    told = hashlib.blake2b(source.read_bytes() if source.is_file() else b"")
    for text in texts:
        told.update(text.encode() + _END)
    return told.hexdigest()
