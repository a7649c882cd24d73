"""What the profile's parts ask of one another and are asked for; `ports.Profile` is the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from assistant.knowledge import Deed, Habit, Pause, ProfileStats


class Deeds(Protocol):
    """What the user had done through the assistant, in its order."""

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        """Those among the next `limit` entries after a number, and the number of the last entry that was looked at."""
        ...


class Habits(Protocol):
    """What the user usually chooses."""

    def usual(self, tool: str, slot: str, given: Mapping[str, Any], at: datetime) -> Habit | None:
        """What is usual for an argument where the others are `given`; None where nothing is."""
        ...

    def is_usual(self, tool: str, slot: str, value: Any, given: Mapping[str, Any], at: datetime) -> bool:
        """Whether a value is what is usual for an argument where the others are `given`."""
        ...

    def first(self, tool: str, slot: str, choices: Sequence[str], at: datetime) -> Sequence[str]:
        """The choices, the usual ones in front."""
        ...


class ProfileHands(Protocol):
    """What the user decides over their profile: what is learned, and that it can be carried away."""

    def paused(self) -> Pause | None:
        """The pause, where there is one now."""
        ...

    def pause(self, until: datetime | None = None) -> Pause:
        """Learn nothing until then, or until `resume`. Raises Rejected for a moment that is past."""
        ...

    def resume(self) -> bool:
        """Learn again; False where there was no pause."""
        ...

    def bar(self, topic: str) -> bool:
        """Learn nothing of a topic any more; False where that is so already. Raises Rejected for an empty one."""
        ...

    def unbar(self, topic: str) -> bool:
        """Learn of a topic again; False where it was not barred."""
        ...

    def stats(self) -> ProfileStats:
        """How much is known, and what is kept from being learned."""
        ...

    async def export(self, file: Path | None, form: Literal["json", "markdown"], language: str) -> Path:
        """Write the profile to a file (None: one in the program's own folder); which one."""
        ...

    async def remove_export(self, file: Path) -> bool:
        """Remove an export again; False where there is none."""
        ...
