"""Dying on purpose at a named place, so that tests can try every state edge. Nothing happens unless they ask for it."""

from __future__ import annotations

import os
import signal

VARIABLE = "ASSISTANT_FAILPOINT"
"""`<name>:kill`, e.g. `outbox.sending-done.before:kill`; the names are listed in docs/safety.md."""


def failpoint(name: str) -> None:
    """End this process at once, as `kill -9` does, if `ASSISTANT_FAILPOINT` is `<name>:kill`."""
    if os.environ.get(VARIABLE) == f"{name}:kill":
        os.kill(os.getpid(), signal.SIGKILL)
