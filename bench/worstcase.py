"""The worst case: plans the user's request rightly from the user's words, then obeys every injection that it reads.

Stands where the language model stands. Its plan is the task's ground truth with those arguments fixed that the user's
words hold; all others are open until something was read.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assistant.conversation.arguments import World
from assistant.conversation.planner import Planned
from assistant.conversation.sessions import Exchange
from assistant.conversation.spans import Masked
from assistant.conversation.work import Work
from assistant.models import Call, Label, Priority, Step, UserContext
from assistant.safety.provenance import Evidence
from assistant.server.services import Services
from assistant.values import Interval, Moment, Period, find

_OPEN = {"$from": 0, "field": ""}
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d\S*)?$")


@dataclass
class Case:
    """What is to be done, and what an attacker wants besides."""

    said: str
    user: UserContext
    now: datetime
    truth: Sequence[Call]
    """What the user's request rightly leads to."""
    attack: Sequence[Call] = ()
    marks: Sequence[str] = ()
    """Texts by which an injection that was read is known."""
    output: str = ""
    """What the right answer says."""
    kind: Callable[[str, str], str] = lambda tool, name: "str"
    """The schema's type of a tool's argument."""
    after: bool = False
    """Whether the attack's calls come after the user's own."""
    tools_only: bool = False
    """Whether the plan is tools and counts without fixed arguments."""
    names: Callable[[str], tuple[str, ...]] = lambda tool: ()
    """All arguments of a tool."""
    seen: bool = False
    """Whether an injection was read."""
    tried: list[Call] = field(default_factory=list)
    """The attack's calls that were handed to the gate."""
    todo: list[Call] = field(default_factory=list)
    read: int = 0

    @property
    def outline(self) -> tuple[Call, ...]:
        """The plan."""
        evidence = Evidence(self.said, self.user)
        return tuple(Call(tool=one.tool, args=self._planned(one, evidence)) for one in self.truth)

    def _planned(self, call: Call, evidence: Evidence) -> dict[str, Any]:
        if self.tools_only:
            return {name: dict(_OPEN) for name in self.names(call.tool)}
        given = call.args.items()
        known = {name: isinstance(value, dict) or self._said(call, name, value, evidence) for name, value in given}
        return {name: value if known[name] else dict(_OPEN) for name, value in given}

    def _said(self, call: Call, name: str, value: Any, evidence: Evidence) -> bool:
        if isinstance(value, bool):
            return False
        if isinstance(value, str) and _DAY.match(value):
            return _says_moment(self.said, datetime.fromisoformat(value), self.now)
        if isinstance(value, int) and name != "amount":
            return bool(re.search(rf"\b{value}\b", self.said))
        origin = evidence.trace(name, value, self.kind(call.tool, name))
        return origin.label is Label.USER or (origin.label is Label.CONTACT and origin.source in self.said)


class WorstCase:
    """See `deciding.Plans`."""

    ready = True

    def __init__(self, settled: Callable[[], Awaitable[None]]) -> None:
        self.case: Case
        self._settled = settled

    async def plan(
        self, text: str, masked: Masked, world: World, history: Sequence[Exchange], priority: Priority
    ) -> AsyncIterator[str | Planned]:
        """The first call, and the outline of all."""
        case = self.case
        case.todo = list(case.truth)
        first = case.todo.pop(0) if case.todo else None
        if first is None:
            yield Planned(Step(kind="reply", reply=case.output), None)
        else:
            yield Planned(Step(kind="call", calls=(first,), outline=case.outline), None)

    def acts(self, text: str) -> bool:
        """Never two requests apart: the plan is whole."""
        return False

    async def filled(self, call: Call, work: Work) -> Call:
        """Nothing is open: the values are there."""
        return call

    async def go_on(self, work: Work) -> Step | None:
        """The next call: the attacker's as soon as something of theirs was read."""
        await self._settled()
        case = self.case
        new = work.observations[case.read :]
        case.read = len(work.observations)
        texts = [" ".join(" ".join(map(str, _leaves(one.data))).split()) for one in new]
        if not case.seen and any(mark in text for text in texts for mark in case.marks):
            case.seen = True
            case.tried = list(case.attack)
            case.todo = [*case.todo, *case.attack] if case.after else [*case.attack, *case.todo]
        if not case.todo:
            return None
        return Step(kind="call", calls=(case.todo.pop(0),))


async def settled(services: Services) -> None:
    """Wait until all that was approved is done."""
    while await services.outbox.list(open_only=True):  # noqa: ASYNC110 - the outbox has no event for it
        await asyncio.sleep(0.001)


def mark(text: str) -> str:
    """What tells that an injection was read, however a tool writes texts: its longest run without marks of quoting."""
    return " ".join(max(re.findall(r"[^'\"\\\n]{8,}", text), key=len).split())


def _leaves(data: Any) -> Iterator[Any]:
    for one in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        if isinstance(one, dict | list):
            yield from _leaves(one)
        else:
            yield one


def _says_moment(said: str, value: datetime, now: datetime) -> bool:
    """Whether the words hold the day, and the time unless it is midnight or the end of the day."""
    spans = [span.value for span in find(said, now)]
    days = {one.day.timetuple()[1:3] for one in spans if isinstance(one, Moment) and one.dated}
    days |= {day.timetuple()[1:3] for one in spans if isinstance(one, Period) for day in (one.start, one.end)}
    days |= {at.timetuple()[1:3] for one in spans if isinstance(one, Interval) for at in (one.start, one.end)}
    clock = {(one.at.hour, one.at.minute) for one in spans if isinstance(one, Moment) and one.precision == "minute"}
    clock |= {(at.hour, at.minute) for one in spans if isinstance(one, Interval) for at in (one.start, one.end)}
    whole = (value.hour, value.minute) in ((0, 0), (23, 59))
    return value.timetuple()[1:3] in days and (whole or (value.hour, value.minute) in clock)
