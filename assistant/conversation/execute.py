"""From a call to its receipt: references resolved, arguments validated, judged, run, written down.

The only module of the conversation that runs tools. What may run is decided in `safety.policy`; what an outward act
needs before it happens is kept by `safety.approvals` and `safety.outbox`.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from assistant.conversation.leaking import leaks, readers_of
from assistant.conversation.personal import tongue_of
from assistant.conversation.references import refers, resolved
from assistant.conversation.sessions import Sessions
from assistant.conversation.usual import usual_origins
from assistant.conversation.work import Work
from assistant.errors import AssistantError, Conflict, NotFound, PolicyDenied, Rejected, SkillFailed
from assistant.failpoint import failpoint
from assistant.models import (
    Action,
    Approval,
    Call,
    Decision,
    Label,
    Language,
    Observation,
    Origin,
    Prepared,
    PreviewField,
    Receipt,
    Step,
    Turn,
    Verdict,
)
from assistant.safety.approvals import Approvals, hidden
from assistant.safety.audit import Audit
from assistant.safety.limits import Limits, recipient
from assistant.safety.mandate import Grant, Mandate, merged
from assistant.safety.policy import effective_effect, judge
from assistant.safety.provenance import Evidence, recipients
from assistant.safety.words import argument, deed, shown, worded
from assistant.skillkit.context import Context
from assistant.skillkit.contexts import Contexts
from assistant.skillkit.declare import Result
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.planned import not_there

_log = logging.getLogger(__name__)
_ARGS = "args"
"""The payload of a write that waits for a yes: its arguments, and nothing else."""


class Executor:
    """Runs calls for a turn."""

    def __init__(
        self,
        *,
        skills: Skills,
        contexts: Contexts,
        approvals: Approvals,
        sessions: Sessions,
        audit: Audit,
        limits: Limits,
    ) -> None:
        self._skills = skills
        self._contexts = contexts
        self._approvals = approvals
        self._sessions = sessions
        self._audit = audit
        self._limits = limits
        self._outbox = contexts.outbox
        self._clock = contexts.clock
        self._text = contexts.catalogue.text

    def now(self) -> datetime:
        """The time of the clock."""
        return self._clock.now()

    def begin(self, turn: Turn, language: Language, said: str, step: Step, told: Sequence[str] = ()) -> Work:
        """The state of a turn whose calls are about to run: what it may do is fixed here, before anything is read.

        `told` is what of the profile the model had before it; its digest counts in any case: a step may have waited.
        """
        pays = any(self._skills.has(one.tool) and self._effect(one) == "money" for one in step.planned)
        payees = self._limits.payees() if pays else frozenset[str]()  # all payments ever: read only where it matters
        user, profile = self._contexts.user(), self._contexts.profile
        known = {profile.digest(tongue_of(user), private=True), *told} - {""} if profile else set(told)
        evidence = Evidence(said, user, language, payees, told=sorted(known))
        if step.via == "intent":
            evidence.shown = self._sessions.shown(turn.session)
        return Work(turn, language, evidence, Mandate(turn.id, merged([self._grant(one) for one in step.planned])))

    async def run(self, call: Call, work: Work) -> Observation | Approval:
        """Run one call. One that needs a yes comes back as the approval it waits for.

        Raises AskAgain, SkillFailed, PolicyDenied.
        """
        tool = self._skills.tool(call.tool)
        if self._skills.planned(tool.skill):  # before anything is judged: no yes is asked for what can't be done
            raise not_there(tool.skill, partial(self._text, work.language))
        given = {name: resolved(tool, name, value, work.observations) for name, value in call.args.items()}
        args = tool.schema.validate(given, self._clock.zone)
        granted = work.mandate.grant(tool.name, args)
        fixed = work.mandate.grants[granted].fixed.keys() if granted is not None else ()
        action = self.action(tool, args, call, fixed, work)
        verdict = self._judged(action, work, planned=granted is not None)
        grant = ("", 0) if granted is None else (work.mandate.name(granted), work.mandate.grants[granted].times)
        if verdict.decision is Decision.ASK and action.effect in ("read", "write"):
            return self._propose(action, self._deferred(tool, action, work), verdict, work, grant)
        context = self._contexts.of(tool.skill, work.language, operation=action.id)
        private = tool.declaration.private  # what was said to have it done is written nowhere else either
        said = deed(tool.name, self._contexts.catalogue, work.language, "") if private else work.turn.text
        outcome = await self._ran(tool, context, action, args, said)
        if isinstance(outcome, Prepared):
            if action.effect == "write":  # others take part in it, as the skill alone could tell: it reaches them
                self._sessions.end_write(action.id)
                action = action.model_copy(update={"effect": "outward"})
                verdict = self._judged(action, work, planned=granted is not None)
            approval = self._propose(action, outcome, verdict, work, grant)
            if verdict.decision is Decision.ASK:
                return approval
            done = await self.approve(self._approvals.decide(approval.id, True, approval.bound_to))
            assert isinstance(done, Observation)  # it is outward already
            observation = done
        elif action.effect in ("outward", "money"):
            raise SkillFailed("skill.bug", tool=tool.name, problem="acted without preparing")
        else:
            observation = self._observation(tool, action, outcome, work.language)
        work.observed(observation)
        if granted is not None:
            work.mandate.use(granted)
        return observation

    async def approve(self, approval: Approval) -> Observation | Approval:
        """Redeem an approved approval and do it: what reaches somebody goes to the outbox. Raises ApprovalExpired.

        A write that turns out to reach others (guests of the event that was picked) is shown as that, for another yes.
        """
        action, language, title = approval.action, approval.language, approval.prepared.title
        if action.effect in ("outward", "money"):
            receipt = await self._outbox.submit(self._approvals.redeem(approval.id, action, approval.prepared))
            origin = Origin(label=Label.TOOL, source=action.tool)
            return Observation(tool=action.tool, text=receipt.summary, origin=origin, receipt=receipt)
        with self._noted(action, title):  # before the yes is used up: no crash leaves it used and nothing told
            redeemed = self._approvals.redeem(approval.id, action, approval.prepared)
            tool = self._skills.tool(action.tool)
            context = self._contexts.of(tool.skill, language, operation=action.id)
            result = await tool.run(context, redeemed.prepared.payload[_ARGS])
        if isinstance(result, Prepared):
            self._sessions.end_write(action.id)
            outward = action.model_copy(update={"id": uuid.uuid4().hex, "effect": "outward"})
            return self._approvals.propose(outward, result, approval.reason, action.session, language=language)
        return self._observation(tool, action, result, language)

    async def withdraw(self, session: str, language: Language) -> None:
        """Take back the newest act, or what waits for a yes, because a corrected one takes its place."""
        waiting = self._approvals.pending(session)
        if waiting:
            self._approvals.decide(waiting[-1].id, False, waiting[-1].bound_to)
            return
        with contextlib.suppress(NotFound, Conflict, Rejected):
            await self.undo(session, language)

    async def undo(self, session: str, language: Language) -> Result | Receipt:
        """Take back the session's newest act, a held outward one or a write. Raises NotFound, Conflict, Rejected."""
        held = [one for one in await self._outbox.list(open_only=True) if one.session == session]
        write = self._sessions.last_undoable(session)
        now = self._clock.now()
        for operation in held:
            newer = write is None or operation.created_at >= write.at
            if newer and operation.state == "APPROVED" and now < operation.release_at:
                return await self._outbox.cancel(operation.id)
        if write is None:
            raise NotFound("conversation.nothing_to_undo")
        if write.record is None or not self._skills.has(write.tool):
            self._sessions.undone(write.operation)  # said once; the next "undo" means what was before it
            raise Rejected("conversation.cannot_undo", tool=write.tool)
        tool = self._skills.tool(write.tool)
        said = self._text(language, "conversation.an_undo")
        self._sessions.begin_write(write.operation, session, write.tool, said)
        try:
            result = await tool.undo(self._contexts.of(tool.skill, language, operation=write.operation), write.record)
        except BaseException:
            self._sessions.end_write(write.operation)
            raise
        with self._written_down(result, language) as told:
            self._sessions.undone(write.operation)
            self._audit.record("undone", operation=write.operation, tool=write.tool)
            self._sessions.wrote(write.operation)
        return told[0]

    async def _ran(
        self, tool: Tool, context: Context, action: Action, args: dict[str, Any], said: str
    ) -> Result | Prepared:
        if action.effect != "write":
            return await tool.run(context, args)
        with self._noted(action, said):
            return await tool.run(context, args)

    @contextlib.contextmanager
    def _noted(self, action: Action, said: str) -> Iterator[None]:
        """Note what begins, so that what a crash cuts off is told of, not forgotten. Who ends it is the caller."""
        self._sessions.begin_write(action.id, action.session, action.tool, said)
        try:
            yield
        except BaseException:
            self._sessions.end_write(action.id)
            raise
        failpoint("write.done")

    @contextlib.contextmanager
    def _written_down(self, result: Result, language: Language) -> Iterator[list[Result]]:
        """What is written after a deed: where that fails (a full disk) the deed is told all the same, and that too."""
        told = [result]
        try:
            yield told
        except (AssistantError, sqlite3.Error) as error:
            _log.error("a deed could not be written down: %s", error)
            sentence = self._text(language, "conversation.not_written_down")
            told[0] = result.model_copy(update={"text": f"{result.text}\n{sentence}".strip()})

    # --- judging -----------------------------------------------------------------------------------------------

    def _grant(self, call: Call) -> Grant:
        """What of a planned call is fixed. A reference is open: its value is yet to be read."""
        if not self._skills.has(call.tool):
            return Grant(call.tool, {}, frozenset())
        schema = self._skills.tool(call.tool).schema
        fixed = {name: value for name, value in call.args.items() if not refers(value)}
        return Grant(call.tool, schema.canonical(fixed, self._clock.zone), frozenset(call.args) - fixed.keys())

    def _effect(self, call: Call) -> str:
        return self._skills.tool(call.tool).declaration.effect

    def action(self, tool: Tool, args: dict[str, Any], call: Call, fixed: Collection[str], work: Work) -> Action:
        """The call with where each value comes from and who would see what: all that the policy looks at."""
        declaration = tool.declaration
        origins = {
            name: self._origin(tool, name, value, call.args.get(name), name in fixed, work)
            for name, value in args.items()
        }
        origins |= usual_origins(tool, args, origins, work.evidence, self._contexts.profile, self._clock.now())
        reached = recipients(args, declaration.reaches, work.evidence.user)
        return Action(
            id=uuid.uuid4().hex,
            tool=tool.name,
            effect=effective_effect(declaration, args),
            args=args,
            origins=origins,
            sensitive=declaration.sensitive,
            traits=declaration.traits,
            leaks=leaks(tool, args, origins, reached, work),
            session=work.turn.session,
        )

    def _origin(self, tool: Tool, name: str, value: Any, raw: Any, fixed: bool, work: Work) -> Origin:
        kind = tool.schema.argument(name).kind.name
        if fixed:
            matters = name in (*tool.declaration.sensitive, *tool.declaration.reaches)
            return work.evidence.before.decided(name, value, kind, matters=matters)
        if not refers(raw):
            origin = work.evidence.trace(name, value, kind)
            chosen = origin.label is Label.TOOL and tool.declaration.picks  # ours, but picked after reading
            return origin.model_copy(update={"label": Label.UNTRUSTED}) if chosen else origin
        seen: Observation = work.observations[raw["$from"]]
        ids = {one.field for one in self._skills.lookups(tool.skill).get(name, ())}
        if raw.get("field") in seen.trusted or raw.get("field") in ids:
            return Origin(label=Label.TOOL, source=seen.tool, readers=seen.origin.readers)
        return seen.origin

    def _judged(self, action: Action, work: Work, *, planned: bool) -> Verdict:
        verdict = judge(action, present=work.turn.present, planned=planned)
        if verdict.decision is Decision.ALLOW and action.effect == "outward" and (work.waits or self._limits.busy()):
            reason = "safety.verdict.behind" if work.waits else "safety.verdict.busy"
            verdict = Verdict(decision=Decision.ASK, reason=reason, data={"tool": action.tool})
        if verdict.decision is Decision.ASK and (why := self._limits.wanted(action, work.evidence.payees)):
            verdict = verdict.model_copy(update={"proof": why})
        self._audit.record(
            "action",
            operation=action.id,
            tool=action.tool,
            effect=action.effect,
            args=self._recorded(action, verdict),
            origins={name: origin.label for name, origin in action.origins.items()},
            verdict=verdict.decision,
            reason=verdict.reason,
        )
        if verdict.decision is Decision.DENY:
            told = self._told(action, verdict, work)
            reason = self._text(work.language, verdict.reason, **told)
            raise PolicyDenied("policy.denied" if planned else "policy.unplanned", tool=told["tool"], reason=reason)
        return verdict

    def _recorded(self, action: Action, verdict: Verdict) -> dict[str, Any]:
        """The arguments as the record keeps them."""
        if self._skills.tool(action.tool).declaration.private:
            return {name: {"withheld": "private"} for name in action.args}
        return hidden(action.args, recipient(action.args)) if verdict.proof else action.args

    def _propose(
        self, action: Action, prepared: Prepared, verdict: Verdict, work: Work, grant: tuple[str, int]
    ) -> Approval:
        reason = self._text(work.language, verdict.reason, **self._told(action, verdict, work))
        proof = ""
        work.waits |= verdict.decision is Decision.ASK
        if verdict.proof:
            proof = self._limits.account_of(action, prepared)
            reason += " " + self._text(work.language, f"safety.proof.{verdict.proof}")
        return self._approvals.propose(
            action, prepared, reason, work.turn.session, language=work.language, proof=proof, grant=grant
        )

    def _deferred(self, tool: Tool, action: Action, work: Work) -> Prepared:
        """A read or a write that is asked about: shown as it will be called."""
        language, catalogue = work.language, self._contexts.catalogue
        fields = tuple(
            PreviewField(
                name=argument(name, catalogue, language),
                value=shown(value, work.observations),
                origin=action.origins.get(name),
            )
            for name, value in action.args.items()
        )
        title = deed(tool.name, catalogue, language, tool.schema.description)
        return Prepared(title=title[:1].upper() + title[1:], fields=fields, payload={_ARGS: action.args})

    def _told(self, action: Action, verdict: Verdict, work: Work) -> dict[str, str]:
        described = self._skills.tool(action.tool).schema.description
        return worded(verdict.data, self._contexts.catalogue, work.language, described)

    # --- done --------------------------------------------------------------------------------------------------

    def _observation(self, tool: Tool, action: Action, result: Result, language: Language) -> Observation:
        receipt = None
        if action.effect == "write":
            with self._written_down(result, language) as told:
                self._sessions.can_undo(action.session, action.id, tool.name, result.undo)
                self._audit.record("receipt", operation=action.id, tool=tool.name, outcome="done")
                self._sessions.wrote(action.id)
            result = told[0]
            receipt = Receipt(
                operation=action.id, tool=tool.name, outcome="done", summary=result.text, at=self._clock.now()
            )
        declaration = tool.declaration
        trusted = tool.trusted and declaration.returns == "tool"
        return Observation(
            tool=tool.name,
            data=result.data,
            text=result.text,
            origin=Origin(
                label=Label.TOOL if trusted else Label.UNTRUSTED,
                source="; ".join(result.sources[:3]) or tool.name,
                readers=None if declaration.public else readers_of(result.data, declaration.readers),
            ),
            trusted=self._trusted_fields(tool),
            receipt=receipt,
        )

    def _trusted_fields(self, tool: Tool) -> tuple[str, ...]:
        if not tool.trusted:
            return ()
        looked_up = {one.field for lookups in self._skills.lookups(tool.skill).values() for one in lookups}
        return tuple(sorted(looked_up.union(tool.declaration.trusted)))
