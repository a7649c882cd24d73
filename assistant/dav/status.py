"""How it stands with an account's synchronisation: a small file that the command line and the surfaces read."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from assistant.whole import write_whole

Condition = Literal["syncing", "idle", "offline", "needs_login"]
NAME = "status.json"


class Status:
    """Writes it; often while things change, and never more than the disk can bear."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._file = folder / NAME
        self._now = now
        self._last: tuple[object, ...] = ()
        self.done = 0
        self.total = 0

    def write(self, state: Condition, problem: str = "") -> None:
        """Say it."""
        current = (state, self.done, self.total, problem)
        if current == self._last:
            return
        self._last = current
        said = {
            "state": state,
            "done": self.done,
            "total": self.total,
            "at": self._now().isoformat(timespec="seconds"),
            "problem": problem,
        }
        write_whole(self._file, (json.dumps(said) + "\n").encode())
