"""Turns as tasks: a surface that goes away does not stop what was begun; only `cancel` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from assistant.errors import Cancelled, NotFound
from assistant.events import Event, Failed, TurnDone
from assistant.locale import Catalogue
from assistant.models import Turn
from assistant.ports import Bus, Clock


class RunningTurns:
    """All turns in flight; adapter of `ports.Quiet`."""

    def __init__(self, bus: Bus, catalogue: Catalogue, clock: Clock) -> None:
        self._bus = bus
        self._catalogue = catalogue
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._of: dict[str, str] = {}
        self._calm, self._stir = asyncio.Event(), asyncio.Event()
        self._calm.set()

    async def wait(self) -> None:
        """Until no turn is in flight (`ports.Quiet`)."""
        await self._calm.wait()

    async def broken(self) -> None:
        """Until a turn is in flight."""
        await self._stir.wait()

    async def run(self, turn: Turn, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Start the turn and stream its events. Leaving the stream early lets the turn go on."""
        for unasked in self._bus.untold(turn.session):
            yield unasked
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        task = asyncio.create_task(self._drain(events, queue), name=f"turn-{turn.id}")
        self._tasks[turn.id] = task
        self._of[turn.id] = turn.session
        self._calm.clear()
        self._stir.set()
        task.add_done_callback(partial(self._end, turn, queue))
        while (event := await queue.get()) is not None:
            yield event

    def session(self, turn: str) -> str:
        """The conversation that a turn in flight belongs to. Raises NotFound."""
        if turn not in self._of:
            raise NotFound("server.no_turn", what=turn)
        return self._of[turn]

    def cancel(self, turn: str) -> None:
        """Stop a turn within a token. Raises NotFound."""
        task = self._tasks.get(turn)
        if task is None:
            raise NotFound("server.no_turn", what=turn)
        task.cancel()

    async def aclose(self) -> None:
        """Stop all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, events: AsyncIterator[Event], queue: asyncio.Queue[Event | None]) -> None:
        async for event in events:
            self._tell(event, queue)

    def _end(self, turn: Turn, queue: asyncio.Queue[Event | None], task: asyncio.Task[None]) -> None:
        """The end of the stream; not in the task itself, which may be cancelled before it runs at all."""
        self._tasks.pop(turn.id, None)
        self._of.pop(turn.id, None)
        if not self._tasks:
            self._calm.set()
            self._stir.clear()
        for event in self._stopped(turn) if task.cancelled() else ():
            self._tell(event, queue)
        queue.put_nowait(None)

    def _tell(self, event: Event, queue: asyncio.Queue[Event | None]) -> None:
        self._bus.publish(event)
        queue.put_nowait(event)

    def _stopped(self, turn: Turn) -> tuple[Event, Event]:
        message, _ = self._catalogue.explain(Cancelled("conversation.cancelled"), turn.language or "en")
        failed = Failed(turn=turn.id, session=turn.session, code="conversation.cancelled", message=message)
        return failed, TurnDone(turn=turn.id, session=turn.session, ms=0, at=self._clock.now())
