"""A machine's clock that is wrong, for a daemon and its workers: copied as `sitecustomize.py` beside a file `shift`.

That file holds seconds, and may change while the programs run. What runs by the monotonic clock is not touched, nor are
certificates, whose times OpenSSL looks at.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

_FILE = "shift"


@contextmanager
def wrong_clock(folder: Path) -> Iterator[Callable[[float], None]]:
    """Programs that are started within have a clock that is moved by so many seconds, as last told."""
    folder.mkdir()
    shutil.copy(__file__, folder / "sitecustomize.py")
    file = folder / _FILE
    file.write_text("0")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield lambda seconds: _write(file, seconds)
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _write(file: Path, seconds: float) -> None:
    file.write_text(f"{seconds:<20}")  # always of one length: it is read while it is written


def _install() -> None:
    """Move this process's clock. The file is opened now: a fence may stand around it later."""
    opened = os.open(Path(__file__).with_name(_FILE), os.O_RDONLY)
    right, right_ns = time.time, time.time_ns

    def shift() -> float:
        with suppress(ValueError):
            return float(os.pread(opened, 32, 0))
        return 0.0

    time.time = lambda: right() + shift()
    time.time_ns = lambda: right_ns() + int(shift() * 1e9)
    try:
        from assistant.clock import SystemClock
    except ImportError:  # another program than ours
        return
    now = SystemClock.now

    def moved(self: SystemClock) -> datetime:
        return now(self) + timedelta(seconds=shift())

    SystemClock.now = moved  # type: ignore[method-assign]


if __name__ == "sitecustomize":
    _install()
