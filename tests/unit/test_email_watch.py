"""The background's indexing: what could not be indexed is tried again, also when no other news come."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from tests.support.mail import module

watch: Any = module("watch")


class Keeper:
    """What `_follow` uses of the real one."""

    name = "work"

    def __init__(self) -> None:
        self.changed = asyncio.Event()


async def test_a_disk_that_was_full_is_not_the_end_of_indexing(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    done = asyncio.Event()

    class Mailbox:
        """Its index can't be written at first."""

        async def refresh(self, *_: object, **__: object) -> int:
            tries.append(1)
            if len(tries) < 3:
                raise sqlite3.OperationalError("database or disk is full")
            return 0

    class Quiet:
        """Nobody is being answered."""

        async def wait(self) -> None: ...

    class Ctx:
        """What is used of a context."""

        quiet, index = Quiet(), None

    async def tell(*_: object) -> None:
        done.set()

    monkeypatch.setattr(watch, "opened", lambda _: Mailbox())
    monkeypatch.setattr(watch, "_tell", tell)
    monkeypatch.setattr(watch, "_AGAIN_S", 0.01)
    monkeypatch.setattr(watch, "_GATHER_S", 0)
    keeper = Keeper()
    keeper.changed.set()
    task = asyncio.create_task(watch._follow(Ctx(), keeper))
    try:
        async with asyncio.timeout(5):
            await done.wait()
    finally:
        task.cancel()
    assert len(tries) == 3
