"""What the machine has: memory, cores, a GPU, disk. Best effort; knows no model."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Hardware:
    """Bytes and counts."""

    ram: int
    cores: int
    gpu: str
    """Its name; empty where none was found."""
    gpu_ram: int
    disk_free: int


def look(folder: Path) -> Hardware:
    """This machine; free disk where `folder` is (or will be)."""
    gpu, gpu_ram = _gpu()
    return Hardware(ram=ram(), cores=cores(), gpu=gpu, gpu_ram=gpu_ram, disk_free=disk_free(folder))


def ram() -> int:
    """Bytes of memory this process may use: the machine's, or its container's limit."""
    import psutil  # costs a start 13 ms, and no start needs it

    total = int(psutil.virtual_memory().total)
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return total


def cores() -> int:
    """Physical cores this process may run on, at least one."""
    import psutil

    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, min(physical, allowed))


def disk_free(folder: Path) -> int:
    """Free bytes on the disk of `folder` or its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _gpu() -> tuple[str, int]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "", 0
    try:
        answer = subprocess.run(
            [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        name, _, megabytes = answer.stdout.splitlines()[0].rpartition(",")
        return name.strip(), int(megabytes) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return "", 0
