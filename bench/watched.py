"""The daemon as a bench watches it: the real one, which at SIGUSR1 also tells what is alive inside it.

Measures nothing itself. `python -m bench.watched` is started by `Home.spawn`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from assistant import paths
from assistant.cli import background

_FILE = "inside.json"
_TOP = 30


def inside(home: Path, pid: int, within: float = 30) -> dict[str, Any]:
    """What is alive in the daemon `pid` now: tasks, threads, objects by type. Raises TimeoutError."""
    file = home / _FILE
    file.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + within
    while not file.exists():
        if time.monotonic() > until:
            raise TimeoutError("the daemon did not say what is alive in it")
        time.sleep(0.02)
    told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return told


def _tell(number: int, frame: FrameType | None) -> None:
    gc.collect()
    alive = Counter(type(one).__qualname__ for one in gc.get_objects())
    told = {
        "tasks": sorted(task.get_name() for task in asyncio.all_tasks()),
        "threads": threading.active_count(),
        "blocks": sys.getallocatedblocks(),
        "objects": dict(alive.most_common(_TOP)),
    }
    file = paths.find().config / _FILE
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(told), encoding="utf-8")
    temporary.replace(file)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _tell)
    background.main()
