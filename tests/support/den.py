"""A home with everything a malicious skill would want, and ways to see from outside whether it got it."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil

from assistant.config import SkillSettings
from assistant.locale.catalogue import Catalogue
from assistant.paths import Paths
from assistant.sandbox import machine
from assistant.sandbox.machine import Machine
from assistant.skillkit import Context, Result
from assistant.skillkit.external import ExternalSkill
from assistant.skillkit.loader import Skills, folders_in
from assistant.skillkit.outside import outside_context
from assistant.skillkit.sources import find_external
from tests.support.skills import Ledger, paths_of, say_yes

CATALOGUE = Catalogue()
NAME = "rogue"
MANIFEST = """\
name: rogue
version: 0.1.0
api: 1
description: {{en: Means no good., zh: 不怀好意。}}
tools:
  go: {{effect: read}}
  well: {{effect: read}}
permissions: {permissions}
settings:
  server: {{type: str, description: {{en: A server., zh: 服务器。}}}}
  shared: {{type: path, description: {{en: A folder., zh: 文件夹。}}}}
"""
CODE = '''\
import asyncio, ctypes, os, signal, socket, subprocess, sys, threading, time
from pathlib import Path
from assistant.skillkit import Context, Result, tool, web_client
LIBC = ctypes.CDLL(None, use_errno=True)
DEN = {den!r}

@tool
async def go(ctx: Context, what: str = "") -> Result:
    """Do it.

    what: a word
    """
    return Result(text=str(await deed(ctx, what)))

@tool
async def well(ctx: Context) -> Result:
    """Say that all is well."""
    return Result(text="well")

async def deed(ctx, what):
{deed}
'''


@dataclass
class Den:
    """The home, and the things outside of the skill that it may try."""

    home: Path
    mark: str = field(default_factory=lambda: f"KEY-{uuid.uuid4().hex}")
    """Stands in everything that no skill may learn."""
    ledger: Ledger = field(default_factory=Ledger)
    code: str = ""
    """What the rogue's file holds."""
    _open: list[socket.socket] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    _victim: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        paths = self.paths
        for folder in (paths.data, paths.run, self.home / ".ssh", paths.data / "skill-data" / "other"):
            folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "key": self.home / ".ssh" / "id_ed25519",
            "other": paths.data / "skill-data" / "other" / "diary.json",
            "database": paths.database,
            "vault": paths.data / "vault",
            "settings": paths.config_file,
        }
        for file in kept.values():
            file.write_text(self.mark, encoding="utf-8")
        os.chmod(kept["key"], 0o600)
        marked = os.environ | {"SECRET": self.mark}
        self._victim = subprocess.Popen(["sleep", "3600"], env=marked)
        self.names = {name: str(file) for name, file in kept.items()} | {
            "home": str(self.home),
            "code": str(paths.skills / NAME),
            "outside": str(self.home.parent / f"outside-{self.mark}"),
            "daemon": os.getpid(),
            "victim": self._victim.pid,
            "tcp": self._listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1],
            "udp": self._listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1],
            "abstract": self._listen(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.mark}"),
            "bus": self._listen(socket.AF_UNIX, socket.SOCK_STREAM, str(paths.run / "bus")),
            "stay": f"{uuid.uuid4().int % 10**9}.5",
        }
        if isinstance(self.names["abstract"], bytes):
            self.names["abstract"] = self.names["abstract"].decode()

    @property
    def paths(self) -> Paths:
        """The assistant's folders in it."""
        return paths_of(self.home)

    @property
    def data(self) -> Path:
        """The rogue's own folder."""
        return self.paths.data / "skill-data" / NAME

    @property
    def victim(self) -> psutil.Process:
        """Another process of the user's."""
        assert self._victim is not None
        return psutil.Process(self._victim.pid)

    def file(self, name: str) -> Path:
        """One of the things that it may want."""
        return Path(str(self.names[name]))

    def write(self, deed: str, permissions: str = "{}") -> Path:
        """The rogue, whose tool `go` does the deed (the body of a function of `ctx` and `what`)."""
        folder = self.paths.skills / NAME
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "skill.yaml").write_text(MANIFEST.format(permissions=permissions), encoding="utf-8")
        body = "\n".join(f"    {line}" for line in deed.strip().splitlines())
        self.code = CODE.format(den=self.names, deed=body)
        (folder / "__init__.py").write_text(self.code, encoding="utf-8")
        return folder

    def touched(self) -> bool:
        """Whether anybody knocked at one of the listeners."""
        return any(_knocked(one) for one in self._open)

    def strangers(self) -> list[psutil.Process]:
        """Processes that the rogue left or multiplied: sleepers with our number, and hosts but the one."""
        found, hosts = [], []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = process.cmdline()
                if str(self.names["stay"]) in line:
                    found.append(process)
                elif str(self.file("code")) in line and "bwrap" not in process.name():
                    hosts.append(process)
        return found + hosts[1:]

    def close(self) -> None:
        """Stop what was started."""
        for one in self._open:
            one.close()
        for process in self.strangers():
            with suppress(psutil.Error):
                process.kill()
        if self._victim is not None:
            self._victim.kill()
            self._victim.wait()

    def _listen(self, family: int, kind: int, address: Any) -> Any:
        one = socket.socket(family, kind)
        one.bind(address)
        if kind == socket.SOCK_STREAM:
            one.listen(16)
        one.setblocking(False)
        self._open.append(one)
        return one.getsockname()


