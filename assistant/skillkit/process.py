"""The daemon's end of one skill's host process: started on first use, asked over MCP, started again after a crash.

Knows nothing of tools: names and plain JSON in, plain JSON out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assistant.errors import SkillFailed
from assistant.skillkit.cage import Cage
from assistant.skillkit.pipe import Pipe, open_pipe
from assistant.skillkit.wire import BROKEN, CONTEXT_KEY, clean, mistake_in

if TYPE_CHECKING:
    from mcp.client.session import ClientSession

logger = logging.getLogger(__name__)

_FREE_CRASHES = 2
"""So many crashes in a row are followed by a restart at once; then each waits twice as long as the one before."""
_LONGEST_WAIT_S = 300.0
_WEIGH_S = 0.5
"""How often its folder is weighed while it works."""


class Lost(SkillFailed):
    """The host ended, hung or overflowed in the middle of a request: what it did of it can't be known."""

    default_code = "skillkit.crashed"


@dataclass
class _Running:
    """A host that is up, with the task that owns it."""

    pipe: Pipe
    session: ClientSession
    leave: asyncio.Event
    task: asyncio.Task[None]
    full: SkillFailed | None = None
    """Why it was ended, where it filled its folder."""


@dataclass
class HostProcess:
    """One skill's host."""

    cage: Cage
    start_s: float = 20.0
    call_s: float = 60.0
    idle_s: float = 600.0
    """It is stopped when it was not used for so long; the next call starts it again."""
    _running: _Running | None = None
    _retired: asyncio.Task[None] | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _crashes: int = 0
    _not_before: float = 0.0
    _busy: int = 0
    _idle: asyncio.TimerHandle | None = None

    @property
    def skill(self) -> str:
        """The skill's name."""
        return self.cage.skill

    @property
    def pid(self) -> int | None:
        """The process's id while it is up."""
        return self._running.pipe.process.pid if self._running else None

    async def ask(self, name: str, args: Mapping[str, Any], context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a tool and give its structured answer.

        Raises SkillFailed if it did certainly not reach the skill, Lost if that can't be known.
        """
        self._busy += 1
        try:
            running = await self._up()
            answer = await self._asked(running, name, args, context)
        finally:
            self._busy -= 1
            self._rest()
        self._crashes = 0
        return answer

    async def aclose(self) -> None:
        """Stop the process, if it is up."""
        if self._idle is not None:
            self._idle.cancel()
        async with self._lock:
            await self._down()
            if self._retired is not None:
                await self._retired
        await self.cage.aclose()

    async def _asked(
        self, running: _Running, name: str, args: Mapping[str, Any], context: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        import mcp_types as types
        from mcp.shared.exceptions import MCPError

        meta = {CONTEXT_KEY: dict(context)} if context else {}
        params = types.CallToolRequestParams(name=name, arguments=dict(args), _meta=meta)
        watching = asyncio.create_task(self._watch(running))
        try:
            result = await running.session.send_request(
                types.CallToolRequest(params=params), types.CallToolResult, request_read_timeout_seconds=self.call_s
            )
        except MCPError as error:
            raise await self._lost(running, error) from error
        except ValueError as error:  # pydantic: an answer that is none
            raise Lost("skillkit.odd_answer", skill=self.skill) from error
        finally:
            watching.cancel()
        if not isinstance(result.structured_content, dict):
            raise Lost("skillkit.odd_answer", skill=self.skill)
        return result.structured_content

    async def _watch(self, running: _Running) -> None:
        """End it when it fills its folder beyond measure."""
        while True:
            await asyncio.sleep(_WEIGH_S)
            try:
                await self.cage.check_weight()
            except SkillFailed as full:
                running.full = full
                with suppress(ProcessLookupError):
                    os.killpg(running.pipe.process.pid, signal.SIGKILL)
                return

    async def _lost(self, running: _Running, error: Any) -> Lost:
        from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT

        if error.code not in (CONNECTION_CLOSED, REQUEST_TIMEOUT):
            logger.error("skill %s: its host answered: %s", self.skill, clean(error.message, 500))
            return Lost("skillkit.odd_answer", skill=self.skill)
        async with self._lock:
            if self._running is running:
                await self._down()
                self._count_crash()
        words = " | ".join(running.pipe.last_words)
        logger.error("skill %s: its host was lost (%s): %s", self.skill, error.message, clean(words, 2_000))
        if running.full is not None:
            lost = Lost(running.full.code, **running.full.data)
        elif error.code == REQUEST_TIMEOUT:
            lost = Lost("skillkit.too_slow", skill=self.skill, seconds=round(self.call_s))
        else:
            lost = Lost("skillkit.too_much" if running.pipe.too_much else "skillkit.crashed", skill=self.skill)
        self.cage.crashed(lost.code)
        return lost

    async def _up(self) -> _Running:
        async with self._lock:
            if self._running is not None and self._running.pipe.ended.is_set():
                await self._down()
                self._count_crash()
            if self._running is None:
                wait = self._not_before - time.monotonic()
                if wait > 0:
                    raise SkillFailed("skillkit.keeps_crashing", skill=self.skill, seconds=round(wait) + 1)
                self._running = await self._start()
            return self._running

    def _count_crash(self) -> None:
        self._crashes += 1
        if self._crashes > _FREE_CRASHES:
            wait = min(2.0 ** (self._crashes - _FREE_CRASHES), _LONGEST_WAIT_S)
            self._not_before = time.monotonic() + wait

    async def _start(self) -> _Running:
        """One task enters and leaves the MCP session: its cancel scopes belong to the task that opened them."""
        try:
            await self.cage.open()
        except OSError as error:
            raise SkillFailed("skillkit.no_start", skill=self.skill, problem=str(error)) from error
        ready: asyncio.Future[_Running] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._live(ready), name=f"skill {self.skill}")
        try:
            return await asyncio.wait_for(asyncio.shield(ready), self.start_s)
        except BaseException as error:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
            if not isinstance(error, Exception):
                raise
            self._count_crash()
            if isinstance(error, SkillFailed):
                raise
            logger.error("skill %s: its host did not start: %r", self.skill, error)
            if isinstance(error, TimeoutError):
                raise SkillFailed("skillkit.start_slow", skill=self.skill, seconds=round(self.start_s)) from error
            raise SkillFailed("skillkit.no_start", skill=self.skill, problem="-") from error

    async def _live(self, ready: asyncio.Future[_Running]) -> None:
        try:
            # Importing mcp takes most of a second: not in the event loop.
            session_class = await asyncio.to_thread(_session_class)
            cage = self.cage
            async with open_pipe(cage.command(), environment=cage.environment(), folder=cage.data) as pipe:
                await self._converse(pipe, session_class, ready)
        except Exception as error:
            if ready.done():
                logger.exception("skill %s: the connection to its host broke", self.skill)
            else:
                ready.set_exception(error)

    async def _converse(self, pipe: Pipe, session_class: type[ClientSession], ready: asyncio.Future[_Running]) -> None:
        try:
            async with session_class(pipe.read, pipe.write) as session:
                await session.initialize()
                task = asyncio.current_task()
                assert task is not None
                running = _Running(pipe, session, asyncio.Event(), task)
                ready.set_result(running)
                await running.leave.wait()
        except Exception as error:
            if ready.done():
                raise
            with suppress(TimeoutError):
                await asyncio.wait_for(pipe.process.wait(), 1.0)
            await asyncio.sleep(0)  # its last words may still be in the pipe
            raise self._no_start(pipe, error) from error

    def _no_start(self, pipe: Pipe, error: Exception) -> SkillFailed:
        """Why the host ended before it could be asked: what is wrong with the skill, or else its last words."""
        words = pipe.last_words[-1] if pipe.last_words else str(error)
        mistake = mistake_in(words) if pipe.process.returncode == BROKEN else None
        if mistake is None:
            return SkillFailed("skillkit.no_start", skill=self.skill, problem=clean(words, 500))
        return SkillFailed(mistake.code, **(mistake.data | {"name": self.skill, "folder": str(self.cage.folder)}))

    async def _down(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.leave.set()
            await running.task

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._busy == 0 and self._running is not None:
            self._idle = asyncio.get_running_loop().call_later(self.idle_s, self._retire)

    def _retire(self) -> None:
        if self._busy == 0 and self._running is not None:
            self._running.leave.set()
            self._retired, self._running = self._running.task, None


def _session_class() -> type[ClientSession]:
    from mcp.client.session import ClientSession

    return ClientSession
