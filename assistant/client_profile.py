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

    async def forget(self, fact: str) -> list[str]:
        """Forget a fact for good; exports that may still hold it, because they were changed or moved."""
        done = await self._ask("POST", f"{_ROOT}/facts/{quote(fact, safe='')}/forget")
        return [str(file) for file in done["left"]]

    async def edit(self, fact: str, value: str) -> dict[str, Any]:
        """Put another value in the place of a fact's; the new fact."""
        return dict(await self._ask("POST", f"{_ROOT}/facts/{quote(fact, safe='')}/edit", body={"value": value}))

    async def stats(self) -> dict[str, Any]:
        """How much is known, and what is kept from being learned (`knowledge.ProfileStats`)."""
        return dict(await self._ask("GET", f"{_ROOT}/stats"))

    async def text(self, form: str) -> str:
        """The whole profile: `json` or `markdown`."""
        return str((await self._ask("GET", f"{_ROOT}/export", params={"format": form}))["text"])

    async def export(self, form: str, file: str = "") -> str:
        """Write it to a file of this computer, by its whole path; which one."""
        return str((await self._ask("POST", f"{_ROOT}/export", body={"format": form, "file": file}))["file"])

    async def take(self, file: str) -> dict[str, int]:
        """Import a file that an export wrote (`knowledge.Taken`)."""
        return dict(await self._ask("POST", f"{_ROOT}/import", body={"file": file}))

    async def pause(self, until: datetime | None = None) -> dict[str, Any]:
        """Learn nothing until then, or until `resume`; the stats."""
        return dict(await self._ask("POST", f"{_ROOT}/pause", body={"until": until.isoformat()} if until else {}))

    async def resume(self) -> dict[str, Any]:
        """Learn again; the stats."""
        return dict(await self._ask("POST", f"{_ROOT}/resume"))

    async def never(self, topic: str, *, never: bool) -> dict[str, Any]:
        """Learn nothing of a topic, or of a topic again; the stats."""
        return dict(await self._ask("POST", f"{_ROOT}/never", body={"topic": topic, "never": never}))

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
