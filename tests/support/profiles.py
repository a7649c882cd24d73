"""A profile without its sentence models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.vectors import Nearest


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
