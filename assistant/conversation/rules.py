"""What code decides of a turn before any model is asked: templates, answers to open questions, what leans on before.

Runs nothing. The order is one of trust: a whole request first, then an answer, then what only the turns before explain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from assistant.conversation.answers import Answer, answer_of
from assistant.conversation.arguments import PEOPLE, World, completed, step_for
from assistant.conversation.filling import SLOTS_OF
from assistant.conversation.focus import Focus, focus_of, numbered
from assistant.conversation.followups import Followed, followed
from assistant.conversation.intents import Match, Sentences
from assistant.conversation.people import known
from assistant.conversation.phrases import phrases
from assistant.conversation.planner import joined
from assistant.conversation.recalling import asked_of, content_of
from assistant.conversation.referring import TAKING, before_it, named_as_shown, pointed, spelled_out
from assistant.conversation.sessions import LEANING, Exchange, OpenQuestion, Sessions
from assistant.conversation.spans import LONG, TOKEN, Masked, abridged, beginning, halves, mask
from assistant.conversation.usual import Wanted, without_usual
from assistant.models import Call, Language, Step, Turn
from assistant.skillkit.loader import Skills

_CORE = "core."
_UNDO = "core.undo"
_ANSWERS = ("core.yes", "core.no", "core.thanks", _UNDO)
"""What is settled before, or is no request of its own."""
_TOUCH = 2
"""A template that matches by fewer letters is no whole request, where a question waits for an answer."""
_SURE = {"en": 8, "zh": 3}
"""So many letters of a template make a half sentence a request of its own."""
_NAME = 4
"""So many words may be somebody's name."""
_GAP = re.compile(r"\s{20,}")
"""No speech: patterns look at each of its places again and again."""
_CLAUSES = re.compile(r"[,，.。!！;；]+|(?<=[一-鿿])\s+")
_BODIES = ("body", "text", "note")


@dataclass(frozen=True)
class Heard:
    """A turn's words, and all that they are read against."""

    said: str
    """As they were said."""
    text: str
    """With the person and the list that pronouns mean."""
    masked: Masked
    language: Language
    world: World
    match: Match | None
    answer: Answer | None
    """What a yes, a no or thanks would be."""
    question: OpenQuestion | None
    focus: Focus
    undone: bool
    """Whether the last act of the session was taken back."""
    undoes: bool
    """Whether they ask to take the last act back."""
    wanted: Wanted | None = None
    """What shall be as usual."""

    @property
    def tool(self) -> str:
        """The tool of the template, but for those of the conversation itself."""
        return self.match.tool if self.match and not self.match.tool.startswith(_CORE) else ""

    @cached_property
    def leaning(self) -> Followed | None:
        """What the words mean after the turns before."""
        asked = self.question is not None
        return followed(self.masked, self.language, self.focus, self.world, undone=self.undone, asked=asked)


@dataclass(frozen=True)
class Half:
    """One of two requests in a sentence, and the words of the other."""

    step: Step
    other: str
    leads: bool
    """Whether it comes first."""

    def with_other(self, step: Step) -> Step:
        """Both, in their order."""
        both = joined([self.step, step] if self.leads else [step, self.step])
        return both.model_copy(update={"via": "model"})


