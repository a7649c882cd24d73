"""The command that starts another one in a box of its own (bwrap(1)): a tree of what it may see, and no network."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from assistant.sandbox.reach import MIB, SYSTEM, SYSTEM_FILES

_SCRATCH = 64 * MIB
"""Of /tmp, which lies in memory."""


def boxed(
    program: str,
    command: Sequence[str],
    *,
    read: Iterable[Path],
    write: Iterable[Path],
    mounted: Mapping[Path, str],
    environment: Mapping[str, str],
    folder: Path,
) -> list[str]:
    """`command` in a box: `read` and `write` under their own names, `mounted` (read only) under another.

    Everything else of the machine, its network, its processes and our environment is not there.
    """
    box = [program, "--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    box += ["--hostname", "skill", "--clearenv"]
    for name, value in environment.items():
        box += ["--setenv", name, value]
    for place in SYSTEM:
        if os.path.islink(place):
            box += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            box += ["--ro-bind", place, place]
    for place in SYSTEM_FILES:
        box += ["--ro-bind-try", place, place]
    box += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SCRATCH), "--tmpfs", "/tmp", "--dir", "/run"]
    # The shorter path first: what lies in a folder that is bound as well must come to lie above it.
    places = [(one, "--ro-bind-try") for one in read] + [(one, "--bind-try") for one in write]
    for one, how in sorted(places, key=lambda found: len(found[0].parts)):
        box += [how, str(one), str(one)]
    for source, target in mounted.items():
        box += ["--ro-bind", str(source), target]
    box += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(folder)]
    return [*box, "--", *command]
