"""What a tool is given: everything outside the skill, each behind a Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from assistant.models import Language, Notice, UserContext
from assistant.ports import Accounts, Index, LanguageModel, Outbox, Schedules, Secrets


class Text(Protocol):
    """The catalogue of the skill (`skills/<name>/locale/{en,zh}.yaml`) and the program, in the turn's language."""

    def __call__(self, key: str, /, **data: Any) -> str:
        """The sentence of `key`. Dates, numbers and money in `data` follow the locale; `count` picks the plural."""
        ...


class Notify(Protocol):
    """Tells the user something unasked: every open surface and the desktop."""

    async def __call__(self, notice: Notice) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """The world of one tool call."""

    skill: str
    language: Language
    """The language to answer in."""
    now: datetime
    """With the user's zone."""
    zone: ZoneInfo
    user: UserContext
    text: Text
    settings: Mapping[str, Any]
    """The skill's settings, as its manifest declares them, with defaults filled in."""
    folder: Path
    """A folder of the skill's own, for files that are not settings."""
    secrets: Secrets
    accounts: Accounts
    model: LanguageModel
    index: Index
    outbox: Outbox
    schedules: Schedules
    notify: Notify
    operation: str = ""
    """The action's id (and idempotency key), for `write` tools that need one."""
