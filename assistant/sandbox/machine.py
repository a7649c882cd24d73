"""What this computer has to contain a process with. Looked at once; the answer is the same for daemon and doctor."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assistant.sandbox import landlock, seccomp
from assistant.sandbox.reach import Confinement, interpreter

Kind = Literal["boxed", "fenced", "none"]
_TRY_S = 10.0


@dataclass(frozen=True)
class Machine:
    """What is there and works."""

    bubblewrap: str = ""
    """The program, where it can make a box; empty otherwise."""
    landlock: int = 0
    """The kernel's version of it; 0: none."""
    seccomp: bool = False
    trouble: Literal["", "missing", "refused"] = ""
    """Why there is no box: the program is not installed, or the system does not let it make one."""

    @property
    def kind(self) -> Kind:
        """`boxed`: sees only what it is given. `fenced`: reaches only that, and no network. `none`: neither."""
        if self.bubblewrap and self.seccomp:
            return "boxed"
        return "fenced" if self.landlock and self.seccomp else "none"


@functools.cache
def look() -> Machine:
    """Look. Takes some 20 ms: it has a box made."""
    if not sys.platform.startswith("linux"):
        return Machine(trouble="missing")
    program = shutil.which("bwrap")
    works = program is not None and _makes_a_box(program)
    return Machine(
        bubblewrap=program if program and works else "",
        landlock=landlock.abi(),
        seccomp=seccomp.known(),
        trouble="" if works else "missing" if program is None else "refused",
    )


def _makes_a_box(program: str) -> bool:
    """Whether it may: some systems have it and forbid the namespaces (a container, a hardened kernel)."""
    box = [program, "--unshare-all", "--unshare-user", "--die-with-parent", "--cap-drop", "ALL"]
    command = [*box, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", "/bin/true"]
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRY_S, check=False, env=dict(os.environ)
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return ran.returncode == 0


def fence(
    *, read: Iterable[Path], write: Iterable[Path] = (), devices: Iterable[str] = (), network: bool = False
) -> Confinement:
    """What a process of our own gives up before it reads a file that nobody vouches for, as far as this system has it.

    Takes no time; it is no box, and needs none: no file but these, no other process, and no network, but where what it
    reads comes from a server that it must ask itself.
    """
    linux = sys.platform.startswith("linux")
    places, _ = interpreter()
    return Confinement(
        read=tuple(str(one) for one in (*places, *read)),
        write=tuple(str(one) for one in write),
        devices=tuple(devices),
        landlock=linux and landlock.abi() > 0,
        seccomp=linux and seccomp.known(),
        network=network,
        without_privileges=False,
    )


_RUN = """\
import sys
sys.path[:0] = filter(None, sys.argv.pop(1).split(":"))
from assistant.sandbox.confine import enter
from assistant.sandbox.reach import Confinement
enter(Confinement.of(sys.argv.pop(1)))
exec(sys.argv.pop(1))
"""


def fenced_python(
    code: str, *arguments: str, read: Iterable[Path], write: Iterable[Path] = (), network: bool = False
) -> list[str]:
    """The command that runs code of ours, with `sys.argv[1:]`, where it can read `read` and change `write` alone."""
    _, search = interpreter()
    told = fence(read=read, write=write, network=network).told()
    return [sys.executable, "-P", "-c", _RUN, search, told, code, *arguments]
