"""Who waits for the model, in order of service: a person, then automations, then background work; FIFO inside."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import Any

from assistant.models import Chunk, Priority, TokenProbability, Usage

_RANK = {priority: rank for rank, priority in enumerate(Priority)}


@dataclass(eq=False)
class Job:
    """One request to the worker and what became of it so far."""

    operation: str
    data: dict[str, Any]
    priority: Priority = Priority.PERSON
    digest: str = ""
    """Hash of a completion's contents; empty for other operations."""
    number: int = 0
    inbox: asyncio.Queue[Chunk | dict[str, Any] | Exception] = field(default_factory=asyncio.Queue)
    tokens: list[int] = field(default_factory=list)
    """Tokens written so far: where another worker goes on."""
    emitted: int = 0
    """Characters of their text that the caller has."""
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    deaths: int = 0
    cancelled: bool = False
    preempted: bool = False
    finished: bool = False

    @property
    def rank(self) -> int:
        """0 is served first."""
        return _RANK[self.priority]

    def give(self, answer: Chunk | dict[str, Any] | Exception, *, last: bool = False) -> None:
        """Hand something to the caller."""
        self.finished = self.finished or last
        self.inbox.put_nowait(answer)

    def wrote(self, message: dict[str, Any]) -> None:
        """Take in a piece that the worker wrote."""
        self.tokens += message["tokens"]
        self.logprobs += message["logprobs"]
        if message["text"]:
            self.emitted += len(message["text"])
            self.give(Chunk(text=message["text"]))

    def ended(self, message: dict[str, Any], usage: Usage) -> None:
        """Take in the worker's last word."""
        probabilities = tuple(TokenProbability(**item) for item in self.logprobs)
        text, finish = message["text"], message["finish"]
        self.give(Chunk(text=text, finish=finish, usage=usage, logprobs=probabilities), last=True)


class JobQueue:
    """Waiting jobs."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Job]] = []
        self._number = 0
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(not job.cancelled for _, _, job in self._heap)

    def put(self, job: Job) -> None:
        """Add a job; one that was in before keeps its place."""
        if not job.number:
            self._number += 1
            job.number = self._number
        heapq.heappush(self._heap, (job.rank, job.number, job))
        self._filled.set()

    async def get(self) -> Job:
        """The next job that somebody still wants."""
        while True:
            while self._heap:
                job = heapq.heappop(self._heap)[2]
                if not job.cancelled:
                    return job
            self._filled.clear()
            await self._filled.wait()

    def drain(self) -> list[Job]:
        """All waiting jobs; the queue is empty afterwards."""
        jobs = [job for _, _, job in self._heap]
        self._heap.clear()
        return jobs
