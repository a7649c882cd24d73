"""Seccomp: system calls that this process may not make any more, as a filter in the kernel (seccomp(2)).

A list of what is denied: a program in Python needs most calls, and a kernel that is newer than the list must not break
it. libseccomp's only Python binding has had no release since 2021, and the filter is short, so it is written here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from assistant.sandbox.syscalls import MACHINES, X86_64, number

_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_SET_MODE_FILTER, _TSYNC, _NO_NEW_PRIVS, _GET_SECCOMP = 1, 1, 38, 21
_SECCOMP = {"x86_64": 317, "aarch64": 277}

_THREAD = 0x00010000  # CLONE_THREAD
_SET_IDS = 0o6000
_CREATES = (0o100, 0o20000000)  # O_CREAT, O_TMPFILE's own bit
_STEERING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: typing into somebody's terminal
_PDEATHSIG = 1
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16


@dataclass(frozen=True)
class If:
    """`argument & mask` is (or with `other`, is not) `value`."""

    argument: int
    value: int
    mask: int = 0xFFFFFFFF
    other: bool = False


@dataclass(frozen=True)
class Denied:
    """A call that fails with `error` where all conditions of one of the alternatives hold; without any: always."""

    error: int = errno.EPERM
    where: tuple[tuple[If, ...], ...] = ((),)


_ALWAYS = (
    # other processes
    "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_open pidfd_getfd pidfd_send_signal tkill "
    "setpgid setsid execve execveat fork vfork "
    # the kernel's own machinery
    "bpf perf_event_open userfaultfd keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register "
    "kexec_load kexec_file_load init_module finit_module delete_module lookup_dcookie syslog "
    # the tree of folders, namespaces
    "mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr "
    "unshare setns name_to_handle_at open_by_handle_at fanotify_init fanotify_mark quotactl quotactl_fd "
    # the machine
    "swapon swapoff reboot sethostname setdomainname settimeofday clock_settime clock_adjtime adjtimex acct iopl "
    "ioperm modify_ldt vhangup personality vmsplice migrate_pages move_pages "
    # what other processes share
    "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink "
    # who it is
    "setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid capset "
    # links that would lead somebody else astray
    "symlink symlinkat mknod mknodat"
).split()
_OF_ANY_FILE = (
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat truncate utime utimes utimensat futimesat "
    "setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat file_setattr"
).split()
"""Landlock does not guard owners, modes and times: without a box of its own they are left as they are."""


def known() -> bool:
    """Whether this machine's calls are known here and its kernel has filters."""
    if os.uname().machine not in MACHINES:
        return False
    return bool(ctypes.CDLL(None).prctl(_GET_SECCOMP, 0, 0, 0, 0) >= 0)  # EINVAL where the kernel has none


def rules(*, boxed: bool, pid: int, network: bool = False) -> dict[str, Denied]:
    """What is denied, by the call's name. `boxed`: in namespaces of its own, where the network is an empty one;
    `network`: in no box, and yet with sockets."""
    denied = {name: Denied() for name in _ALWAYS}
    own = If(0, pid, other=True)
    denied |= {name: Denied(where=((own,),)) for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")}
    denied |= {
        name: Denied(where=((own, If(0, 0, other=True)),))
        for name in ("prlimit64", "sched_setscheduler", "sched_setparam", "sched_setattr")
    }
    denied |= {name: Denied(where=((If(1, 0, other=True),),)) for name in ("setpriority", "ioprio_set")}
    denied["clone"] = Denied(where=((If(0, 0, mask=_THREAD),),))
    # The flags of these lie in memory, where a filter can't look: libraries fall back to the older call.
    denied |= {name: Denied(errno.ENOSYS) for name in ("clone3", "openat2")}
    denied["ioctl"] = Denied(where=tuple((If(1, one),) for one in _STEERING))
    denied["prctl"] = Denied(where=((If(0, _PDEATHSIG),),))
    families = tuple(If(0, family, other=True) for family in (_UNIX, _INET, _INET6))
    if network:  # name resolution asks the kernel for its addresses first
        families = (*families, If(0, _NETLINK, other=True))
    open_to = boxed or network
    denied["socket"] = Denied(errno.EAFNOSUPPORT, (families,)) if open_to else Denied(errno.EACCES)
    for name, flags, mode in (("open", 1, 2), ("openat", 2, 3)):
        sets = If(mode, 0, mask=_SET_IDS, other=True)
        denied[name] = Denied(where=tuple((If(flags, 0, mask=one, other=True), sets) for one in _CREATES))
    for name, mode in (("creat", 1), ("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2)):
        denied[name] = Denied(where=((If(mode, 0, mask=_SET_IDS, other=True),),))
    if not boxed:
        denied |= {name: Denied() for name in _OF_ANY_FILE}
    return denied


def program(denied: dict[str, Denied], machine: str) -> bytes:
    """The filter, in the kernel's own instructions."""
    known = MACHINES[machine]
    lines = [_line(_LOAD, _ARCHITECTURE), _line(_EQUAL, known, 1, 0), _line(_RETURN, _KILL), _line(_LOAD, _NUMBER)]
    if known == X86_64:
        lines += [_line(_AT_LEAST, _X32, 0, 1), _line(_RETURN, _ERRNO | errno.ENOSYS)]
    for name, one in denied.items():
        called = number(name, machine)
        if called is not None:
            block = _block(one)
            lines += [_line(_EQUAL, called, 0, len(block)), *block]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _block(denied: Denied) -> list[bytes]:
    """What is done with one call: its end is reached with the verdict."""
    block: list[bytes] = []
    for conditions in denied.where:
        tests: list[bytes] = []
        for index, one in enumerate(conditions):
            rest = 3 * (len(conditions) - index - 1) + 1  # instructions up to and with this alternative's verdict
            hit, miss = (rest, 0) if one.other else (0, rest)
            tests += [
                _line(_LOAD, _ARGUMENTS + 8 * one.argument),
                _line(_AND, one.mask),
                _line(_EQUAL, one.value, hit, miss),
            ]
        block += [*tests, _line(_RETURN, _ERRNO | denied.error)]
    return [*block, _line(_RETURN, _ALLOW)]


def _line(code: int, operand: int, hit: int = 0, miss: int = 0) -> bytes:
    return struct.pack("=HBBI", code, hit, miss, operand)


def restrict(*, boxed: bool, network: bool = False) -> None:
    """Take the calls away from this whole process, for good. Raises OSError where the kernel refuses."""
    machine = os.uname().machine
    code = program(rules(boxed=boxed, pid=os.getpid(), network=network), machine)
    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    handed = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(buffer))
    if library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or library.syscall(
        ctypes.c_long(_SECCOMP[machine]), ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_TSYNC), handed
    ):
        error = ctypes.get_errno()
        raise OSError(error, f"seccomp: {os.strerror(error)}")