class Rules:
    """Templates and what a conversation remembers, together."""

    def __init__(
        self, sentences: Sentences, skills: Skills, sessions: Sessions, help: Callable[[Language], str]
    ) -> None:
        self._sentences = sentences
        self._skills = skills
        self._sessions = sessions
        self._help = help

    def hear(self, turn: Turn, language: Language, world: World) -> Heard:
        """Read a turn against its session."""
        focus = focus_of(self.history(turn.session, LEANING), world.user)
        words, wanted = without_usual(_GAP.sub(" ", turn.text))
        if len(words) > LONG:
            return self._hear_long(words, turn, language, world, focus)
        text = spelled_out(words, focus, language, world.now)
        masked = mask(text, world.now)
        match = self._sentences.match(masked, language, world.user)
        core_tool = partial(self._core_tool, language, world)
        answer, question = answer_of(words, language, core_tool), self._question(turn.session)
        if question and answer == "no_and_more":
            rest = text if match else _CLAUSES.split(text, maxsplit=1)[-1].strip()
            other = match or self._sentences.match(mask(rest, world.now), language, world.user)
            if other and not other.tool.startswith(_CORE):  # "hang on, what time is it?": the question stays
                text, masked, match, answer = rest, mask(rest, world.now), other, None
        return Heard(
            said=turn.text,
            text=text,
            masked=masked,
            language=language,
            world=world,
            match=match,
            answer=answer,
            question=question,
            focus=focus,
            undone=self._sessions.last_is_undone(turn.session),
            undoes=match.tool == _UNDO if match else _undoes(words, language, core_tool),
            wanted=wanted,
        )

    def _hear_long(self, words: str, turn: Turn, language: Language, world: World, focus: Focus) -> Heard:
        """A text that is no yes or no: a template may know how it begins, and the model reads the rest of it."""
        text = abridged(words)
        masked = beginning(words, world.now)
        match = self._sentences.match(masked, language, world.user)
        if match is None or match.tool.startswith(_CORE):
            masked, match = mask(text, world.now), None
        return Heard(
            said=turn.text,
            text=text,
            masked=masked,
            language=language,
            world=world,
            match=match,
            answer=None,
            question=self._question(turn.session),
            focus=focus,
            undone=self._sessions.last_is_undone(turn.session),
            undoes=False,
        )

    def history(self, session: str, limit: int) -> list[Exchange]:
        """The last turns; of a skill that is there no more, nothing but the words."""
        return [
            one if self._there(one.calls) else replace(one, calls=(), data=None)
            for one in self._sessions.history(session, limit)
        ]

    def _question(self, session: str) -> OpenQuestion | None:
        question = self._sessions.question(session)
        return question if question and question.step.missing and self._there(question.step.calls) else None

    def _there(self, calls: Sequence[Call]) -> bool:
        return all(self._skills.has(call.tool) for call in calls)

    def warm(self) -> None:
        """Make the first turns as quick as all others; takes a second or two."""
        self._sentences.warm()

    def decided(self, heard: Heard) -> Followed | None:
        """The step of a whole request, or of one that leans on the turns before; None where a model must be asked."""
        if heard.tool.partition(".")[2] in TAKING and phrases(heard.language)["one_of"].search(heard.text):
            if heard.leaning and heard.leaning.step.kind == "call":
                return heard.leaning  # "scrap the one about the house": one of those that were shown, whatever they are
        if heard.leaning and heard.leaning.sure:
            return heard.leaning
        if heard.match and heard.match.tool not in _ANSWERS and not self._recalls(heard):
            two = self._swallowed(heard.match, heard.masked, heard.world, heard.language)
            step = two or self.step_of(heard.match, heard.masked, heard.world, heard.language)
            return Followed(step if two else settled(step, heard))
        if heard.leaning:
            return heard.leaning
        parts = self.by_parts(heard.masked, heard.world, heard.language) or self._reasoned(heard)
        return Followed(parts) if parts else None

    def known(self, text: str, world: World, language: Language) -> Step | None:
        """The step of a sentence, or of two in one, that templates know without the turns before."""
        masked = beginning(text, world.now) if len(text) > LONG else mask(text, world.now)
        return self.by_template(masked, world, language) or self.by_parts(masked, world, language)

    def by_template(self, masked: Masked, world: World, language: Language) -> Step | None:
        """The step of a sentence that a template knows."""
        match = self._sentences.match(masked, language, world.user)
        if match is None or (masked.rest and match.tool.startswith(_CORE)):
            return None
        return self._swallowed(match, masked, world, language) or self.step_of(match, masked, world, language)

    def _swallowed(self, match: Match, masked: Masked, world: World, language: Language) -> Step | None:
        """Both requests, where a short text of one has taken in the other: "for pizza and remind me tomorrow …"."""
        short = (words for name, words in match.slots.items() if name not in _BODIES and name not in PEOPLE)
        return self.by_parts(masked, world, language) if any(halves(words) for words in short) else None

    def by_parts(self, masked: Masked, world: World, language: Language) -> Step | None:
        """Two whole requests in one sentence, each of which a template knows."""
        for parts in _halves(masked):
            steps = [self.by_template(mask(part, world.now), world, language) for part in parts]
            if all(step is not None and step.calls and step.kind == "call" for step in steps):
                return joined([step for step in steps if step is not None])
        return None

    def _reasoned(self, heard: Heard) -> Step | None:
        """Something that goes, and why: "the plant reminder can go, my neighbour waters them"."""
        head, comma, why = heard.text.replace("，", ",").rpartition(",")
        if len(head) > LONG or not comma or not phrases(heard.language)["reason"].match(why.strip()):
            return None
        masked = mask(head, heard.world.now)
        match = self._sentences.match(masked, heard.language, heard.world.user)
        if match is None or match.tool.partition(".")[2] not in TAKING or match.literal < _SURE[heard.language]:
            return None
        return settled(self.step_of(match, masked, heard.world, heard.language), heard)

    def half(self, masked: Masked, world: World, language: Language) -> Half | None:
        """Two requests of which a template knows one."""
        for first, second in _halves(masked):
            for part, other, leads in ((first, second, True), (second, first, False)):
                masked_part = mask(part, world.now)
                match = self._sentences.match(masked_part, language, world.user)
                if match is None or match.tool.startswith(_CORE) or match.literal < _SURE[language]:
                    continue
                step = self.step_of(match, masked_part, world, language)
                if step.kind == "call":
                    return Half(step, other, leads)
        return None

    def step_of(self, match: Match, masked: Masked, world: World, language: Language) -> Step:
        """The step of a match."""
        if match.tool.startswith(_CORE):
            return Step(kind="reply", reply=self._help(language) if match.tool == "core.help" else "", via="intent")
        tool = self._skills.tool(match.tool)
        return step_for(tool, {**match.slots, **match.fixed}, match.times, masked, world, "intent")

    def answered(self, heard: Heard) -> Step | None:
        """The open question's step, if this turn answers it. A whole new request is a change of topic, after which
        the question may be taken up again by words of what it was about."""
        question = heard.question
        if question is None or heard.answer is not None or (heard.tool and _literal(heard) > _TOUCH):
            return None
        step = question.step
        call = step.calls[step.about]
        asked = self._skills.tool(call.tool).schema.argument(step.missing[0])
        if heard.wanted is not None and heard.wanted.bare:
            return step
        valued = SLOTS_OF.get(asked.type, ())
        number = numbered(heard.said, heard.language)
        if number is not None and number < len(step.choices) and not question.suspended:
            return completed(step, step.choices[number], heard.masked, heard.world)
        if question.suspended:
            about = content_of(" ".join(str(value) for value in call.args.values()), heard.language)
            if not valued or not (about & content_of(heard.text, heard.language) or _says_a_value(heard)):
                return None
        elif heard.leaning and not valued and heard.leaning.step.kind != "reply":
            return None
        elif not valued and asked.name in PEOPLE and not (step.choices or _names_somebody(heard)):
            return None
        said = phrases(heard.language)["dictated"].sub("", heard.said) if asked.name in _BODIES else heard.said
        return completed(step, said, heard.masked, heard.world)

    def _recalls(self, heard: Heard) -> bool:
        """Whether a question that a template takes for a search speaks of what another skill has just shown."""
        match, newest = heard.match, heard.focus.newest
        if match is None or newest is None or match.tool.startswith(_CORE):
            return False
        skill = match.tool.partition(".")[0]
        searches = "query" in match.slots or self._skills.planned(skill)
        if not searches or newest.skill == skill or self._skills.tool(match.tool).declaration.effect != "read":
            return False
        return asked_of(heard.text, heard.language, heard.focus, heard.world) is not None

    def _core_tool(self, language: Language, world: World, clause: str) -> str:
        match = self._sentences.match(mask(clause, world.now), language)
        return match.tool if match and match.tool.startswith(_CORE) else ""


