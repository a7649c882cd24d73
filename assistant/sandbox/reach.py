"""What a contained process may reach, and how it is told: plain values that fit on a command line."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import assistant

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one process may use up."""

    memory: int = 1024 * MIB
    """Of address space; the interpreter and its libraries take a tenth of it."""
    cpu_s: int = 600
    """Of processor time in its whole life; how long one call may take is the caller's to say."""
    file_bytes: int = 256 * MIB
    """Of one file."""
    open_files: int = 256
    folder_bytes: int = 256 * MIB
    """Of everything in its own folder together (`too_heavy`)."""
    folder_files: int = 20_000


@dataclass(frozen=True)
class Confinement:
    """What a process gives up before foreign code runs in it. See `confine.enter`."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    """Read, written and steered: a graphics card."""
    boxed: bool = False
    """Whether it sits in namespaces of its own. If not, sockets and changes of other files' owners are refused."""
    landlock: bool = True
    seccomp: bool = True
    network: bool = False
    """Whether it reaches the network though it sits in no box: for our own code that reads what servers send."""
    without_privileges: bool = True
    """Whether root's capabilities go too."""
    limits: Limits | None = None

    def told(self) -> str:
        """As one argument of a command."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, told: str) -> Confinement:
        """The inverse of `told`."""
        data = json.loads(told)
        for name in ("read", "write", "devices"):
            data[name] = tuple(data[name])
        limits = data.pop("limits")
        return cls(**data, limits=Limits(**limits) if limits else None)


SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders of the system that a program needs. Some are links into the first on most machines."""
SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/mime.types",
    "/etc/alternatives",
)
"""All that is seen of /etc."""


NETWORK_FILES = (
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
)
"""What finding a server and checking its certificate needs."""


def interpreter() -> tuple[tuple[Path, ...], str]:
    """The folders that our Python and the program itself lie in, and the PYTHONPATH that leads there."""
    package = Path(assistant.__file__).absolute().parent
    real = Path(sys.executable).resolve().parent.parent  # names of versions are often links
    own = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), real]
    sites = [Path(one) for one in sys.path if Path(one).name in ("site-packages", "dist-packages")]
    outside = [one for one in sites if not any(one.is_relative_to(root) for root in (*own, Path("/usr")))]
    search = [*outside]
    if package.parent not in sites:
        search.insert(0, package.parent)  # a checkout: of its folder only the package is shown
    places = [one for one in dict.fromkeys([*own, *outside, package]) if not one.is_relative_to("/usr")]
    return tuple(places), ":".join(str(one) for one in search)


def too_heavy(folder: Path, limits: Limits) -> bool:
    """Whether the folder holds more than `limits` allow. Follows no link."""
    size = count = 0
    waiting = [folder]
    while waiting:
        try:
            found = list(waiting.pop().iterdir())
        except OSError:
            continue
        for one in found:
            try:
                stat = one.lstat()
            except OSError:
                continue
            count += 1
            size += max(stat.st_blocks * 512, 0)
            if size > limits.folder_bytes or count > limits.folder_files:
                return True
            if one.is_dir() and not one.is_symlink():
                waiting.append(one)
    return False
