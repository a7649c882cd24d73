"""Profiles of their own in a temporary folder, fed through the product's write path and asked through its search."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assistant import paths
from assistant.clock import FrozenClock
from assistant.config import EngineSettings
from assistant.engine.client import Engine
from assistant.engine.embeddings import Embeddings
from assistant.engine.models import ModelStore
from assistant.knowledge import Recalled, Source
from assistant.memory.keeper import KeptProfile
from assistant.ports import LanguageModel
from assistant.skillkit.context import Calm
from assistant.store import open_database

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Home:
    """A profile, and short ways to feed and ask it."""

    profile: KeptProfile
    folder: Path
    clock: FrozenClock
    _names: dict[str, str] = field(default_factory=dict)

    def hear(
        self,
        name: object,
        text: str,
        language: str,
        at: datetime = NOW,
        *,
        origin: Source = "said",
        speaker: str = "",
        thread: str = "bench",
    ) -> str:
        """Feed one turn under a name of the bench's own; its source."""
        source = f"turn:{uuid.uuid4().hex}"
        self._names[source] = str(name)
        self.profile.take_in(text, source, language=language, at=at, origin=origin, speaker=speaker, thread=thread)
        return source

    async def recall(self, query: str, limit: int) -> Sequence[Recalled]:
        """What was found, best first."""
        return await self.profile.recall(query, limit=limit)

    async def ask(self, query: str, limit: int) -> list[str]:
        """The names of what was found, best first."""
        return [self._names[one.evidence.source] for one in await self.recall(query, limit)]


@dataclass
class Workshop:
    """The models of this machine, and a folder for profiles."""

    models: Embeddings
    folder: Path
    model: LanguageModel | None = None
    """The language model that was asked for."""

    @contextmanager
    def home(self, reader: LanguageModel | None = None) -> Iterator[Home]:
        """An empty profile; `reader` reads in the background what was said, None where rules alone shall."""
        with tempfile.TemporaryDirectory(dir=self.folder) as made:
            base = Path(made)
            db = open_database(base / "assistant.db")
            try:
                clock = FrozenClock(NOW)
                yield Home(KeptProfile(db, clock, base / "profile", self.models, Calm(), model=reader), base, clock)
            finally:
                db.close()


@asynccontextmanager
async def workshop(model: str = "", threads: int = 0) -> AsyncIterator[Workshop]:
    """Start nothing yet; end the models' workers afterwards. `model` is an installed language model."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as made:
        base = Path(made)
        own = paths.Paths(base, base / "data", paths.find().models, base / "state", base / "run")
        own.make()
        models = Embeddings(own, ModelStore(own, EngineSettings()), folders=[base])
        settings = EngineSettings(model=model or "auto", threads=threads)
        engine = Engine(own, settings, ModelStore(own, settings)) if model else None
        try:
            yield Workshop(models, base, engine)
        finally:
            await models.aclose()
            if engine is not None:
                await engine.aclose()


def mean(parts: Sequence[float]) -> float | None:
    """Their mean; None for none."""
    return sum(parts) / len(parts) if parts else None
