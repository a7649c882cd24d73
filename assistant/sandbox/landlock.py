"""Landlock: a process limits itself to folders, for good (landlock(7)). Three system calls, by ctypes.

The one library for it on PyPI is two releases of one week; the interface of the kernel is fixed and small.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
# Links, sockets, pipes and device files can't be made at all: who looks into the folder later must not be led astray.
_WRITE = _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_FILES_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_TCP = 0b11
_SCOPES = 0b11
"""Abstract sockets of, and signals to, processes outside."""


def abi() -> int:
    """The version that the kernel offers; 0 where there is none."""
    try:
        return max(_call(_CREATE, None, 0, _VERSION_FLAG), 0)
    except (OSError, AttributeError):
        return 0


def restrict(
    *, read: Iterable[str], write: Iterable[str], devices: Iterable[str] = (), network: bool, handled: int = 0
) -> None:
    """Let this thread, and all that it starts, reach these paths alone; what isn't there is left out.

    `network` leaves TCP alone. Raises OSError where the kernel refuses: then nothing is restricted.
    """
    version = handled or abi()
    files = _FILES_BY_ABI.get(version, (1 << 16) - 1)
    attributes = struct.pack("=QQQ", files, 0 if network else _TCP, _SCOPES)
    attributes = attributes[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _call(_CREATE, attributes, len(attributes), 0)
    try:
        for rights, paths in ((_READ, read), (_WRITE, write), (_READ | _WRITE_FILE | _IOCTL_DEV, devices)):
            for path in paths:
                with suppress(FileNotFoundError, PermissionError, NotADirectoryError):
                    _allow(ruleset, path, rights & files)
        if ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs")
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        _call(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result: int = library.syscall(ctypes.c_long(number), *given)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
