"""The daemon's end of the extraction process: one for many files, killed when one of them takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.skillkit import fenced_python

_FILE_S = 60.0
_LINE_LIMIT = 1 << 20
_START = "import sys; sys.path.append(sys.argv[1]); from extraction.child import main; main()"
HEADING = "# "
"""What a line that is a heading begins with (`extraction.blocks`)."""
_KEPT = (
    "PATH",
    "HOME",
    "USERPROFILE",
    "SYSTEMROOT",
    "LANG",
    "TMPDIR",
    "TEMP",
    "PYTHONPATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
)


@dataclass(frozen=True)
class Passage:
    """Neighbouring lines of a file."""

    place_kind: str
    """page, sheet, slide, line, or nothing where the format has no places."""
    place: str
    heading: str
    lines: tuple[str, ...]

    def section(self, at: int) -> str:
        """The heading that governs a line."""
        above = (line for line in reversed(self.lines[: at + 1]) if line.startswith(HEADING))
        return next(above, "").removeprefix(HEADING) or self.heading

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines)


@dataclass
class Extracted:
    """What came out of one file."""

    passages: list[Passage] = field(default_factory=list)
    problem: str = ""
    """encrypted, large, broken, slow, gone, denied, empty, or cut where only its beginning was read."""


class Reader:
    """Reads files below `folders` in a process of its own. Use as `async with Reader(folders) as reader`."""

    def __init__(self, folders: Sequence[Path], *, file_s: float = _FILE_S) -> None:
        self._folders = folders
        self._file_s = file_s
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    @property
    def pid(self) -> int | None:
        """The process that reads now."""
        return self._process.pid if self._process else None

    async def read(self, path: Path, kind: str) -> Extracted:
        """The passages of a file. Never raises for what the file does; OSError where no process can be started."""
        found = Extracted()
        try:
            async with asyncio.timeout(self._file_s):
                async for line in self._ask({"path": str(path), "kind": kind}):
                    if "end" in line:
                        found.problem = line["end"]
                        return found
                    found.passages.append(
                        Passage(line["place_kind"], line["place"], line["heading"], tuple(line["lines"]))
                    )
            problem = "broken"  # it ended in the middle: the parser crashed, or was stopped by its limits
        except TimeoutError:
            problem = "slow"
        except BaseException:
            await self._end()
            raise
        await self._end()
        return Extracted(problem=problem)

    async def _ask(self, request: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        """The lines that answer; none more when the process has ended."""
        process = self._process = self._process or await self._begin()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError, ValueError):  # ValueError: a line beyond all measure, or no JSON
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
            while line := await process.stdout.readline():
                yield json.loads(line)

    async def _begin(self) -> asyncio.subprocess.Process:
        own = Path(__file__).parent
        return await asyncio.create_subprocess_exec(
            *fenced_python(_START, str(own), read=[own, *self._folders]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            limit=_LINE_LIMIT,
        )

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
