"""Runs a skill's code: what comes out of it is one of the errors that people may read, whatever the code raised."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable
from typing import TypeVar

from assistant.errors import AskAgain, EngineError, NotConfigured, SkillFailed

logger = logging.getLogger(__name__)
Outcome = TypeVar("Outcome")
_SETTING = re.compile(r"skills\.\w+\.settings\.\w+")


async def guarded(tool: str, call: Awaitable[Outcome], *allowed: type[Exception]) -> Outcome:
    """Await a skill's code. Only AskAgain, SkillFailed, `allowed` and the model's own errors come through.

    Anything else is a bug: it is logged with its traceback, and the person is told so without it.
    """
    try:
        return await call
    except (Exception, SystemExit) as error:  # `sys.exit()` in a tool ends the tool, not the process
        if isinstance(error, NotConfigured) and _SETTING.fullmatch(str(error.data.get("what", ""))):
            raise NotConfigured("skillkit.setting_missing", key=error.data["what"]) from error
        if isinstance(error, (AskAgain, SkillFailed, EngineError, *allowed)):
            raise
        logger.exception("the tool %s has a bug", tool)
        raise SkillFailed("skill.bug", tool=tool) from error
