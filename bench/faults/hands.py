"""The failpoints of what users do to their profile: a correction, an import, an export is there whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from assistant.client import Client
from bench.faults.dying import GONE, WITHIN_S, died, start_dying, tell
from bench.faults.wishes import rows
from bench.form import Home

_FACT = "remember that I live in Hamburg"
_LINES = (
    "# What the assistant knows about you\n\n## What you like\n- You like figs. *(2026-03-01)*\n- You like dates.\n"
)


def editing(home: Home, name: str, folder: Path) -> str:
    """A correction: what was known before holds until the new value does; made again, it is there once."""
    home.start(WITHIN_S)
    asyncio.run(tell(home, _FACT))
    home.stop()
    if not _dies(home, name, _edit):
        return "was not killed"
    if _holding(home) != ["Hamburg"]:
        return f"after the kill {_holding(home)} holds"
    asyncio.run(_asked(home, _edit))
    return "" if _holding(home) == ["Bremen"] else f"made again, {_holding(home)} holds"


def importing(home: Home, name: str, folder: Path) -> str:
    """An import: all of it or nothing; made again, all is there once."""
    file = folder / "profile.md"
    file.write_text(_LINES, encoding="utf-8")

    async def take(client: Client) -> None:
        await client.profile.take(str(file))

    if not _dies(home, name, take):
        return "was not killed"
    if _holding(home) or rows(home.paths, "SELECT 1 FROM evidence"):
        return f"half of it is there: {_holding(home)}"
    asyncio.run(_asked(home, take))
    return "" if _holding(home) == ["dates", "figs"] else f"made again, {_holding(home)} holds"


def exporting(home: Home, name: str, folder: Path) -> str:
    """An export: whole or not there, nothing half made beside it, and it can be made again."""
    file = folder / "profile.json"
    home.start(WITHIN_S)
    asyncio.run(tell(home, _FACT))
    home.stop()

    async def export(client: Client) -> None:
        await client.profile.export("json", str(file))

    if not _dies(home, name, export):
        return "was not killed"
    if file.exists() != (name == "profile.export.placed"):
        return f"it is there: {file.exists()}"
    if left := list(folder.glob(".*.tmp")):
        return f"half made: {left}"
    asyncio.run(_asked(home, export))
    return "" if "Hamburg" in file.read_text(encoding="utf-8") else "it can't be made again"


def correcting(home: Home, name: str, folder: Path) -> str:
    """What is forgotten leaves an export too: cut off, it is still known; asked again, it is gone everywhere."""
    file = folder / "profile.json"
    home.start(WITHIN_S)
    asyncio.run(tell(home, _FACT))

    async def export(client: Client) -> None:
        await client.profile.export("json", str(file))

    async def forget(client: Client) -> None:
        for one in await client.profile.facts():
            await client.profile.forget(str(one["id"]))

    asyncio.run(_asked(home, export))
    home.stop()
    if not _dies(home, name, forget):
        return "was not killed"
    if _holding(home) != ["Hamburg"]:
        return "it is forgotten, and its copies are not"
    asyncio.run(_asked(home, forget))
    left = [one.name for one in folder.rglob("*") if one.is_file() and b"Hamburg" in one.read_bytes()]
    return f"still in {left}" if _holding(home) or left else ""


async def _edit(client: Client) -> None:
    [one] = await client.profile.facts()
    await client.profile.edit(str(one["id"]), "Bremen")


def _dies(home: Home, name: str, do: Callable[[Client], Awaitable[None]]) -> bool:
    """Whether the daemon dies at it; then it is started again."""
    start_dying(home, name)
    asyncio.run(_asked(home, do))
    if not died(home):
        return False
    home.start(WITHIN_S)
    return True


async def _asked(home: Home, do: Callable[[Client], Awaitable[None]]) -> None:
    with contextlib.suppress(*GONE):
        async with home.client() as client:
            await do(client)


def _holding(home: Home) -> list[str]:
    return sorted(str(one) for (one,) in rows(home.paths, "SELECT value FROM facts WHERE valid_to IS NULL"))
