"""Dying or hanging on purpose at a named place, so that tests can try every state edge. Nothing else ever does so."""

from __future__ import annotations

import os
import signal
import time

VARIABLE = "ASSISTANT_FAILPOINT"
"""`<name>:kill` or `<name>:stall`, e.g. `outbox.sending-done.before:kill`; the names are listed in docs/safety.md."""

_STALL_S = 600.0


def failpoint(name: str) -> None:
    """End this process at once, as `kill -9` does, or block this thread, if `ASSISTANT_FAILPOINT` asks for it here."""
    asked = os.environ.get(VARIABLE)
    if asked == f"{name}:kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif asked == f"{name}:stall":
        time.sleep(_STALL_S)
