"""A conversation with the daemon from a terminal: a turn, its events, its approvals. For ask, chat and run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from assistant.cli.exits import ExitCode
from assistant.cli.render import Printer, show_approval, show_notice, wanted
from assistant.cli.shell import Shell, is_no, is_yes, short_id
from assistant.client import Client, RemoteProblem, ensure_running
from assistant.errors import AssistantError
from assistant.events import Event, Failed, Noticed, Question, Reply
from assistant.models import Approval

_CANCEL_TIMEOUT = 3  # seconds a Ctrl-C waits for the daemon to take note


@dataclass
class Outcome:
    """What came of a turn."""

    events: list[Event] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    """Those that were not answered yet."""
    failed: bool = False
    """An answer to an approval came to nothing."""

    @property
    def reply(self) -> str:
        """The last reply or question, or the sentence of the failure."""
        for event in reversed(self.events):
            if isinstance(event, Reply | Question):
                return event.text
            if isinstance(event, Failed):
                return event.message
        return ""

    @property
    def exit(self) -> ExitCode:
        """The exit code that tells it to a script."""
        if self.approvals:
            return ExitCode.WAITING
        failed = self.failed or any(isinstance(event, Failed) for event in self.events)
        return ExitCode.FAILED if failed else ExitCode.OK


class Talk:
    """A conversation. Questions to the person are asked between the runs of the event loop, so that Ctrl-C works there.

    `quiet` prints nothing (for `--json`).
    """

    def __init__(self, shell: Shell, *, session: str | None, present: bool, quiet: bool = False) -> None:
        self._shell = shell
        self._session = session
        self._present = present
        self._quiet = quiet
        self._runner = asyncio.Runner()
        self._client: Client = shell.client()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(RuntimeError):
            self._runner.run(self._client.close())
        self._runner.close()

    def connect(self) -> None:
        """Start the daemon if it does not run."""
        self._runner.run(ensure_running(self._shell.paths))

    def turn(self, text: str) -> Outcome:
        """Say something and show what comes. Ctrl-C stops it (KeyboardInterrupt)."""
        events = self._client.turn(text, session=self._session, surface="cli", present=self._present)
        return self._runner.run(self._follow(events))

    def undo(self) -> Outcome:
        """Take back the last thing that was done."""
        return self._runner.run(self._follow(self._client.undo(self._session or "")))

    def decide(self, approval: Approval, *, approve: bool, proof: str = "") -> Outcome:
        """Answer an approval and show what follows. Where a yes is not enough, the rest is asked for.

        Raises RemoteProblem, also for a proof that is wrong or that nobody gave.
        """
        while True:
            asked = bool(approve and approval.proof and not proof and self._present and self._shell.interactive)
            typed = self._shell.ask("approvals.prove", account=approval.proof) if asked else proof
            events = self._client.decide(approval.id, approve=approve, bound_to=approval.bound_to, proof=typed)
            try:
                return self._runner.run(self._follow(events))
            except RemoteProblem as problem:
                if not asked or not typed or problem.code != "approval.wrong_proof":
                    raise
                self.tell(problem)

    def tell(self, problem: RemoteProblem) -> None:
        """Say what the daemon did not take."""
        self._shell.note(problem.message, style="red")
        if problem.mend:
            self._shell.note(problem.mend, style="")

    def settle(self, outcome: Outcome) -> Outcome:
        """Show each approval of an outcome and ask for it; what follows, and what is left, is the new outcome.

        Where nobody can be asked, it is shown and said how to answer it later.
        """
        settled = Outcome(events=list(outcome.events), failed=outcome.failed)
        waiting = list(outcome.approvals)
        while waiting:
            approval = waiting.pop(0)
            show_approval(self._shell, approval)
            answer = _yes_no_later(self._shell) if self._present and self._shell.interactive else None
            if answer is None:
                settled.approvals.append(approval)
                tell_how(self._shell, [approval])
                continue
            try:
                further = self.decide(approval, approve=answer)
            except RemoteProblem as problem:  # expired or answered elsewhere meanwhile, or not proven
                self.tell(problem)
                if problem.code == "approval.proof_wanted":
                    settled.approvals.append(approval)
                    tell_how(self._shell, [approval])
                else:
                    settled.failed = True
                continue
            settled.events += further.events
            waiting += further.approvals
        return settled

    async def _follow(self, events: AsyncGenerator[Event, None]) -> Outcome:
        outcome = Outcome()
        printer = Printer(self._shell)
        if not self._quiet:
            printer.think()
        async with contextlib.aclosing(events):
            try:
                async for event in events:
                    outcome.events.append(event)
                    approval = wanted(event)
                    if approval is not None:
                        outcome.approvals.append(approval)
                    if not self._quiet:
                        printer.show(event)
            except asyncio.CancelledError:
                printer.end()
                await self._cancel(outcome)
                raise
            finally:
                if not self._quiet:
                    printer.end()
        return outcome

    async def _cancel(self, outcome: Outcome) -> None:
        turn = next((event.turn for event in outcome.events if event.turn), "")
        if turn:
            with contextlib.suppress(AssistantError, TimeoutError):
                async with asyncio.timeout(_CANCEL_TIMEOUT):
                    await self._client.cancel_turn(turn)


async def follow_notices(shell: Shell, client: Client, shown: Callable[[], None]) -> None:
    """Print what the daemon says unasked, until it goes or the task is cancelled; `shown` is called after each."""
    async with contextlib.aclosing(client.events()) as events:
        async for event in events:
            if isinstance(event, Noticed):
                shell.line("")
                show_notice(shell, event.notice)
                shown()


def tell_how(shell: Shell, approvals: list[Approval]) -> None:
    """How to answer approvals later."""
    for approval in approvals:
        key = "approvals.how_proof" if approval.proof else "approvals.how"
        shell.note(shell.text(key, id=short_id(approval.id)), style="bold")


def _yes_no_later(shell: Shell) -> bool | None:
    while True:
        answer = shell.ask("approvals.prompt", default="l")
        if is_yes(answer):
            return True
        if is_no(answer):
            return False
        if answer.casefold() in {"l", "later", "稍后", "以后"}:
            return None
