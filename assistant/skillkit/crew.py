"""What skills do outside a turn: send what was approved, wake when a schedule is due, begin with the daemon."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol, cast

from assistant.errors import AssistantError, AutomationError
from assistant.models import Language, Operation
from assistant.ports import Scheduled
from assistant.skillkit.context import Context
from assistant.skillkit.contexts import Contexts
from assistant.skillkit.loader import Skills

_log = logging.getLogger(__name__)


class _Startable(Protocol):
    async def start(self, ctx: Context) -> None: ...
    async def fire(self, ctx: Context, scheduled: Scheduled) -> None: ...


class Crew:
    """The outbox's handlers and the schedules' `fire`. `contexts` is set once all that they hold is made."""

    contexts: Contexts

    def __init__(self, skills: Skills, language: Language) -> None:
        self._skills = skills
        self._language = language

    async def commit(self, operation: Operation) -> str:
        """Do an approved act."""
        tool = self._skills.tool(operation.tool)
        return await tool.commit(self._context(tool.skill, operation.id), operation)

    async def reconcile(self, operation: Operation) -> str | None:
        """Look whether an act happened."""
        tool = self._skills.tool(operation.tool)
        return await tool.reconcile(self._context(tool.skill, operation.id), operation)

    async def fire(self, skill: str, scheduled: Scheduled) -> None:
        """Wake a skill."""
        loaded = self._skills.loaded.get(skill)
        if not hasattr(loaded, "fire"):  # kept and tried again, until the skill is there
            raise AutomationError("automation.no_skill", skill=skill)
        await cast(_Startable, loaded).fire(self._context(skill), scheduled)

    async def start(self) -> None:
        """The background work of the bundled skills, side by side, until all of it ends or this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, skill in list(self._skills.loaded.items()):
                if hasattr(skill, "start"):
                    group.create_task(self._start(name, cast(_Startable, skill)), name=f"start {name}")

    async def _start(self, name: str, skill: _Startable) -> None:
        try:
            await skill.start(self._context(name))
        except AssistantError as error:
            _log.warning("skill %s could not start: %s", name, error)

    def _context(self, skill: str, operation: str = "") -> Context:
        return self.contexts.of(skill, self._language, operation=operation)
