"""A daemon that dies at a failpoint, what it is told meanwhile, and what it has to tell when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from assistant.client import ConnectionLost, NoAnswer, NotRunning
from assistant.events import Event
from assistant.failpoint import VARIABLE
from bench.faults.wishes import Wish, say
from bench.form import Home

GONE = (ConnectionLost, NotRunning, NoAnswer)
"""What a client meets when the daemon is away."""
WITHIN_S = 120.0


def scripted(folder: Path) -> dict[str, object]:
    """Settings of a daemon without a model."""
    script = folder / "script"
    script.write_text("reply: Hello.\n", encoding="utf-8")
    return {"engine.model": f"scripted:{script}"}


@contextlib.contextmanager
def dying(name: str) -> Iterator[None]:
    """Processes started meanwhile die at the failpoint."""
    os.environ[VARIABLE] = f"{name}:kill"
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def start_dying(home: Home, name: str, *, until_ready: bool = True) -> None:
    """Start a daemon that will die at the failpoint."""
    with dying(name):
        home.spawn()
    if until_ready:
        home.wait_ready(WITHIN_S)


def died(home: Home) -> bool:
    """Whether it ends by SIGKILL, soon."""
    return home.wait(WITHIN_S) == -signal.SIGKILL


async def tell(home: Home, text: str, session: str = "edge") -> list[Event]:
    """One turn's events, as many as came before the daemon went away."""
    events: list[Event] = []
    with contextlib.suppress(*GONE):
        async with home.client() as client:
            async for event in client.turn(text, session=session, surface="api"):
                events.append(event)  # noqa: PERF401 - what came before the end counts
    return events


def notices(home: Home) -> str:
    """What the daemon has to tell."""

    async def ask() -> str:
        async with home.client() as client:
            return " ".join(f"{one['title']} {one['body']}" for one in (await client.health()).notices)

    return asyncio.run(ask())


async def said(home: Home, wish: Wish) -> None:
    """A wish, said to a daemon that may go away meanwhile."""
    with contextlib.suppress(*GONE):
        async with home.client() as client:
            await say(client, wish)
