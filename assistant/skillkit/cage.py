"""How one skill that is not bundled is contained: what it is started with, its way to the network, its folder."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from assistant.errors import SkillFailed
from assistant.sandbox import relay
from assistant.sandbox.bubblewrap import boxed
from assistant.sandbox.machine import Machine
from assistant.sandbox.proxy import Passed, Proxy
from assistant.sandbox.reach import Confinement, Limits, interpreter, too_heavy
from assistant.skillkit.permitted import Permitted, kept_as
from assistant.skillkit.problems import Fault
from assistant.skillkit.tally import Tally

Wish = Literal["required", "best"]
"""The setting `sandbox.skills`."""
_NET = "/run/net"
_OWN_TEMPORARY = ".tmp"
_LONGEST_SOCKET = 100


@dataclass(frozen=True)
class World:
    """The program's side of what skills outside it reach."""

    secret: Callable[[str], Awaitable[str | None]]
    """A secret's value by the name it is kept under."""
    record: Callable[..., None]
    """Appends to the audit."""


@dataclass
class Cage:
    """One skill's."""

    skill: str
    folder: Path
    data: Path
    permitted: Permitted
    machine: Machine
    run: Path
    """Where its socket lies."""
    world: World
    unchanged: Callable[[], None]
    """Raises Fault where the skill is not any more what the user said yes to."""
    limits: Limits = field(default_factory=Limits)
    trust: Callable[[], Any] | None = None
    """See Proxy."""
    _proxy: Proxy | None = None
    _tally: Tally | None = None

    async def open(self) -> None:
        """Before its process starts. Raises SkillFailed where it must not, OSError."""
        try:
            await asyncio.to_thread(self.unchanged)
        except Fault as fault:
            raise SkillFailed(fault.code, **(fault.data | {"name": self.skill, "folder": str(self.folder)})) from fault
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self.check_weight()
        for one in self.permitted.write:
            one.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.machine.kind != "boxed":
            (self.data / _OWN_TEMPORARY).mkdir(exist_ok=True, mode=0o700)
        elif self.permitted.places and self._proxy is None:
            await self._serve()

    async def aclose(self) -> None:
        """After its process ended for good."""
        if self._proxy is not None:
            await self._proxy.aclose()
            self._proxy = None
            with contextlib.suppress(OSError):
                self._socket.unlink()
                self._socket.parent.rmdir()
        if self._tally is not None:
            self._tally.flush()

    async def check_weight(self) -> None:
        """Raises SkillFailed where its folder holds more than it may."""
        if await asyncio.to_thread(too_heavy, self.data, self.limits):
            megabytes = self.limits.folder_bytes >> 20
            raise SkillFailed(
                "skillkit.folder_full",
                skill=self.skill,
                folder=str(self.data),
                megabytes=megabytes,
                files=self.limits.folder_files,
            )

    def crashed(self, code: str) -> None:
        """Count the end of its process that nobody wished."""
        self.world.record("skill_crash", skill=self.skill, reason=code)

    def flush(self) -> None:
        """Write down what it reached until now."""
        if self._tally is not None:
            self._tally.flush()

    def command(self) -> list[str]:
        """What starts its host."""
        places, _ = interpreter()
        read = [*places, self.folder, *self.permitted.read]
        write = [self.data, *self.permitted.write]
        # -P: a file in the working folder must not stand in for a module; -s: nor the user's own packages.
        host = [sys.executable, "-P", "-s", "-m", "assistant.skillkit.host", str(self.folder)]
        host += ["--data", str(self.data), "--json", "--confine", self._confinement(read, write).told()]
        if not self.machine.bubblewrap:
            return host
        return boxed(
            self.machine.bubblewrap,
            host,
            read=read,
            write=write,
            mounted={self._socket.parent: _NET} if self._proxy else {},
            environment=self.environment(),
            folder=self.data,
        )

    def environment(self) -> dict[str, str]:
        """All that it gets of our environment: where programs are, and the language. No home, no secrets."""
        home = "/tmp" if self.machine.bubblewrap else str(self.data / _OWN_TEMPORARY)
        found = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "HOME": home,
            "TMPDIR": home,
            "PYTHONPATH": interpreter()[1],
            "ASSISTANT_SKILL": self.skill,
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return found | (relay.environment() if self._proxy else {})

    def _confinement(self, read: list[Path], write: list[Path]) -> Confinement:
        kind = self.machine.kind
        return Confinement(
            read=tuple(str(one) for one in read) + ((_NET, "/proc") if kind == "boxed" else ()),
            write=tuple(str(one) for one in write) + (("/tmp",) if self.machine.bubblewrap else ()),
            boxed=bool(self.machine.bubblewrap),
            landlock=self.machine.landlock > 0,
            seccomp=self.machine.seccomp,
            limits=self.limits,
        )

    @property
    def _socket(self) -> Path:
        folder = self.run / "net" / self.skill
        if len(os.fsencode(folder / "proxy.sock")) > _LONGEST_SOCKET:
            folder = self.run / "net" / hashlib.sha256(self.skill.encode()).hexdigest()[:8]
        return folder / "proxy.sock"

    async def _serve(self) -> None:
        self._tally = self._tally or Tally(self.skill, self.world.record)
        self._socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._proxy = Proxy(
            allowed=self.permitted.places,
            secrets=self.permitted.secrets or {},
            secret=self._secret,
            note=self._note,
            trust=self.trust,
        )
        await self._proxy.start(self._socket)

    async def _secret(self, name: str) -> str | None:
        return await self.world.secret(kept_as(self.skill, name))

    def _note(self, passed: Passed) -> None:
        if self._tally is not None:
            self._tally.add(passed)
