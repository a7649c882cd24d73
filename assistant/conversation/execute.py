"""From a call to its receipt: references resolved, arguments validated, judged, run, written down.

The only module of the conversation that runs tools. What may run is decided in `safety.policy`; what an outward act
needs before it happens is kept by `safety.approvals` and `safety.outbox`.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from assistant.conversation.origins import of_arguments
from assistant.conversation.sessions import Sessions
from assistant.errors import AskAgain, AssistantError, Conflict, NotFound, PolicyDenied, Rejected, SkillFailed
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
    Receipt,
    Turn,
    Verdict,
)
from assistant.safety.approvals import Approvals
from assistant.safety.audit import Audit
from assistant.safety.policy import effective_effect, judge
from assistant.skillkit.context import Context
from assistant.skillkit.contexts import Contexts
from assistant.skillkit.declare import Result
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.planned import not_there

_log = logging.getLogger(__name__)
_CHOICES = 6


@dataclass
class Work:
    """One turn's state while its calls run."""

    turn: Turn
    language: Language
    said: str
    """All that the user said that the arguments may come from: this turn, and the one it answers."""
    observations: list[Observation] = field(default_factory=list)


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
    ) -> None:
        self._skills = skills
        self._contexts = contexts
        self._approvals = approvals
        self._sessions = sessions
        self._audit = audit
        self._outbox = contexts.outbox
        self._clock = contexts.clock
        self._text = contexts.catalogue.text

    async def run(self, call: Call, work: Work) -> Observation | Approval:
        """Run one call. An outward one comes back as the approval it waits for.

        Raises AskAgain, SkillFailed, PolicyDenied.
        """
        tool = self._skills.tool(call.tool)
        if self._skills.planned(tool.skill):  # before anything is judged: no yes is asked for what can't be done
            raise not_there(tool.skill, partial(self._text, work.language))
        resolved = {name: self._resolve(tool, name, value, work) for name, value in call.args.items()}
        args = tool.schema.validate(resolved, self._clock.zone)
        ids = self._skills.lookups(tool.skill)
        action = Action(
            id=uuid.uuid4().hex,
            tool=tool.name,
            effect=effective_effect(tool.declaration, args),
            args=args,
            origins=of_arguments(args, call.args, work.said, self._contexts.user(), work.observations, ids),
            sensitive=tool.declaration.sensitive,
            session=work.turn.session,
        )
        verdict = judge(action, present=work.turn.present)
        self._record(action, verdict)
        if verdict.decision is Decision.DENY:
            reason = self._text(work.language, verdict.reason, **verdict.data)
            raise PolicyDenied("policy.denied", tool=tool.name, reason=reason)
        context = self._contexts.of(tool.skill, work.language, operation=action.id)
        outcome = await self._ran(tool, context, action, args, work)
        if isinstance(outcome, Prepared):
            reason = self._text(work.language, verdict.reason, **verdict.data)
            return self._approvals.propose(action, outcome, reason, work.turn.session, language=work.language)
        if action.effect in ("outward", "money"):
            raise SkillFailed("skill.bug", tool=tool.name, problem="acted without preparing")
        return self._observed(tool, action, outcome, work)

    async def approve(self, approval: Approval) -> Receipt:
        """Redeem an approved approval and hand the act to the outbox. Raises ApprovalExpired."""
        redeemed = self._approvals.redeem(approval.id, approval.action, approval.prepared)
        return await self._outbox.submit(redeemed)

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
            self._sessions.end_write(write.operation)
        return told[0]

    async def _ran(
        self, tool: Tool, context: Context, action: Action, args: dict[str, Any], work: Work
    ) -> Result | Prepared:
        """Run it. A write is noted before it begins, so that one that a crash cut off is told of, not forgotten."""
        if action.effect != "write":
            return await tool.run(context, args)
        self._sessions.begin_write(action.id, work.turn.session, tool.name, work.turn.text)
        try:
            outcome = await tool.run(context, args)
        except BaseException:
            self._sessions.end_write(action.id)
            raise
        failpoint("write.done")
        return outcome

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

    def _observed(self, tool: Tool, action: Action, result: Result, work: Work) -> Observation:
        receipt = None
        if action.effect == "write":
            with self._written_down(result, work.language) as told:
                self._sessions.can_undo(work.turn.session, action.id, tool.name, result.undo)
                self._audit.record("receipt", operation=action.id, tool=tool.name, outcome="done")
                self._sessions.end_write(action.id)
            result = told[0]
            receipt = Receipt(
                operation=action.id, tool=tool.name, outcome="done", summary=result.text, at=self._clock.now()
            )
        trusted = tool.trusted and tool.declaration.returns == "tool"
        source = "; ".join(result.sources[:3]) or tool.name
        origin = Origin(label=Label.TOOL if trusted else Label.UNTRUSTED, source=source)
        observation = Observation(tool=tool.name, data=result.data, text=result.text, origin=origin, receipt=receipt)
        work.observations.append(observation)
        return observation

    def _resolve(self, tool: Tool, name: str, value: Any, work: Work) -> Any:
        """`{"$from": N, "field": F}` → that field of the items call N found; all of them where a list is wanted."""
        if not (isinstance(value, dict) and "$from" in value):
            return value
        seen = work.observations[value["$from"]]
        items: Sequence[dict[str, Any]] = (seen.data or {}).get("items", [])
        found = [item[value["field"]] for item in items if value["field"] in item]
        if not found:
            raise NotFound("conversation.nothing_found", what=seen.text)
        if tool.schema.argument(name).many:
            return found
        if len(set(map(str, found))) > 1 and tool.declaration.effect != "read":
            choices = [str(item.get("label") or item.get("subject") or item.get("title") or "") for item in items]
            raise AskAgain(
                "conversation.which_one", missing=(name,), choices=[one for one in choices if one][:_CHOICES]
            )
        return found[0]

    def _record(self, action: Action, verdict: Verdict) -> None:
        self._audit.record(
            "action",
            operation=action.id,
            tool=action.tool,
            effect=action.effect,
            args=action.args,
            origins={name: origin.label for name, origin in action.origins.items()},
            verdict=verdict.decision,
            reason=verdict.reason,
        )
