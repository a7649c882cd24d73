"""Real parts of the safety core on a file of its own, with a clock that tests move and a handler that tests script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.clock import FrozenClock
from assistant.config import OutboxSettings
from assistant.events import Event, Noticed, ReceiptIssued
from assistant.locale.catalogue import Catalogue
from assistant.models import Action, Approval, Notice, Operation, OutboxState, Prepared, PreviewField
from assistant.safety.approvals import Approvals
from assistant.safety.audit import Audit
from assistant.safety.outbox import SqlOutbox
from assistant.store import open_database

KEY = bytes(range(32))
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CATALOGUE = Catalogue()
_count = itertools.count(1)


def mail(to: str = "anna@example.org", body: str = "Friday works.") -> tuple[Action, Prepared]:
    """An outward action and what it prepared."""
    action = Action(
        id=f"op{next(_count)}",
        tool="email.send",
        effect="outward",
        args={"to": [to], "subject": "Friday", "body": body},
        sensitive=("to", "body"),
        session="s1",
    )
    prepared = Prepared(
        title=f"Mail to {to}",
        fields=(PreviewField(name="to", value=to),),
        body=body,
        payload={"to": [to], "body": body},
    )
    return action, prepared


class Listener:
    """A bus that remembers, and the announcements on it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept: dict[str, str] = {}

    def publish(self, event: Event) -> None:
        self.events.append(event)

    def keep(self, notice: Notice) -> None:
        self.events.append(Noticed(notice=notice))
        self.kept[notice.id] = notice.title

    def withdraw(self, notice: str) -> None:
        self.kept.pop(notice, None)

    @property
    def outcomes(self) -> list[str]:
        return [event.receipt.outcome for event in self.events if isinstance(event, ReceiptIssued)]

    @property
    def notices(self) -> list[str]:
        return [event.notice.title for event in self.events if isinstance(event, Noticed)]


@dataclass
class OtherSide:
    """A handler: `on_commit` and `on_reconcile` say what happens; what it did stands in `done`."""

    on_commit: Callable[[Operation], Awaitable[str]] | None = None
    on_reconcile: Callable[[Operation], Awaitable[str | None]] | None = None
    done: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    async def commit(self, operation: Operation) -> str:
        if self.on_commit is not None:
            return await self.on_commit(operation)
        return self.do(operation)

    async def reconcile(self, operation: Operation) -> str | None:
        self.looked.append(operation.id)
        if self.on_reconcile is not None:
            return await self.on_reconcile(operation)
        return f"ref-{operation.id}" if operation.id in self.done else None

    def do(self, operation: Operation) -> str:
        """Do the act."""
        self.done.append(operation.id)
        return f"ref-{operation.id}"


class World:
    """Everything an outbox stands on. `restart()` is what a kill leaves: the file."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.file = folder / "assistant.db"
        self.clock = FrozenClock(START)
        self.settings = OutboxSettings.model_validate({"settle_s": 20, "retry_s": [5, 30], "give_up_h": 1} | settings)
        self.bus = Listener()
        self.side = OtherSide()
        self.task: asyncio.Task[None] | None = None
        self.start()

    def start(self) -> None:
        """Open the database and put the parts together, as the daemon does."""
        self.db = open_database(self.file, durable=True)
        self.audit = Audit(self.db, self.clock)
        self.approvals = Approvals(self.db, self.clock, KEY, 900, audit=self.audit)
        self.outbox = SqlOutbox(
            db=self.db,
            clock=self.clock,
            settings=self.settings,
            hold_s=10,
            audit=self.audit,
            bus=self.bus,
            announcements=self.bus,
            handlers=self.side,
            text=CATALOGUE.text,
            unfinished=self.approvals.unfinished,
            commit_timeout_s=0.5,
        )

    def approved(self, to: str = "anna@example.org") -> Approval:
        """A mail that was shown and got its yes."""
        action, prepared = mail(to)
        approval = self.approvals.propose(action, prepared, "It reaches other people.", "s1")
        self.approvals.decide(approval.id, True, approval.bound_to)
        return self.approvals.redeem(approval.id, action, prepared)

    async def submitted(self) -> str:
        """A mail in the outbox; its operation's id."""
        return (await self.outbox.submit(self.approved())).operation

    def run(self) -> None:
        """Start the outbox's loop."""
        self.task = asyncio.get_running_loop().create_task(self.outbox.run())

    async def stop(self) -> None:
        """Stop the loop the way a daemon that ends does."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
            self.task = None

    async def restart(self) -> None:
        """A new process on the same file."""
        await self.stop()
        self.db.close()
        self.start()

    async def later(self, seconds: float) -> None:
        """Move the clock."""
        self.clock.at += timedelta(seconds=seconds)
        self.outbox.wake()
        await asyncio.sleep(0)

    def operation(self, id: str) -> Operation:
        """As it stands in the table."""
        return next(one for one in self.outbox._operations.list(open_only=False, limit=100) if one.id == id)

    def history(self, id: str) -> list[str]:
        """The states it went through."""
        return [str(state) for state, _, _ in self.outbox._operations.history(id)]

    async def until_true(self, condition: Callable[[], bool]) -> None:
        """Wait (real time) until the condition holds."""
        for _ in range(1000):
            if condition():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never came true")

    async def until(self, id: str, state: OutboxState) -> Operation:
        """Wait (real time) until the operation is in `state`."""
        for _ in range(1000):
            if (found := self.operation(id)).state is state:
                return found
            await asyncio.sleep(0.005)
        raise AssertionError(f"still {found.state}, not {state}: {self.history(id)}")
