"""The profile's failpoints: what was told as kept is there, once; what was being forgotten is known no more."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from assistant.events import Reply
from bench.faults.dying import GONE, WITHIN_S, died, dying, start_dying, tell
from bench.faults.wishes import rows
from bench.form import ROOT, Home

_FACT = "remember that I live in Hamburg"


def remembering(home: Home, name: str, folder: Path) -> str:
    """A fact: with its words or not at all; there if acknowledged; once, also when it is told again."""
    start_dying(home, name)
    events = asyncio.run(tell(home, _FACT))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    there, words = _known(home), _words(home)
    if there != words or there > 1 or (any(isinstance(event, Reply) for event in events) and not there):
        return f"known {there} times, with words {words} times"
    if there != (name == "profile.kept"):
        return f"known {there} times"
    asyncio.run(tell(home, _FACT))
    return "" if _known(home) == 1 else f"known {_known(home)} times after it was told again"


def forgetting(home: Home, name: str, folder: Path) -> str:
    """What was being forgotten is known no more, and no copy is left that it could come back from."""
    home.start(WITHIN_S)
    asyncio.run(tell(home, _FACT))
    home.stop()
    start_dying(home, name)
    asyncio.run(tell(home, "forget that I live in Hamburg"))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    left = [str(file) for file in (home.paths.data / "backups").glob("*.db") if b"Hamburg" in file.read_bytes()]
    return f"known {_known(home)} times, in {left}" if _known(home) or _words(home) or left else ""


def tidying(home: Home, name: str, folder: Path) -> str:
    """A night that is cut off has done nothing, and the next one does all of it."""
    home.start(WITHIN_S)
    for said in ("remember that I like cats", "remember that I like cat"):
        asyncio.run(tell(home, said))
    home.stop()
    start_dying(home, name)
    asyncio.run(_tidied(home))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    if _folded(home) or len(rows(home.paths, "SELECT 1 FROM facts")) != 2:
        return "a half of it is there"
    asyncio.run(_tidied(home))
    return "" if _folded(home) == 1 else f"{_folded(home)} are folded the next time"


async def _tidied(home: Home) -> None:
    with contextlib.suppress(*GONE):
        async with home.client() as client:
            await client.profile.tidy()


def _folded(home: Home) -> int:
    return len(rows(home.paths, "SELECT 1 FROM facts WHERE folded"))


def _known(home: Home) -> int:
    return len(rows(home.paths, "SELECT 1 FROM facts WHERE value = 'Hamburg'"))


def _words(home: Home) -> int:
    return len(rows(home.paths, "SELECT 1 FROM evidence WHERE text LIKE '%Hamburg%'"))


def reading(home: Home, name: str, folder: Path) -> str:
    """What the model reads: read again where it was cut off before it was kept, and kept once."""
    ours = folder / "reader"
    ours.mkdir()
    with dying(name):
        ended = _read(ours)
    if ended != -signal.SIGKILL:
        return f"was not killed: {ended}"
    if _held(ours) != (0, 1):
        return f"facts and unread turns after the kill: {_held(ours)}"
    for _ in range(2):
        _read(ours)
        if _held(ours) != (1, 0):
            return f"facts and unread turns after it was read again: {_held(ours)}"
    return ""


def _read(folder: Path) -> int:
    return subprocess.run([sys.executable, "-m", "bench.faults.reader", str(folder)], cwd=ROOT, timeout=60).returncode


def _held(folder: Path) -> tuple[int, int]:
    with contextlib.closing(sqlite3.connect(folder / "assistant.db")) as db:
        [(facts, unread)] = db.execute("SELECT (SELECT count(*) FROM facts), (SELECT count(*) FROM evidence_unread)")
    return facts, unread
