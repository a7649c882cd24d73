"""Sentence models for tests of the profile: none, or ones that are still being loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from assistant.vectors import EMPTY, Nearest


class NoEmbedder:
    """`ports.Embedder` where no model is installed."""

    ready = False
    version = ""

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Nobody asks."""
        raise AssertionError(texts)

    async def nearest(self, file: Path, query: str, *, limit: int, among: Sequence[int] = ()) -> Nearest:
        """Nobody asks."""
        raise AssertionError(query)


class SlowEmbedder:
    """Finds nothing near, and not before `loaded` is set; `asked` counts the searches that were answered."""

    version = "slow"

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.asked = 0
        self.loaded = asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        return [EMPTY for _ in texts]

    async def nearest(self, file: Path, query: str, *, limit: int, among: Sequence[int] = ()) -> Nearest:
        await self.loaded.wait()
        self.asked += 1
        return Nearest()
