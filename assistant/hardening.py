"""What a process gives up so that its memory stays its own: core dumps, and being looked into by other programs.

With `ASSISTANT_DEBUGGER=1` in the environment it gives up nothing: py-spy, gdb and strace then work on it.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Mapping

VARIABLE = "ASSISTANT_DEBUGGER"
_PR_SET_DUMPABLE = 4
_SECRET = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)(_|$)",
    re.IGNORECASE,
)
_OURS = re.compile(r"ASSISTANT|CREDENTIALS_DIRECTORY$")
"""The second is systemd's: a folder's name, in which the vault's key may lie."""


def lock_down() -> None:
    """No core file, and no ptrace or /proc/PID/environ for other programs of the same user (Linux).

    The system undoes the second at each `exec`, so every process of ours calls this for itself.
    """
    if os.environ.get(VARIABLE) == "1" or sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what other programs' secrets are called; our own variables hold none."""
    return {name: value for name, value in environment.items() if _OURS.match(name) or not _SECRET.search(name)}
