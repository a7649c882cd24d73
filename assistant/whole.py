"""Writing a file whole: whoever reads, crashes or runs out of disk sees the old content or the new, never a part."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from assistant.failpoint import failpoint


def write_whole(file: Path, data: bytes, *, edge: str = "file") -> None:
    """Put `data` in the place of the file's content, through links, durably. Raises OSError; then nothing has changed.

    An existing file keeps its permissions, a new one is its owner's alone. `edge` names the failpoints.
    """
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name[:40]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(file.stat().st_mode & 0o777)
        failpoint(f"{edge}.written")
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    failpoint(f"{edge}.placed")
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
