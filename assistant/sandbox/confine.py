"""What a process gives up, for good, before code runs in it that nobody vouches for. Called by the process itself."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from contextlib import suppress

from assistant.sandbox import landlock, seccomp
from assistant.sandbox.reach import NETWORK_FILES, SYSTEM, SYSTEM_FILES, Confinement, Limits

_PDEATHSIG, _CAPBSET_DROP = 1, 24
_KILL = 9
_CAPABILITIES_V3 = 0x20080522
_MOST_CAPABILITIES = 64
_FIRST_TO_GO = "600"
"""When memory runs out the system ends this process before any that people wait for (proc(5), oom_score_adj)."""
_HARMLESS_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_OF_THE_MACHINE = ("/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system/cpu")


def enter(confinement: Confinement) -> None:
    """Give it up. Call it while there is one thread. Raises OSError where a part that must hold can't be had."""
    if not sys.platform.startswith("linux"):
        _limit(confinement.limits)
        return
    library = ctypes.CDLL(None, use_errno=True)
    if not confinement.boxed:
        library.prctl(_PDEATHSIG, _KILL, 0, 0, 0)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_FIRST_TO_GO)
    if confinement.without_privileges:
        _drop_capabilities(library)
    if confinement.landlock:
        own = f"/proc/{os.getpid()}"
        read = [*SYSTEM, *SYSTEM_FILES, *_OF_THE_MACHINE, own, *confinement.read]
        read += NETWORK_FILES if confinement.network else ()
        landlock.restrict(
            read=read,
            write=confinement.write,
            devices=[*_HARMLESS_DEVICES, *confinement.devices],
            network=confinement.boxed or confinement.network,
        )
    _limit(confinement.limits)
    if confinement.seccomp:
        seccomp.restrict(boxed=confinement.boxed, network=confinement.network)


def _drop_capabilities(library: ctypes.CDLL) -> None:
    """Whatever root may, this process may not any more."""
    for capability in range(_MOST_CAPABILITIES):
        if library.prctl(_CAPBSET_DROP, capability, 0, 0, 0):
            break
    header = struct.pack("=Ii", _CAPABILITIES_V3, 0)
    library.capset(header, bytes(24))


def _limit(limits: Limits | None) -> None:
    if limits is None:
        return
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return
    wanted = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))
    with suppress(OSError):
        os.nice(5)
