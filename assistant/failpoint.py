"""Dying or hanging on purpose at a named place, so that tests can try every state edge. Nothing else ever does so."""

from __future__ import annotations

import os
import signal
import time

VARIABLE = "ASSISTANT_FAILPOINT"
"""`<name>:kill`, `:stall` or `:crash`, e.g. `outbox.sending-done.before:kill`; docs/safety.md lists the names."""

_STALL_S = 600.0


def failpoint(name: str) -> None:
    """End this process at once, as `kill -9` or a bad instruction does, or block this thread, if that is asked for."""
    asked = os.environ.get(VARIABLE)
    if asked == f"{name}:kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif asked == f"{name}:crash":
        os.kill(os.getpid(), signal.SIGILL)
    elif asked == f"{name}:stall":
        time.sleep(_STALL_S)