def _undoes(text: str, language: Language, core_tool: Callable[[str], str]) -> bool:
    """ "Take that back, I'll write it down myself", 周二不行，撤销刚才那步: beside the comma stands why."""
    first, *rest = [part.strip() for part in _CLAUSES.split(text) if part.strip()] or [""]
    if rest and core_tool(first) == _UNDO:
        return True
    return len(rest) == 1 and core_tool(rest[0]) == _UNDO and bool(phrases(language)["reason"].match(first))


def _halves(masked: Masked) -> list[tuple[str, str]]:
    """The ways to cut a sentence in two; a long text is not cut."""
    return [] if masked.rest or len(masked.said) > LONG else halves(masked.said, masked.spans)


def settled(step: Step, heard: Heard) -> Step:
    """The step with what it points at put in, whoever decided it."""
    step = pointed(step, heard.text, heard.focus, heard.language, heard.world)
    step = named_as_shown(step, heard.focus, heard.language)
    return before_it(step, heard.text, heard.focus, heard.language, heard.world)


def _literal(heard: Heard) -> int:
    return heard.match.literal if heard.match else 0


def _says_a_value(heard: Heard) -> bool:
    """Whether the turn is a time or an amount alone, and no correction of what was done."""
    how = phrases(heard.language)
    rest = how["around"].sub(" ", re.sub(TOKEN, " ", heard.masked.text))
    said = bool(re.search(TOKEN, heard.masked.text)) and not re.search(r"[^\W_]", rest)
    return said and not how["sure"].search(heard.text)


def _names_somebody(heard: Heard) -> bool:
    """Whether an answer can be a person: one who is known, an address, or few words."""
    said = heard.said.strip()
    return "@" in said or bool(known(said, heard.world.user)) or len(re.findall(r"\w+", said)) <= _NAME
