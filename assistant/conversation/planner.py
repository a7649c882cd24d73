"""The model's turn to decide: one grammar-bound step over a shortlist of tools, then code checks every argument.

Believes nothing the model writes: an argument with no ground in the words is dropped, times and amounts are spans of
the sentence that the value parsers read, and a required argument that is left over becomes a question.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.conversation import prompt
from assistant.conversation.arguments import ACCOUNTS, PEOPLE, World, moved, step_for
from assistant.conversation.changes import with_value
from assistant.conversation.claims import claims_a_deed
from assistant.conversation.examples import Examples
from assistant.conversation.extracting import Extractor
from assistant.conversation.filling import sayable
from assistant.conversation.grammar import Written, read_calls, step_grammar
from assistant.conversation.grounding import (
    SPANNED,
    account_in,
    fault_of,
    grounded,
    is_latest,
    left_over,
    plausible,
    purpose,
    slot_of,
    somebody_left,
    span_of,
    swallows,
    trimmed,
    unnamed,
)
from assistant.conversation.personal import told_of
from assistant.conversation.phrases import bids_remember, takes_away
from assistant.conversation.referring import TAKING
from assistant.conversation.sessions import Exchange
from assistant.conversation.shortlist import Shortlist, terms
from assistant.conversation.spans import Masked
from assistant.conversation.work import Work
from assistant.models import Call, Completion, Message, Priority, Step, Usage
from assistant.ports import LanguageModel, Profile
from assistant.skillkit.loader import Tool
from assistant.skillkit.schema import Argument
from assistant.streams import closing


@dataclass(frozen=True)
class Switches:
    """Parts that a bench may turn off, to see what each is worth."""

    templates: bool = True
    shortlist: bool = True
    grammar: bool = True
    grounding: bool = True
    second_try: bool = True
    examples: bool = True


@dataclass(frozen=True)
class Planned:
    """A step with what it cost."""

    step: Step
    usage: Usage | None
    """None where no model was asked."""
    replaces: bool = False
    """Whether it is what was done before with a change, which is taken back first."""
    told: tuple[str, ...] = ()
    """What of the profile the model had before it."""

    @classmethod
    def free(cls, step: Step | None) -> Planned | None:
        """A step that cost nothing."""
        return cls(step, None) if step else None


class Planner:
    """Asks the language model for the next step."""

    def __init__(
        self,
        model: LanguageModel,
        shortlist: Shortlist,
        examples: Examples,
        extractor: Extractor,
        *,
        name: str,
        size: int,
        max_tokens: int,
        switches: Switches,
        profile: Profile | None = None,
    ) -> None:
        self._model = model
        self._shortlist = shortlist
        self._examples = examples
        self._extractor = extractor
        self._name = name
        self._size = size
        self._max_tokens = max_tokens
        self._use = switches
        self._profile = profile

    @property
    def ready(self) -> bool:
        """Whether there is a model to ask."""
        return self._model.ready

    async def plan(
        self, text: str, masked: Masked, world: World, history: Sequence[Exchange], priority: Priority
    ) -> AsyncIterator[str | Planned]:
        """Pieces of a reply as they are written, then the step. Raises EngineError, Rejected, AskAgain."""
        before = next((one.calls[-1] for one in reversed(history) if one.calls), None)
        tools = self._shortlist.pick(text, self._size if self._use.shortlist else None)
        if self._use.examples and self._is_talk(text):
            tools = []
        elif before and self._use.shortlist:
            near = [tool for tool in world.skills.tools() if tool.skill == before.tool.partition(".")[0]]
            tools = list({tool.name: tool for tool in (*near, *tools[: self._size // 2])}.values())
        tools = [tool for tool in tools if _asked_for(tool, text)]
        names = {tool.name for tool in tools}
        examples = self._examples.like(text, names, world.now, _EXAMPLES) if self._use.examples else ()
        acts = bool(tools) and self._shortlist.relevance(text) >= _TALKLIKE
        told = await told_of(self._profile, text, world.user, talk=not tools, acts=acts)
        system = prompt.system(self._name, world.user, world.skills, world.now, told.digest)
        chat = prompt.messages(system, history, examples, text, told.earlier)
        grammar = step_grammar(tools, world.skills, masked, world.user) if self._use.grammar else None
        attempt = _Attempt()
        async for said in self._ask(chat, grammar, priority, attempt):
            yield said
        step, fault = self._read(attempt, masked, world, tools, before)
        if step.kind == "reply" and claims_a_deed(step.reply) and self.acts(text):
            fault = _NOT_DONE
            grammar = step_grammar(tools, world.skills, masked, world.user, talk=False) if grammar else None
        if step.kind == "reply" and any(step.reply == one.reply and one.via == "intent" for one in history):
            step = Step(kind="escalate")  # it repeats what was said of another deed
        if fault and self._use.second_try:
            again = _Attempt(usage=attempt.usage)
            chat = (
                *chat,
                Message(role="assistant", content=attempt.written),
                Message(role="user", content=fault),
            )
            async for said in self._ask(chat, grammar, priority, again):
                yield said
            second, still = self._read(again, masked, world, tools, before)
            step, attempt = (second, again) if not still or second.kind != "reply" else (step, attempt)
        yield Planned(step, attempt.usage, replaces=attempt.amends, told=told.texts)

    def _complete(
        self,
        tool: Tool,
        names: Mapping[str, Argument],
        words: dict[str, Any],
        chosen: dict[str, int],
        masked: Masked,
        world: World,
    ) -> None:
        """Put in what the sentence says and the model did not write: a time, an account, somebody."""
        if tool.declaration.effect != "money":
            chosen |= left_over(masked, names, words, chosen)
        place = next((name for name in ("from_account", "account") if name in tool.schema.properties), "")
        if place and not ACCOUNTS & words.keys() and (said := account_in(masked.said, world)):
            words[place] = said
        people = [name for name in tool.schema.required if name in PEOPLE and not words.get(name)]
        people += filter(None, [unnamed(tool, words, chosen, world.skills)])
        said_of = [name for name in names if name in PEOPLE]
        if tool.declaration.effect == "read" and len(said_of) == 1 and not words.get(said_of[0]):
            people += said_of  # "any unread mail of Bob's": nobody else can be meant
        if people and (somebody := somebody_left(masked.said, words, world)):
            words[people[0]] = somebody
        if "reference" in names and not words.get("reference") and (why := purpose(masked)):
            words["reference"] = why

    async def filled(self, call: Call, work: Work) -> Call:
        """See `Extractor.filled`."""
        return await self._extractor.filled(call, work)

    async def go_on(self, work: Work) -> Step | None:
        """See `Extractor.answer`: nothing that was read brings a further call."""
        return await self._extractor.answer(work)

    def acts(self, text: str) -> bool:
        """Whether `text` alone is surely like something that a tool does."""
        whole = len(terms([text])) >= _WORDS
        return whole and self._shortlist.relevance(text) >= _ACTS and not self._examples.talks(text)

    def _is_talk(self, text: str) -> bool:
        """Whether to talk or to act: decided by what the request is like, since the model would act too often."""
        relevance = self._shortlist.relevance(text)
        return relevance < _TALK or (relevance < _TALKLIKE and self._examples.talks(text))

    async def _ask(
        self, chat: Sequence[Message], grammar: str | None, priority: Priority, attempt: _Attempt
    ) -> AsyncIterator[str]:
        request = Completion(
            messages=tuple(chat), grammar=grammar, max_tokens=self._max_tokens, priority=priority, stop=_STOPS
        )
        async with closing(self._model.complete(request)) as chunks:
            async for chunk in chunks:
                attempt.written += chunk.text
                attempt.usage = _later(attempt.usage, chunk.usage)
                if said := attempt.reply.feed(chunk.text):
                    yield said

    def _read(
        self, attempt: _Attempt, masked: Masked, world: World, tools: Sequence[Tool], before: Call | None
    ) -> tuple[Step, str]:
        """The step that was written, and what is wrong with it (empty if nothing)."""
        written = attempt.written.strip()
        if attempt.reply.text:
            return Step(kind="reply", reply=attempt.reply.text.strip()), ""
        allowed = {tool.name: tool for tool in tools}
        calls = [call for call in read_calls(written) if call.tool in allowed]
        if not calls:
            return Step(kind="escalate"), ""
        tool = allowed[calls[0].tool]
        again = self._amended(tool, calls[0], masked, world, before) if len(calls) == 1 else None
        if again is not None:
            attempt.amends = tool.declaration.effect != "read"
            return again, ""
        steps = [self._ground(allowed[call.tool], call, masked, world, alone=len(calls) == 1) for call in calls]
        return (
            read_elsewhere(joined(steps), world),
            fault_of(calls, allowed, masked, world) if self._use.grounding else "",
        )

    def _amended(self, tool: Tool, call: Written, masked: Masked, world: World, before: Call | None) -> Step | None:
        """The call before with what the present words change in it, where the model wrote it again."""
        if before is None or call.tool != before.tool or _refers(before):
            return None
        same = {name for name, value in call.args.items() if _plain(before.args.get(name)) == _plain(value)}
        told = {name: value for name, value in call.args.items() if len(str(value)) < _ALL * len(masked.said)}
        changed = Written(call.tool, {name: value for name, value in told.items() if name not in same})
        new, spans = self._grounded(tool, changed, masked, world, alone=False)
        lacking = [name for name in tool.schema.required if name not in new and name in before.args]
        if not (same or lacking) or not (new or spans):
            return None
        again = before
        for index in spans.values():
            again = with_value(again, masked.spans[index], world)
        return step_for(tool, {**again.args, **new}, {}, masked, world, "model")

    def _ground(self, tool: Tool, call: Written, masked: Masked, world: World, *, alone: bool) -> Step:
        words, chosen = self._grounded(tool, call, masked, world, alone=alone)
        if alone:
            self._complete(tool, sayable(tool, world.skills), words, chosen, masked, world)
        words = {name: trimmed(name, value, masked, chosen) for name, value in words.items()}
        return step_for(tool, words, chosen, masked, world, "model")

    def _grounded(
        self, tool: Tool, call: Written, masked: Masked, world: World, *, alone: bool
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """What the sentence carries of what the model wrote: words by argument, and spans by slot."""
        names = sayable(tool, world.skills)
        words: dict[str, Any] = {}
        chosen: dict[str, int] = {}
        given = plausible(call.args, masked) if self._use.grounding else call.args
        for name, value in given.items():
            argument = names.get(name)
            if argument is None or (name == "recurrence" and isinstance(span_of(value, masked), int)):
                continue
            if argument.type in SPANNED:
                if (index := span_of(value, masked)) is not None:
                    span = masked.spans[index]
                    chosen[slot_of(tool, name, span, given, latest=is_latest(span, masked.said))] = index
            elif alone and swallows(name, value, masked.said):
                continue
            elif not self._use.grounding:
                words[name] = value
            elif (kept := grounded(name, value, masked.said, world)) is not None:
                words[name] = kept
        return words, chosen


def _asked_for(tool: Tool, text: str) -> bool:
    """Whether the sentence has words for what takes away or remembers: "remind me of the dentist" must not become a
    cancellation, and what somebody merely tells is not kept."""
    short = tool.name.partition(".")[2]
    return (short not in TAKING or takes_away(text)) and (short != "remember" or bids_remember(text))


_EXAMPLES = 2
_NOT_DONE = "Nothing of that has been done: write the act: line that does it."
_TALK = 0.3
_TALKLIKE = 0.9
"""Below the first relevance no tool is meant, below the second none if the nearest example is talk. Found with 253
requests in six languages, of which they part all but a few."""
_ACTS = 0.7
_ALL = 0.9
"""A value that is so much of the sentence is no change of one thing: the model copied what it did not understand."""
_WORDS = 3
"""Fewer words (or pairs of Chinese characters) are no request of their own."""
_STOPS = ("\n\n\n",)


@dataclass
class _Attempt:
    """What the model has written so far."""

    written: str = ""
    usage: Usage | None = None
    amends: bool = False
    reply: ReplyReader = field(default_factory=lambda: ReplyReader())


class ReplyReader:
    """Finds the text of `reply: …` while it is being written."""

    def __init__(self) -> None:
        self.text = ""
        self._raw = ""

    def feed(self, piece: str) -> str:
        """The part of the reply that `piece` brings."""
        self._raw += piece
        if not self._raw.startswith(prompt.REPLY):
            return ""
        said = self._raw[len(prompt.REPLY) :]
        new, self.text = said[len(self.text) :], said
        return new


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


def read_elsewhere(step: Step, world: World) -> Step:
    """A call that lacks what a read before it may hold takes it from there ("pay the bill in bill.txt")."""
    if step.kind != "ask" or step.about < 1:
        return step
    call = step.calls[step.about]
    effects = [world.skills.tool(one.tool).declaration.effect for one in step.calls[: step.about]]
    if "read" not in effects:
        return step
    place = len(effects) - 1 - effects[::-1].index("read")
    schema = world.skills.tool(call.tool).schema
    lacking = [name for name in schema.required if name not in call.args]
    looked_up = world.skills.lookups(call.tool.partition(".")[0])
    if not lacking or set(lacking) & looked_up.keys():
        return step
    args = call.args | {name: {"$from": place, "field": name} for name in lacking}
    calls = list(step.calls)
    calls[step.about] = Call(tool=call.tool, args=args)
    return step.model_copy(update={"kind": "call", "calls": tuple(calls), "missing": (), "about": -1, "reply": ""})


def _plain(value: object) -> str:
    return ", ".join(map(str, value)).casefold() if isinstance(value, list) else str(value).casefold()


def _refers(call: Call) -> bool:
    return any(isinstance(value, dict) for value in call.args.values())


def _later(before: Usage | None, now: Usage | None) -> Usage | None:
    """The usage of two requests of one step: what was read is counted once, what was new is added."""
    if before is None or now is None:
        return now or before
    fresh = before.prompt_tokens - before.cached_tokens
    return now.model_copy(update={"cached_tokens": max(0, now.cached_tokens - fresh)})
