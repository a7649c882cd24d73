"""What the engine is given by the skill whose collections it keeps: a part of the skill's context."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from assistant.models import Notice
from assistant.ports import Accounts, Quiet


class _Text(Protocol):
    def __call__(self, key: str, /, **data: Any) -> str: ...


class _Notify(Protocol):
    def __call__(self, notice: Notice) -> Awaitable[None]: ...


class World(Protocol):
    """A skill's context, as far as it is used here."""

    @property
    def skill(self) -> str: ...
    @property
    def now(self) -> datetime: ...
    @property
    def folder(self) -> Path: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def text(self) -> _Text: ...
    @property
    def notify(self) -> _Notify: ...
    @property
    def quiet(self) -> Quiet: ...
