"""The model's turn to decide: one grammar-bound step over a shortlist of tools, then code checks every argument.

Believes nothing the model writes: an argument with no ground in the words is dropped, a time is read from the person's
words by the value parsers, and a required argument that is left over becomes a question.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.conversation import prompt
from assistant.conversation.arguments import PEOPLE, World, moved, step_for
from assistant.conversation.people import known
from assistant.conversation.sessions import Exchange
from assistant.conversation.shortlist import Shortlist, terms
from assistant.conversation.spans import Masked
from assistant.models import Call, Completion, Priority, Step, Usage
from assistant.ports import LanguageModel
from assistant.skillkit.loader import Tool
from assistant.streams import closing
from assistant.values import Duration, Impossible, Moment, Period

MOST_CALLS = 3
COMPOSED = frozenset(
    {"body", "note", "text", "title", "label", "query", "question", "subject", "fact", "reference", "interests", "do"}
)
"""Arguments that a person may paraphrase; all others must stand in the words as they are."""


_SLOT_TYPES: dict[str, tuple[type, ...]] = {"duration": (Duration,), "period": (Period,), "when": (Moment, Impossible)}


@dataclass(frozen=True)
class Planned:
    """A step with what it cost."""

    step: Step
    usage: Usage | None
    """None where no model was asked."""

    @classmethod
    def free(cls, step: Step | None) -> Planned | None:
        """A step that cost nothing."""
        return cls(step, None) if step else None


class Planner:
    """Asks the language model for the next step."""

    def __init__(self, model: LanguageModel, shortlist: Shortlist, *, name: str, size: int, max_tokens: int) -> None:
        self._model = model
        self._shortlist = shortlist
        self._name = name
        self._size = size
        self._max_tokens = max_tokens

    @property
    def ready(self) -> bool:
        """Whether there is a model to ask."""
        return self._model.ready

    async def plan(
        self, text: str, masked: Masked, world: World, history: Sequence[Exchange], priority: Priority
    ) -> AsyncIterator[str | Planned]:
        """Pieces of a reply as they are written, then the step. Raises EngineError, Rejected, AskAgain."""
        tools = self._shortlist.pick(text, self._size)
        system = prompt.system(self._name, world.user, tools, world.skills, world.now)
        request = Completion(
            messages=prompt.messages(system, history, text),
            json_schema=prompt.step_schema(tools, world.skills, MOST_CALLS),
            max_tokens=self._max_tokens,
            priority=priority,
        )
        written, usage, reply = "", Usage(), ReplyReader()
        async with closing(self._stream(request)) as chunks:
            async for piece, spent in chunks:
                written += piece
                usage = spent or usage
                if said := reply.feed(piece):
                    yield said
        yield Planned(self._read(written, reply, masked, world, tools), usage)

    async def _stream(self, request: Completion) -> AsyncIterator[tuple[str, Usage | None]]:
        async with closing(self._model.complete(request)) as chunks:
            async for chunk in chunks:
                yield chunk.text, chunk.usage

    def _read(self, written: str, reply: ReplyReader, masked: Masked, world: World, tools: Sequence[Tool]) -> Step:
        try:
            decided = json.loads(written)
        except ValueError:  # the output was cut at max_tokens
            return Step(kind="reply", reply=reply.text) if reply.text else Step(kind="escalate")
        if decided["do"] == "reply":
            return Step(kind="reply", reply=decided["text"].strip())
        allowed = {tool.name: tool for tool in tools}
        if any(call["tool"] not in allowed for call in decided["calls"]):  # an engine that does not keep to grammars
            return Step(kind="escalate")
        return joined([self._ground(allowed[call["tool"]], call["args"], masked, world) for call in decided["calls"]])

    def _ground(self, tool: Tool, args: Mapping[str, Any], masked: Masked, world: World) -> Step:
        said = masked.restore(masked.text)
        words: dict[str, Any] = {}
        for name, value in args.items():
            if _is_time(tool, name) or name == "recurrence":
                continue
            if kept := _grounded(name, value, said, world):
                words[name] = kept
        times: dict[str, int] = {}
        for index, span in enumerate(masked.spans):
            slot = next(kind for kind in ("duration", "period", "when") if isinstance(span.value, _SLOT_TYPES[kind]))
            if not _inside_composed(span.text, words):
                times.setdefault(slot, index)
        return step_for(tool, words, times, masked, world, "model")


class ReplyReader:
    """Finds the text of `{"do":"reply","text":"…"}` while it is being written."""

    _START = re.compile(r'^\s*\{\s*"do"\s*:\s*"reply"\s*,\s*"text"\s*:\s*"')
    _ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])|[^"\\]')

    def __init__(self) -> None:
        self.text = ""
        self._raw = ""
        self._at = 0
        self._ended = False

    def feed(self, piece: str) -> str:
        """The part of the reply that `piece` completes."""
        self._raw += piece
        if not self._at:
            start = self._START.match(self._raw)
            if start is None:
                return ""
            self._at = start.end()
        said = ""
        while not self._ended and (found := self._ESCAPE.match(self._raw, self._at)):
            said += found.group() if len(found.group()) == 1 else json.loads(f'"{found.group()}"')
            self._at = found.end()
        self._ended = self._ended or self._raw[self._at : self._at + 1] == '"'
        said = said.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
        self.text += said
        return said


def joined(steps: Sequence[Step]) -> Step:
    """Several grounded calls as one step; the first one that lacks something asks for it, what can't be is refused."""
    calls: list[Call] = []
    asking: tuple[int, Step] | None = None
    for step in steps:
        if step.kind == "refuse":
            return step
        repeated = all(call in calls for call in step.calls) and not any(_refers(call) for call in step.calls)
        if repeated:  # a small model likes to say the same call twice
            continue
        calls += moved(step.calls, len(calls), since=0)
        if step.kind == "ask" and asking is None:
            asking = (len(calls) - 1, step)
    if asking is None:
        return Step(kind="call", calls=tuple(calls), via=steps[-1].via)
    about, step = asking
    return step.model_copy(update={"calls": tuple(calls), "about": about})


def _refers(call: Call) -> bool:
    return any(isinstance(value, dict) for value in call.args.values())


def _is_time(tool: Tool, name: str) -> bool:
    schema = tool.schema.properties.get(name, {})
    formats = {option.get("format") for option in (schema, *schema.get("anyOf", ()))}
    return bool(formats & {"date", "date-time", "duration"})


def _grounded(name: str, value: Any, said: str, world: World) -> Any:
    """The value if the person's words carry it, else None."""
    if isinstance(value, bool):
        return value or None
    if isinstance(value, int):
        return value if re.search(rf"(?<!\d){value}(?!\d)", said) else None
    if isinstance(value, list):
        return [one for one in value if _grounded(name, one, said, world)] or None
    text = str(value).strip()
    if name in PEOPLE and any(_mentioned(person.name, person.aliases, said) for person in known(text, world.user)):
        return text
    wanted, there = terms([text]), set(terms([said]))
    if not wanted:
        return None
    share = sum(term in there for term in wanted) / len(wanted)
    return text if share >= (0.5 if name in COMPOSED else 1.0) else None


def _mentioned(name: str, aliases: Sequence[str], said: str) -> bool:
    there = set(terms([said]))
    return any(set(terms([form])) & there for form in (name, *aliases))


def _inside_composed(text: str, words: Mapping[str, Any]) -> bool:
    """Whether a time belongs to what is written ("tell her that Friday works"), not to the call."""
    return any(text in str(value) for name, value in words.items() if name in ("body", "note"))
