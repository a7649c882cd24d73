"""Sentence models for tests of the profile: none, or ones that take their time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from assistant.vectors import EMPTY, Nearest


class SlowEmbedder:
    """Finds nothing near, after `seconds`; `asked` counts the searches that were answered."""

    version = "slow"

    def __init__(self, *, ready: bool = True, seconds: float = 0.0) -> None:
        self.ready = ready
        self.asked = 0
        self._seconds = seconds

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        return [EMPTY for _ in texts]

    async def nearest(self, file: Path, query: str, *, limit: int, among: Sequence[int] = ()) -> Nearest:
        await asyncio.sleep(self._seconds)
        self.asked += 1
        return Nearest()
