"""How a skill's code says what it offers: decorators that mark functions, and nothing else.

    @tool
    async def search(ctx: Context, query: str | None = None, since: date | None = None) -> Result:
        \"\"\"Find mails.

        query: words to look for
        since: from this day on
        \"\"\"

The first line of the docstring describes the tool to the model; `name: text` lines describe its arguments. Types may be
str, int, bool, date, datetime, timedelta, Decimal (money), Literal[...] and list[...] of them; an argument with a
default is optional. The effect stands in `skill.yaml`. A tool of effect `read` or `write` returns a `Result`; one of
effect `outward` or `money` returns `Prepared` and does nothing yet: its `commit` is called after the yes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import Field

from assistant.errors import Uncertain as Uncertain
from assistant.models import Value
from assistant.skillkit.fellows import Offer

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


class Result(Value):
    """What a `read` or `write` tool returns."""

    text: str
    """The answer for the person, in `ctx.language`: shown and spoken as it stands."""
    data: Any = None
    """Plain JSON: what another step, a card or `--json` can use. A list of found things is `{"items": [...]}`."""
    undo: dict[str, Any] | None = None
    """Plain JSON that the skill's `undo` needs to take a write back; required of every write that can be undone."""
    sources: tuple[str, ...] = Field(default=())
    """For people: where the answer was read (`email 3f2a from Anna`)."""


def tool(function: Function) -> Function:
    """Offer the function as a tool named `<skill>.<function>`; a final `_` is left out (`list_` is the tool `list`)."""
    function.__assistant__ = ("tool", (function.__name__.rstrip("_"),))  # type: ignore[attr-defined]
    return function


def commit(*tools: str) -> Callable[[Function], Function]:
    """`async (ctx, operation) -> reference`: really do what was prepared and approved; returns the other side's id.

    Raise SkillFailed if it certainly did not happen, `Uncertain` if that can't be known.
    """
    return _mark("commit", tools)


def reconcile(*tools: str) -> Callable[[Function], Function]:
    """`async (ctx, operation) -> str | None`: look whether an operation whose outcome is unknown happened.

    Returns the other side's reference if it did, None if it certainly did not; raises `Uncertain` otherwise.
    """
    return _mark("reconcile", tools)


def undo(*tools: str) -> Callable[[Function], Function]:
    """`async (ctx, record) -> Result`: take a write back; `record` is the `Result.undo` of the call."""
    return _mark("undo", tools)


def fires(function: Function) -> Function:
    """`async (ctx, scheduled) -> None`: called when one of the skill's schedules is due."""
    function.__assistant__ = ("fires", ("",))  # type: ignore[attr-defined]
    return function


def provides(offer: Offer) -> Callable[[Function], Function]:
    """`async (ctx, …) -> …`: what other bundled skills get of this one by `ctx.fellows`."""
    return _mark("provides", (offer,))


def starts(function: Function) -> Function:
    """`async (ctx) -> None`: called once, in the background, when the daemon has started (index a mailbox, …)."""
    function.__assistant__ = ("starts", ("",))  # type: ignore[attr-defined]
    return function


def _mark(role: str, tools: tuple[str, ...]) -> Callable[[Function], Function]:
    def mark(function: Function) -> Function:
        function.__assistant__ = (role, tools)  # type: ignore[attr-defined]
        return function

    return mark
