"""Broken model files given to the real daemon: each a sentence, never its end."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.client import Client, ConnectionLost, NoAnswer, NotRunning, RemoteProblem
from assistant.events import Failed, Reply
from bench.faults.ggufs import Broken
from bench.form import Home

_READY_S = 60.0
_TURN_S = 150.0
_QUESTION = "why is bread made of flour and what does yeast do"


@dataclass
class Told:
    """What the daemon made of one broken file."""

    what: str
    code: str = ""
    """Of the error; empty where it answered, or said nothing at all."""
    answered: bool = False
    alive: bool = False
    seconds: float = 0.0

    @property
    def typed(self) -> bool:
        """One typed error, or an answer where the damage was harmless to the loader; and the daemon lives."""
        return self.alive and (self.answered or self.code.startswith("engine."))


def feed(model: Path, folder: Path, count: int, seed: int) -> Iterator[Told]:
    """Choose one broken file after the other in a running daemon and ask something that needs a model."""
    models = folder / "models"
    models.mkdir(parents=True)
    kinds = Broken(model, random.Random(seed)).all(count)
    before = os.environ.get("ASSISTANT_MODELS")
    os.environ["ASSISTANT_MODELS"] = str(models)
    try:
        with Home({"engine.request_timeout_s": 60, "engine.threads": 1, "engine.max_output_tokens": 16}) as home:
            for number, (what, write) in enumerate(kinds):
                file = models / f"broken-{number}.gguf"
                write(file)
                _record(models, file)
                told = Told(what)
                began = time.monotonic()
                asyncio.run(_ask(home, file.stem, told))
                told.seconds = time.monotonic() - began
                told.alive = home.wait(0.01) is None
                file.unlink()
                yield told
                if not told.alive:
                    home.start(_READY_S)
    finally:
        if before is None:
            os.environ.pop("ASSISTANT_MODELS", None)
        else:
            os.environ["ASSISTANT_MODELS"] = before


def _record(models: Path, file: Path) -> None:
    known = {file.stem: {"bytes": file.stat().st_size}}
    (models / "installed.json").write_text(json.dumps(known), encoding="utf-8")


async def _ask(home: Home, name: str, told: Told) -> None:
    try:
        async with asyncio.timeout(_TURN_S), home.client() as client:
            await client.use_model(name)
            await _say(client, name, told)
    except (TimeoutError, ConnectionLost, NotRunning, NoAnswer):
        told.code = "none"
    except RemoteProblem as problem:
        told.code = problem.code


async def _say(client: Client, name: str, told: Told) -> None:
    async for event in client.turn(_QUESTION, session=name, surface="api"):
        if isinstance(event, Failed):
            told.code = event.code
        elif isinstance(event, Reply):
            told.answered = True
