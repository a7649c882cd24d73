"""The client's door to what is known of the user. Knows the paths and nothing of what a surface shows."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import quote

_ROOT = "/v1/profile"


class Ask(Protocol):
    """One request of the daemon; its JSON."""

    def __call__(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Awaitable[Any]: ...


class ProfileDoor:
    """Facts as plain JSON (`knowledge.Fact`), each with the sentence that tells it under `told`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def facts(self, *, as_of: datetime | None = None, history: bool = False) -> list[dict[str, Any]]:
        """What is known now, was known to hold at a moment, or ever was."""
        params = ({"as_of": as_of.isoformat()} if as_of else {}) | ({"history": "true"} if history else {})
        return list((await self._ask("GET", f"{_ROOT}/facts", params=params))["items"])

    async def why(self, fact: str) -> dict[str, Any]:
        """A fact, and under `evidence` the words that state it."""
        return dict(await self._ask("GET", f"{_ROOT}/facts/{quote(fact, safe='')}"))

    async def forget(self, fact: str) -> None:
        """Forget a fact for good."""
        await self._ask("POST", f"{_ROOT}/facts/{quote(fact, safe='')}/forget")

    async def pin(self, fact: str, *, pinned: bool) -> dict[str, Any]:
        """Pin a fact, or unpin it."""
        return dict(await self._ask("POST", f"{_ROOT}/facts/{quote(fact, safe='')}/pin", body={"pinned": pinned}))

    async def changes(self) -> list[dict[str, Any]]:
        """What was learned and changed, newest first."""
        return list((await self._ask("GET", f"{_ROOT}/changes"))["items"])

    async def habits(self) -> list[dict[str, Any]]:
        """What is usually chosen (`knowledge.Habit`)."""
        return list((await self._ask("GET", f"{_ROOT}/habits"))["items"])

    async def forget_habit(self, habit: str) -> None:
        """Forget a habit for good; `all` is every one."""
        await self._ask("POST", f"{_ROOT}/habits/{quote(habit, safe='')}/forget")

    async def tidy(self) -> dict[str, Any]:
        """Put together what says the same: `{"batch": …, "folded": n, "joined": n, "refused": n}`."""
        return dict(await self._ask("POST", f"{_ROOT}/tidy"))

    async def undo(self, batch: str = "") -> dict[str, Any]:
        """Take back what one source brought (without one: the newest change); `{"batch": …, "items": [gone …]}`."""
        return dict(await self._ask("POST", f"{_ROOT}/undo", body={"batch": batch}))
