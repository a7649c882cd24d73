"""Events to every open surface. One that does not keep up is told that it misses some, and costs nobody else time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from assistant.events import Event, Noticed

_QUEUE = 1000


class EventBus:
    """Adapter of `ports.Bus`."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[Event | None]] = set()
        self._kept: dict[int, Event] = {}
        self._numbers = itertools.count()
        self._told: set[tuple[int, str]] = set()

    def publish(self, event: Event) -> None:
        """Hand the event to all who listen now."""
        for queue in tuple(self._listeners):
            if queue.qsize() >= _QUEUE:
                self._listeners.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def keep(self, event: Event) -> None:
        """Hand the event to all who listen now, and to whoever begins to until the daemon ends."""
        self._kept[next(self._numbers)] = event
        self.publish(event)

    def withdraw(self, notice: str) -> None:
        """Keep a notice no longer: it is not true any more."""
        for number, event in list(self._kept.items()):
            if isinstance(event, Noticed) and event.notice.id == notice:
                del self._kept[number]

    @property
    def kept(self) -> Sequence[Event]:
        """What was given to `keep` and not withdrawn."""
        return tuple(self._kept.values())

    def untold(self, session: str) -> list[Event]:
        """What is kept and was not given to this session yet."""
        found = [number for number in self._kept if (number, session) not in self._told]
        self._told.update((number, session) for number in found)
        return [self._kept[number] for number in found]

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Event | None]]:
        """A queue of all events from now on; after None in it nothing more comes, since too many were not taken."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        for event in self.kept:
            queue.put_nowait(event)
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
