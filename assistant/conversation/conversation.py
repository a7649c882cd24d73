"""One turn, from words to receipt: templates, then the model, then code that checks and runs. The one way in.

Renders nothing and knows no surface; every surface gets the same stream of events.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from weakref import WeakValueDictionary

from assistant.concealed import redact
from assistant.config import ConversationSettings
from assistant.conversation.acting import Acting
from assistant.conversation.answers import proof_of
from assistant.conversation.arguments import World
from assistant.conversation.claims import claims_a_deed
from assistant.conversation.deciding import Decider, Plans
from assistant.conversation.execute import Executor
from assistant.conversation.intents import Sentences
from assistant.conversation.language import detect, supported
from assistant.conversation.planner import Planned
from assistant.conversation.record import Record
from assistant.conversation.rules import Heard, Rules, settled
from assistant.conversation.sessions import Sessions
from assistant.conversation.spans import abridged, mask
from assistant.conversation.usual import as_usual, offered
from assistant.errors import AskAgain, AssistantError, Cancelled, Rejected, SkillFailed
from assistant.events import (
    ApprovalWanted,
    Event,
    Failed,
    ReceiptIssued,
    Token,
    ToolStarted,
    TurnDone,
    TurnStarted,
)
from assistant.locale import Catalogue
from assistant.models import Approval, Language, Observation, Plan, Priority, Receipt, Step, Turn, UserContext
from assistant.ports import Clock, Profile, Users
from assistant.safety.approvals import Approvals, masked
from assistant.skillkit.loader import Skills
from assistant.skillkit.planned import not_there
from assistant.store import is_damage

_log = logging.getLogger(__name__)
_LONGEST = 20_000
"""Characters of a turn: a dozen pages."""
_PROFILE = "profile."
_FORGETS = "profile.forget"
"""What was said to have something forgotten names it, and is forgotten with it."""
_BARE_ANSWER = 2
"""So few words may answer a question in another script: a name, a number with its unit."""


class Conversation:
    """Takes turns and streams what becomes of them."""

    def __init__(
        self,
        *,
        sentences: Sentences,
        planner: Plans,
        executor: Executor,
        sessions: Sessions,
        approvals: Approvals,
        skills: Skills,
        users: Users,
        clock: Clock,
        catalogue: Catalogue,
        settings: ConversationSettings,
        templates: bool = True,
        profile: Profile | None = None,
    ) -> None:
        self._profile = profile
        self._rules = Rules(sentences, skills, sessions, self._help)
        self._decider = Decider(planner, self._rules, templates=templates)
        self.executor = executor
        self._acting = Acting(self._decider, executor, skills, sessions, catalogue, settings.max_steps, profile)
        self._sessions = sessions
        self._approvals = approvals
        self._skills = skills
        self._users = users
        self._clock = clock
        self._catalogue = catalogue
        self._settings = settings
        self._templates = templates
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # gone with their last turn

    async def turn(self, turn: Turn) -> AsyncIterator[Event]:
        """All events of the turn, in order, `TurnDone` last. Turns of one session wait for each other."""
        async with self._locks.setdefault(turn.session, asyncio.Lock()):
            record = Record(turn, self._language(turn), time.monotonic())
            try:
                async for event in self._guarded(self._take(turn, record), record):
                    yield event
            finally:
                self._hear(record)

    async def decide(
        self, approval: str, *, approve: bool, bound_to: str | None, turn: Turn, proof: str = ""
    ) -> AsyncIterator[Event]:
        """Answer an approval from a surface's buttons; the events are those of a turn."""
        async with self._locks.setdefault(turn.session, asyncio.Lock()):
            record = Record(turn, self._language(turn), time.monotonic())
            async for event in self._guarded(self._answer(approval, approve, bound_to, turn, record, proof), record):
                yield event

    async def undo(self, turn: Turn) -> AsyncIterator[Event]:
        """Take back the newest act of the turn's session."""
        async with self._locks.setdefault(turn.session, asyncio.Lock()):
            record = Record(turn, self._language(turn), time.monotonic())
            async for event in self._guarded(self._undo(turn, record), record):
                yield event

    async def warm(self, after_s: float = 5.0) -> None:
        """Make the first turns as quick as all others, once whoever started the daemon has had an answer."""
        await asyncio.sleep(after_s)
        await asyncio.to_thread(self._rules.warm)
        gc.freeze()  # what is parsed stays: the collector need not go over 200,000 objects in the middle of a turn

    async def plan(
        self, text: str, *, now: datetime | None = None, user: UserContext | None = None, language: str | None = None
    ) -> Plan:
        """What a turn would do, without doing any of it: reads included (DESIGN §6)."""
        started = time.monotonic()
        _check_length(text)
        tongue = supported(language) or detect(text)
        world = self._world(tongue, now, user)
        planned = Planned.free(self._rules.known(text, world, tongue) if self._templates else None)
        if planned is None:
            read = abridged(text)
            masked = mask(read, world.now)
            async for piece in self._decider.decide(read, masked, world, tongue, (), Priority.PERSON):
                planned = piece if isinstance(piece, Planned) else planned
        assert planned is not None
        step, usage = planned.step, planned.usage
        return Plan(
            kind=step.kind,
            calls=step.calls,
            missing=step.missing,
            reply=step.reply or self._question(step, tongue),
            via=step.via,
            ms=round((time.monotonic() - started) * 1000),
            prompt_tokens=usage.prompt_tokens if usage else None,
            uncached_tokens=usage.prompt_tokens - usage.cached_tokens if usage else None,
        )

    # --- one turn ----------------------------------------------------------------------------------------------

    async def _take(self, turn: Turn, record: Record) -> AsyncIterator[Event]:
        _check_length(turn.text)
        heard = self._rules.hear(turn, record.language, self._world(record.language, None, None))
        taken = self._short_answer(heard, turn, record)
        if taken is not None:
            async for event in taken:
                yield event
            return
        step = await self._by_code(heard, record)
        if step is None:
            priority = Priority.PERSON if turn.present else Priority.AUTOMATION
            history = self._rules.history(turn.session, self._settings.history_turns)
            async for piece in self._decider.decide(
                heard.text, heard.masked, heard.world, heard.language, history, priority
            ):
                if isinstance(piece, Planned):
                    step, record.told = self._as_usual(settled(piece.step, heard), heard), piece.told
                    if piece.replaces and step.kind == "call":
                        await self.executor.withdraw(turn.session, heard.language)
                else:
                    yield Token(turn=turn.id, session=turn.session, text=piece)
        assert step is not None
        async for event in self._follow(step, turn, record):
            yield event

    def _short_answer(self, heard: Heard, turn: Turn, record: Record) -> AsyncIterator[Event] | None:
        """Yes, no, undo, thanks: to what waits for a yes, to the open question, or to nothing."""
        waiting = self._approvals.pending(turn.session) if turn.present else []
        proving = [one for one in waiting if one.proof]
        if proving and not heard.answer and not heard.undoes and (typed := proof_of(turn.text)):
            return self._yes_or_no(True, proving, turn, record, typed)
        if waiting and heard.answer in ("yes", "no"):
            return self._yes_or_no(heard.answer == "yes", waiting, turn, record)
        if heard.undoes and not (heard.undone and heard.leaning):
            return self._undo(turn, record)
        if heard.answer in ("no", "no_and_more") and (waiting or heard.question) and not heard.leaning:
            if waiting:
                return self._yes_or_no(False, waiting, turn, record)
            self._sessions.drop_question(turn.session)
            return self._saying(record, "conversation.dropped")
        if heard.answer == "thanks":
            return self._saying(record, "conversation.welcome")
        if heard.answer in ("yes", "no") and not heard.question and not (heard.leaning and heard.leaning.sure):
            return self._saying(record, "conversation.nothing_waits")
        return None

    async def _saying(self, record: Record, key: str) -> AsyncIterator[Event]:
        yield record.say(self._text(record.language, key), "intent")

    async def _by_code(self, heard: Heard, record: Record) -> Step | None:
        """What templates, an open question and the turns before decide, without a model."""
        answered = self._rules.answered(heard)
        if answered is not None and heard.question is not None:
            self._sessions.drop_question(record.turn.session)
            record.said = f"{heard.question.said}\n{record.said}"
            return self._as_usual(answered, heard)
        decided = self._rules.decided(heard)
        if decided is None:
            return None
        if decided is heard.leaning:
            record.said = "\n".join([*(shown.said for shown in reversed(heard.focus.shown)), record.said])
        record.data = decided.data
        if decided.replaces and decided.step.kind == "call":
            await self.executor.withdraw(record.turn.session, heard.language)
        return self._as_usual(decided.step, heard)

    def _as_usual(self, step: Step, heard: Heard) -> Step:
        """The step with what the user asked to be as usual."""
        if self._profile is None or heard.wanted is None:
            return step
        return as_usual(step, heard.wanted, self._profile.habits, self._skills, heard.masked, heard.world.now)

    async def _yes_or_no(
        self, yes: bool, waiting: Sequence[Approval], turn: Turn, record: Record, proof: str = ""
    ) -> AsyncIterator[Event]:
        """A yes is for the one thing that waits; where several do, each must be named. A no is for all of them."""
        if yes and len(waiting) > 1:
            titles = "\n".join(masked(approval).prepared.title for approval in waiting)
            yield record.say(self._text(record.language, "conversation.several_wait", titles=titles), "intent")
            return
        for approval in waiting:
            async for event in self._answer(approval.id, yes, approval.bound_to, turn, record, proof):
                yield event

    async def _follow(self, step: Step, turn: Turn, record: Record) -> AsyncIterator[Event]:
        language = record.language
        if step.kind == "call":
            async for event in self._acting.run(step, record):
                yield event
        elif step.kind == "ask":
            skill = step.calls[-1].tool.partition(".")[0]
            if self._skills.planned(skill):
                raise not_there(skill, partial(self._text, language))
            step = offered(step, self._profile, self._clock.now())
            self._sessions.ask(turn, step)
            yield record.ask(step.reply or self._question(step, language), step.missing, step.choices)
        elif step.kind == "escalate":
            key = "conversation.not_understood" if self._decider.ready else "conversation.no_model"
            yield record.say(self._text(language, key), step.via)
        else:
            said = step.reply
            if step.via == "model" and claims_a_deed(said):
                said = self._text(language, "conversation.nothing_done")
            yield record.say(said, step.via, record.data)

    async def _answer(
        self, approval: str, approve: bool, bound_to: str | None, turn: Turn, record: Record, proof: str = ""
    ) -> AsyncIterator[Event]:
        decided = self._approvals.decide(approval, approve, bound_to, proof)
        done: Observation | None = None
        if not approve:
            yield record.say(
                self._text(record.language, "conversation.refused", title=masked(decided).prepared.title), "intent"
            )
        else:
            outcome = await self.executor.approve(decided)
            if isinstance(outcome, Approval):
                yield ApprovalWanted(turn=turn.id, session=turn.session, approval=outcome)
                title = outcome.prepared.title
                yield record.say(self._text(record.language, "conversation.approval_wanted", title=title), "intent")
            else:
                done = outcome
                if done.receipt:
                    yield ReceiptIssued(turn=turn.id, session=turn.session, receipt=done.receipt)
                yield record.say(done.text, "intent", done.data)
        async for event in self._acting.answered(decided, done, record):
            yield event

    async def _undo(self, turn: Turn, record: Record) -> AsyncIterator[Event]:
        outcome = await self.executor.undo(turn.session, record.language)
        if isinstance(outcome, Receipt):
            yield ReceiptIssued(turn=turn.id, session=turn.session, receipt=outcome)
            yield record.say(outcome.summary, "intent")
        else:
            yield record.say(outcome.text, "intent")

    async def _guarded(self, events: AsyncIterator[Event], record: Record) -> AsyncIterator[Event]:
        """Begin, end, keep; and turn whatever goes wrong into one sentence."""
        turn = record.turn
        yield record.keep(TurnStarted(turn=turn.id, session=turn.session, text=turn.text))
        try:
            async for event in events:
                yield record.keep(event)
        except (asyncio.CancelledError, GeneratorExit):
            self._store(record)
            raise
        except AssistantError as error:
            if not isinstance(error, SkillFailed | AskAgain | Cancelled):
                _log.warning("turn %s failed: %s", turn.id, error, exc_info=error)
            yield record.keep(self._failed(error, record))
        except sqlite3.DatabaseError as error:
            _log.exception("turn %s could not be written", turn.id)
            code = "store.damaged" if is_damage(error) else "store.unwritable"
            yield record.keep(self._failed(AssistantError(code, problem=str(error)), record))
        except Exception:
            _log.exception("turn %s broke", turn.id)
            yield record.keep(self._failed(AssistantError("internal"), record))
        yield record.keep(TurnDone(turn=turn.id, session=turn.session, ms=record.elapsed_ms(), at=self._clock.now()))
        self._store(record)

    # --- small things ------------------------------------------------------------------------------------------

    def _store(self, record: Record) -> None:
        kept = [event for event in record.events if not isinstance(event, Token)]
        turn = record.turn
        if any(isinstance(event, ToolStarted) and event.tool == _FORGETS for event in kept):
            turn = turn.model_copy(update={"text": ""})
            kept = [event for event in kept if not isinstance(event, TurnStarted | ToolStarted)]
        try:
            self._sessions.keep(turn, record.language, record.reply, record.via, record.elapsed_ms(), kept)
        except sqlite3.Error as error:  # what was done is done and said; the conversation forgets this turn
            _log.error("turn %s could not be kept: %s", record.turn.id, error)

    def _hear(self, record: Record) -> None:
        """What a person said is kept for the profile; what the profile itself was asked or told is its own matter."""
        about_it = any(isinstance(event, ToolStarted) and event.tool.startswith(_PROFILE) for event in record.events)
        turn = record.turn
        if self._profile is None or about_it or not turn.present or len(turn.text) > _LONGEST:
            return
        try:
            self._profile.heard(turn.model_copy(update={"text": redact(turn.text)}), record.language)
        except sqlite3.Error as error:
            _log.error("what turn %s says could not be kept: %s", turn.id, error)

    def _failed(self, error: AssistantError, record: Record) -> Failed:
        message, mend = self._catalogue.explain(error, record.language)
        record.reply = record.reply or message
        return Failed(turn=record.turn.id, session=record.turn.session, code=error.code, message=message, mend=mend)

    def _world(self, language: Language, now: datetime | None, user: UserContext | None) -> World:
        def explain(error: AssistantError) -> str:
            return self._catalogue.explain(error, language)[0]

        text = partial(self._catalogue.text, language)
        return World(now or self._clock.now(), user or self._users.current(), self._skills, explain, text)

    def _language(self, turn: Turn) -> Language:
        """The turn's own; what has no language of its own ("30", or a name as an answer) stays in the last turn's."""
        wanted = supported(turn.language)
        if wanted:
            return wanted
        last = self._sessions.history(turn.session, 1)
        before = supported(last[0].language) if last else None
        found = detect(turn.text, before or "en")
        if before and found != before and len(turn.text.split()) <= _BARE_ANSWER and self._sessions.asks(turn.session):
            return before if turn.text.isascii() else found
        return found

    def _text(self, language: str, key: str, /, **data: object) -> str:
        return self._catalogue.text(language, key, **data)

    def _question(self, step: Step, language: Language) -> str:
        """The question for the first missing argument: the skill's own, the usual one, or one from its description."""
        if step.kind != "ask":
            return ""
        call, name = step.calls[step.about], step.missing[0]
        skill = call.tool.partition(".")[0]
        say = partial(self._text, language)
        for key in (f"{skill}.ask.{name}", f"conversation.ask.{name}"):
            if self._catalogue.has(key):
                return say(key, **{arg: value for arg, value in call.args.items() if isinstance(value, str)})
        described = next(
            (one.description for one in self._skills.tool(call.tool).schema.arguments if one.name == name), ""
        )
        return say("conversation.ask.any", what=described or name.replace("_", " "))

    def _help(self, language: Language) -> str:
        loaded = sorted(self._skills.loaded.items())
        manifests = [skill.manifest for name, skill in loaded if not self._skills.planned(name)]
        lines = [f"• {manifest.description.get(language) or manifest.description['en']}" for manifest in manifests]
        return self._text(language, "conversation.help", skills="\n".join(lines))


def _check_length(text: str) -> None:
    """Raises Rejected for more than can be read while others wait."""
    if len(text) > _LONGEST:
        raise Rejected("conversation.too_long", length=len(text), limit=_LONGEST)
