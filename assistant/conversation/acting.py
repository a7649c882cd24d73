"""A step's calls, one after the other, as a stream of events: run, asked about, or stopped to ask back.

Decides nothing: what may run is the executor's, what comes next the decider's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from assistant.conversation.deciding import Decider
from assistant.conversation.execute import Executor
from assistant.conversation.record import Record
from assistant.conversation.sessions import Sessions
from assistant.conversation.usual import in_order
from assistant.conversation.work import Work
from assistant.errors import AskAgain, AssistantError, PolicyDenied
from assistant.events import ApprovalWanted, Event, ToolFinished, ToolStarted
from assistant.locale import Catalogue
from assistant.models import Approval, Call, Observation, Step
from assistant.ports import Profile
from assistant.safety.approvals import hidden, masked
from assistant.safety.limits import recipient
from assistant.skillkit.loader import Skills
from assistant.values.exact import account

_MOST_PAUSED = 64
"""Of more sessions that never answered, the oldest plan is forgotten; its approval is still there."""


@dataclass(frozen=True)
class _Rest:
    """A step that is under way."""

    work: Work
    step: Step
    place: int = 0
    waits_for: str = ""


class Acting:
    """Runs a step for a turn."""

    def __init__(
        self,
        decider: Decider,
        executor: Executor,
        skills: Skills,
        sessions: Sessions,
        catalogue: Catalogue,
        most: int,
        profile: Profile | None = None,
    ) -> None:
        self._profile = profile
        self._decider = decider
        self._executor = executor
        self._skills = skills
        self._sessions = sessions
        self._catalogue = catalogue
        self._most = most
        self._paused: dict[str, _Rest] = {}
        """By session: what goes on once an approval is answered. Lost with the process, like any unfinished turn."""

    async def run(self, step: Step, record: Record) -> AsyncIterator[Event]:
        """Run the calls of a step, and what the decider adds once it has seen what they gave.

        Raises SkillFailed, PolicyDenied; where what was read wanted something more, the reply tells that instead.
        """
        self._paused.pop(record.turn.session, None)
        work = self._executor.begin(record.turn, record.language, record.said, step, record.told)
        async for event in self._on(_Rest(work, step), record):
            yield event

    async def answered(self, approval: Approval, outcome: Observation | None, record: Record) -> AsyncIterator[Event]:
        """Go on with what waited for this approval: `outcome` is what the yes brought, None after a no."""
        rest = self._paused.get(record.turn.session)
        if rest is None or rest.waits_for != approval.id:
            return
        del self._paused[record.turn.session]
        if isinstance(outcome, Observation):
            rest.work.observed(outcome)
            if approval.grant:
                rest.work.mandate.use(int(approval.grant.rpartition(":")[2]))
        else:
            rest.work.skipped(approval.action.tool)
        async for event in self._on(replace(rest, waits_for="", place=rest.place + 1), record):
            yield event

    async def _on(self, rest: _Rest, record: Record) -> AsyncIterator[Event]:
        work, place = rest.work, rest.place
        following: Step | None = rest.step
        spoken: list[str] = []
        while following is not None and following.kind == "call":
            async for event in self._calls(following, place, work, record, spoken):
                yield event
            if record.asked:
                return
            if record.turn.session in self._paused:
                break
            following, place = await self._decider.go_on(work), 0
        if following is not None and following.kind != "call" and following.reply:
            spoken.append(following.reply)
        if spoken or not record.reply:  # after an answered approval that was the last, all is said
            yield record.say("\n".join(spoken), rest.step.via, work.given[-1].data if work.given else None)

    async def _calls(
        self, step: Step, start: int, work: Work, record: Record, spoken: list[str]
    ) -> AsyncIterator[Event]:
        turn = record.turn
        for place, planned in enumerate(step.calls[start : self._most], start):
            call = planned
            yield ToolStarted(turn=turn.id, session=turn.session, tool=call.tool, args=self._told(call), via=step.via)
            try:
                call = await self._decider.filled(planned, work)
                outcome = await self._executor.run(call, work)
            except AskAgain as asked:
                question = in_order(asked, call.tool, self._profile, self._executor.now())
                yield ToolFinished(turn=turn.id, session=turn.session, tool=call.tool, ok=True)
                if set(question.missing[:1]) <= self._skills.tool(call.tool).schema.properties.keys():
                    self._sessions.ask(turn, self._interrupted(step, place, question))
                message, _ = self._catalogue.explain(question, record.language)
                yield record.ask(message, question.missing, question.choices)
                return
            except PolicyDenied as refusal:
                yield ToolFinished(turn=turn.id, session=turn.session, tool=call.tool, ok=False)
                if refusal.code != "policy.unplanned":
                    raise
                message, _ = self._catalogue.explain(refusal, record.language)
                spoken.append(message)  # what the user asked for goes on
                work.skipped(call.tool)
                continue
            except AssistantError:
                yield ToolFinished(turn=turn.id, session=turn.session, tool=call.tool, ok=False)
                raise
            if isinstance(outcome, Approval):
                yield ToolFinished(turn=turn.id, session=turn.session, tool=call.tool, ok=True)
                shown = masked(outcome)
                yield ApprovalWanted(turn=turn.id, session=turn.session, approval=shown)
                key = "conversation.proof_wanted" if outcome.proof else "conversation.approval_wanted"
                spoken.append(self._catalogue.text(record.language, key, title=shown.prepared.title))
                if outcome.action.effect in ("read", "write"):  # what follows may need what it gives
                    self._paused[turn.session] = _Rest(work, step, place, outcome.id)
                    while len(self._paused) > _MOST_PAUSED:
                        del self._paused[next(iter(self._paused))]
                    return
                work.skipped(call.tool)
            else:
                yield ToolFinished(turn=turn.id, session=turn.session, tool=call.tool, ok=True, receipt=outcome.receipt)
                if outcome.text and (outcome.receipt or planned is step.calls[-1]):
                    spoken.append(outcome.text)

    def _interrupted(self, step: Step, place: int, question: AskAgain) -> Step:
        """What is left of a step that stopped at call `place` to ask: what was written before is not written again."""
        reads = [number for number in range(place) if self._effect(step.calls[number]) == "read"]
        kept = [*reads, *range(place, len(step.calls))]
        calls = []
        for number in kept:
            args = {
                name: value | {"$from": kept.index(value["$from"])} if _refers_to(value, kept) else value
                for name, value in step.calls[number].args.items()
            }
            calls.append(Call(tool=step.calls[number].tool, args=args))
        return step.model_copy(
            update={
                "kind": "ask",
                "calls": tuple(calls),
                "missing": question.missing,
                "choices": question.choices,
                "about": len(reads),
                "reply": "",
            }
        )

    def _told(self, call: Call) -> dict[str, Any]:
        """The arguments without the end of the account that would be paid: a proof may be wanted of it."""
        args: dict[str, Any] = hidden(call.args, account(recipient(call.args)) or "") if self._pays(call) else call.args
        return args

    def _pays(self, call: Call) -> bool:
        return self._skills.has(call.tool) and self._effect(call) == "money"

    def _effect(self, call: Call) -> str:
        return self._skills.tool(call.tool).declaration.effect


def _refers_to(value: object, kept: list[int]) -> bool:
    return isinstance(value, dict) and value.get("$from") in kept