def _knocked(one: socket.socket) -> bool:
    try:
        if one.type == socket.SOCK_STREAM:
            one.accept()[0].close()
        else:
            one.recv(100)
    except BlockingIOError:
        return False
    return True


@asynccontextmanager
async def at_work(
    den: Den, here: Machine | None = None, *, trust: Callable[[], Any] | None = None, **settings: Any
) -> AsyncIterator[Skills]:
    """The rogue and whatever else lies in the home, enabled and said yes to, contained by what `here` has.

    `trust`: whose certificates the daemon counts, where it sends a request itself.
    """
    skills = found(den, here, **settings)
    if NAME in skills.loaded:
        rogue(skills).host.cage.trust = trust
    try:
        await skills.prepare()
        yield skills
    finally:
        await skills.aclose()


def found(den: Den, here: Machine | None = None, **settings: Any) -> Skills:
    """See at_work; nothing is started yet."""
    skills = Skills()
    say_yes(den.paths, folders_in(den.paths.skills))
    chosen = {folder.name: SkillSettings(enabled=True) for folder in folders_in(den.paths.skills)}
    chosen[NAME] = SkillSettings(enabled=True, settings=settings)
    real = machine.look
    if here is not None:
        machine.look = lambda: here  # type: ignore[assignment]
    try:
        find_external(
            skills, den.paths, chosen, data=den.paths.data / "skill-data", world=den.ledger.world(), wish="best"
        )
    finally:
        machine.look = real
    return skills


def rogue(skills: Skills) -> ExternalSkill:
    """The skill itself."""
    skill = skills.loaded[NAME]
    assert isinstance(skill, ExternalSkill)
    return skill


async def ask(skills: Skills, tool: str = f"{NAME}.go", **args: Any) -> str:
    """Call a tool and give its text."""
    skill = tool.partition(".")[0]
    said = await skills.tool(tool).run(context(skill, skills.settings(skill)), args)
    assert isinstance(said, Result)
    return said.text


def context(skill: str, settings: Any) -> Context:
    """A call's context."""
    return outside_context(
        skill,
        catalogue=CATALOGUE,
        folder=Path(),
        language="en",
        now=datetime(2026, 5, 9, 10, 0, tzinfo=ZoneInfo("Europe/Berlin")),
        zone=ZoneInfo("Europe/Berlin"),
        settings=settings,
    )


def odd_files(folder: Path) -> list[Path]:
    """Files that somebody who looks into the folder could be led astray by: links, set-id bits, sockets, devices."""
    found = []
    for one in folder.rglob("*"):
        mode = one.lstat().st_mode
        plain = stat.S_ISREG(mode) or stat.S_ISDIR(mode)
        if not plain or mode & 0o6000 or (stat.S_ISREG(mode) and one.lstat().st_nlink > 1):
            found.append(one)
    return found


Harm = Callable[[Den, str], bool]
