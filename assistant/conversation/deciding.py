"""What the model is asked of a turn: the half that no template knows, two requests one after the other, or the whole.

Runs nothing. A small model that reads two requests at once forgets one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from assistant.conversation.arguments import World
from assistant.conversation.phrases import phrases
from assistant.conversation.planner import Planned, joined
from assistant.conversation.rules import Rules
from assistant.conversation.sessions import Exchange
from assistant.conversation.spans import LONG, Masked, halves, mask
from assistant.conversation.work import Work
from assistant.models import Call, Language, Priority, Step


class Plans(Protocol):
    """What plans: the language model behind `Planner`, or a bench's."""

    @property
    def ready(self) -> bool: ...
    def plan(
        self, text: str, masked: Masked, world: World, history: Sequence[Exchange], priority: Priority
    ) -> AsyncIterator[str | Planned]: ...
    def acts(self, text: str) -> bool: ...
    async def filled(self, call: Call, work: Work) -> Call: ...
    async def go_on(self, work: Work) -> Step | None: ...


class Decider:
    """Asks the planner for as little as possible. Without `templates` (a bench) always for the whole."""

    def __init__(self, planner: Plans, rules: Rules, *, templates: bool) -> None:
        self._planner = planner
        self._rules = rules
        self._templates = templates

    @property
    def ready(self) -> bool:
        """Whether there is a model to ask."""
        return self._planner.ready

    async def decide(
        self,
        text: str,
        masked: Masked,
        world: World,
        language: Language,
        history: Sequence[Exchange],
        priority: Priority,
    ) -> AsyncIterator[str | Planned]:
        """Pieces of a reply as they are written, then the step. Raises as `Planner.plan` does."""
        if not self._planner.ready:
            yield Planned(Step(kind="escalate", via="model"), None)
            return
        parts = await self._half(masked, world, language, priority) or await self._two(masked, world, priority)
        if parts:
            yield parts
            return
        async for piece in self._planner.plan(text, masked, world, history, priority):
            yield piece

    async def filled(self, call: Call, work: Work) -> Call:
        """A planned call with what it takes from earlier results. Raises AskAgain for what these don't hold."""
        return await self._planner.filled(call, work)

    async def go_on(self, work: Work) -> Step | None:
        """What follows once all calls ran: a reply, further calls of the plan, or nothing."""
        return await self._planner.go_on(work)

    async def _half(self, masked: Masked, world: World, language: Language, priority: Priority) -> Planned | None:
        """A sentence of which a template knows one half."""
        half = self._rules.half(masked, world, language) if self._templates else None
        if half is None or not self._planner.acts(half.other):
            return None
        other = await self._alone(half.other, world, priority)
        if other.step.kind not in ("call", "ask"):
            return None
        return Planned(half.with_other(other.step), other.usage, told=other.told)

    async def _two(self, masked: Masked, world: World, priority: Priority) -> Planned | None:
        """Two requests, each a sentence of its own, the second of which does not lean on the first."""
        cuts = halves(masked.said, masked.spans, apart=True) if len(masked.said) <= LONG else []
        parts = cuts[0] if len(cuts) == 1 else ()
        if not parts or phrases("any")["pronoun"].search(parts[1]) or not all(map(self._planner.acts, parts)):
            return None
        first, second = [await self._alone(part, world, priority) for part in parts]
        if any(one.step.kind not in ("call", "ask") for one in (first, second)):
            return None
        return Planned(joined([first.step, second.step]), second.usage, told=(*first.told, *second.told))

    async def _alone(self, text: str, world: World, priority: Priority) -> Planned:
        """The step of a part, without the turns before it."""
        planned: Planned | None = None
        async for piece in self._planner.plan(text, mask(text, world.now), world, (), priority):
            planned = piece if isinstance(piece, Planned) else planned
        assert planned is not None
        return planned
