"""What a tool is given: everything outside the skill, each behind a Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from assistant.models import Language, Notice, UserContext
from assistant.ports import Accounts, Index, LanguageModel, Outbox, Profile, Quiet, Schedules, Secrets
from assistant.skillkit.fellows import ALONE, Fellows


class Text(Protocol):
    """The catalogue of the skill (`skills/<name>/locale/{en,zh}.yaml`) and the program, in the turn's language."""

    def __call__(self, key: str, /, **data: Any) -> str:
        """The sentence of `key`. Dates, numbers and money in `data` follow the locale; `count` picks the plural."""
        ...


class Notify(Protocol):
    """Tells the user something unasked: every open surface and the desktop."""

    async def __call__(self, notice: Notice) -> None: ...


class Calm:
    """`ports.Quiet` where nobody is ever being answered."""

    async def wait(self) -> None:
        """At once."""

    async def broken(self) -> None:
        """Never."""
        await asyncio.Event().wait()


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
    quiet: Quiet = field(default_factory=Calm)
    """For work in the background, which waits while a person is being answered."""
    fellows: Fellows = ALONE
    """What other skills offer."""
    profile: Profile | None = None
    """What is known of the user; for the skill that tells it and takes it back."""
    operation: str = ""
    """The action's id (and idempotency key), for `write` tools that need one."""
    again: Callable[[], Context] | None = None
    """Makes the same context as of now."""

    texts: Callable[[Language], Text] | None = None
    """The catalogue in another language."""

    def speaking(self, language: Language) -> Context:
        """The same in another language: for a mail to somebody who reads that one."""
        return self if self.texts is None else replace(self, language=language, text=self.texts(language))

    def as_of_now(self) -> Context:
        """The same with the time, the user and the accounts of now: for work that goes on in the background."""
        return self if self.again is None else self.again()
