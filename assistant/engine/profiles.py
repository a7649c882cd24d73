"""Ways to run a model, fastest first. One that kills the process on this machine gives way to the next, safer one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What of llama.cpp is switched on."""

    name: str
    extra_buffers: bool
    """Weights repacked for AMX, AVX-512 or NEON kernels; the AMX ones die at `ldtilecfg` on some virtual machines."""
    flash_attention: bool
    mmap: bool
    one_thread_prefill: bool


PROFILES: tuple[Profile, ...] = (
    Profile("fast", extra_buffers=True, flash_attention=True, mmap=True, one_thread_prefill=False),
    Profile("no-extra-buffers", extra_buffers=False, flash_attention=True, mmap=True, one_thread_prefill=False),
    Profile("plain", extra_buffers=False, flash_attention=False, mmap=False, one_thread_prefill=True),
)


def profile(name: str) -> Profile:
    """The profile of that name. Raises KeyError."""
    for known in PROFILES:
        if known.name == name:
            return known
    raise KeyError(name)
