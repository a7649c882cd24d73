"""Outward acts after their yes: held, done once, looked for before they are tried again. Knows no mail and no bank.

Law: the row says SENDING, on disk, before a handler may act; whatever ends without a clear answer is UNKNOWN, and an
UNKNOWN act is looked for on the other side before it is done again.
"""

from __future__ import annotations

import asyncio
import logging
import math
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from assistant.config import OutboxSettings
from assistant.errors import ApprovalExpired, AssistantError, Conflict, Rejected, SkillFailed, Uncertain
from assistant.events import ReceiptIssued
from assistant.failpoint import failpoint
from assistant.models import Approval, Language, Notice, Operation, OutboxState, Outcome, Receipt
from assistant.ports import Announcements, Bus, Clock
from assistant.safety.audit import Audit
from assistant.safety.operations import Operations, Row
from assistant.store import Database

_log = logging.getLogger(__name__)
S = OutboxState
T = TypeVar("T")

_OUTCOMES: dict[OutboxState, Outcome] = {
    S.PROPOSED: "queued",
    S.APPROVED: "queued",
    S.SENDING: "queued",
    S.UNKNOWN: "unknown",
    S.DONE: "done",
    S.FAILED: "failed",
    S.CANCELLED: "cancelled",
}
_PARALLEL = 4
_LONGEST_NAP_S = 30.0  # so that a changed clock or a machine that slept is noticed
_LONGEST_LOOK_WAIT_S = 3600.0
_STORE_NOTICE = "outbox-store"
_STORE_RETRY_S = 2.0


class Handlers(Protocol):
    """What really does an act: the skills' `commit` and `reconcile` functions."""

    async def commit(self, operation: Operation) -> str:
        """Do it; returns the other side's id.

        Raises SkillFailed if it certainly did not happen (Rejected: and never will), Uncertain if that can't be known.
        """
        ...

    async def reconcile(self, operation: Operation) -> str | None:
        """Look whether it happened: the other side's id, or None if it certainly did not.

        Raises Uncertain, or anything else, if that can't be known now.
        """
        ...


class Text(Protocol):
    """A sentence of the catalogue. Raises KeyError for an unknown key."""

    def __call__(self, language: str, key: str, /, **data: Any) -> str: ...


class SqlOutbox:
    """Adapter of `ports.Outbox` on the database.

    `db` is a durable connection (`open_database(…, durable=True)`); `hold_s` the time in which an act can be undone;
    `unfinished` (`Approvals.unfinished`) gives what got its yes before a crash but did not get here; `language` is for
    notices that belong to no act.
    """

    def __init__(
        self,
        *,
        db: Database,
        clock: Clock,
        settings: OutboxSettings,
        hold_s: float,
        audit: Audit,
        bus: Bus,
        announcements: Announcements,
        handlers: Handlers,
        text: Text,
        unfinished: Callable[[], Sequence[Approval]] = tuple,
        language: Language = "en",
        commit_timeout_s: float = 120.0,
    ) -> None:
        self._operations = Operations(db, clock, audit)
        self._clock = clock
        self._settings = settings
        self._hold = timedelta(seconds=hold_s)
        self._furthest = timedelta(seconds=max(hold_s, settings.settle_s, _LONGEST_LOOK_WAIT_S, *settings.retry_s))
        self._bus = bus
        self._announcements = announcements
        self._handlers = handlers
        self._text = text
        self._unfinished = unfinished
        self._language = language
        self._timeout_s = commit_timeout_s
        self._busy: set[str] = set()
        self._wake = asyncio.Event()
        self._store_failed = False

    # --- the port ----------------------------------------------------------------------------------------------

    async def submit(self, approval: Approval) -> Receipt:
        """Record a redeemed approval (durably) and hold it. Twice is once: the second time its state is told.

        Raises ApprovalExpired, Conflict, and AssistantError `store.unwritable`: then nothing will happen.
        """
        row, new = self._operations.add(approval, self._clock.now() + self._hold)
        if new:
            self._publish(row)
            self._wake.set()
        return self._receipt(row)

    async def cancel(self, operation: str) -> Receipt:
        """Undo an act that has not left yet. Raises Conflict when it has, NotFound."""
        row = self._operations.get(operation)
        if row.operation.state is not S.APPROVED:
            raise Conflict(f"outbox.not_held_{row.operation.state.lower()}", what=row.operation.prepared.title)
        return self._publish(self._operations.move(row, S.CANCELLED))

    async def list(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Operation]:
        """Newest first."""
        return self._operations.list(open_only=open_only, limit=limit)

    async def resolve(self, operation: str, *, happened: bool) -> Receipt:
        """The person says whether an UNKNOWN act happened; if not, it is held and sent again.

        Raises Conflict when its outcome is known, NotFound.
        """
        row = self._operations.get(operation)
        if row.operation.state is not S.UNKNOWN:
            raise Conflict("outbox.known", what=row.operation.prepared.title)
        if happened:
            return self._publish(self._operations.move(row, S.DONE, problem="", look_at=None))
        moved = self._operations.move(row, S.APPROVED, release_at=self._clock.now() + self._hold, look_at=None)
        self._wake.set()
        return self._publish(moved)

    def after_restore(self) -> Sequence[Operation]:
        """Leave all that an older database takes for open to the person: it may have happened since."""
        moved = self._operations.doubt_all(lambda row: self._text(row.language, "safety.outbox.restored"))
        return [row.operation for row in moved]

    # --- the loop ----------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look for due acts now: the network is back, or the clock was changed."""
        self._wake.set()

    async def run(self) -> None:
        """Release what is due, until cancelled. First, what a crash left behind is taken up."""
        await self._persist(self._take_up)
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                nap = self._release(group)
                try:
                    async with asyncio.timeout(nap):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def _take_up(self) -> None:
        look_at = self._clock.now() + timedelta(seconds=self._settings.settle_s)
        for row in self._operations.in_state(S.SENDING):
            problem = self._text(row.language, "safety.outbox.stopped")
            self._publish(self._operations.move(row, S.UNKNOWN, problem=problem, look_at=look_at, looks=0))
        for row in self._operations.in_state(S.UNKNOWN):
            if row.told:  # by a daemon that has ended: whoever comes now may not have heard it
                self._tell(row, "unknown", row.operation.problem)
        for approval in self._unfinished():
            try:
                row, new = self._operations.add(approval, self._clock.now() + self._hold)
            except (ApprovalExpired, Conflict):
                _log.exception("approval %s can't be taken up", approval.id)
                continue
            if new:
                self._publish(row)

    def _release(self, group: asyncio.TaskGroup) -> float:
        """Start all that is due, at most four at once. Returns the seconds until there can be more to do."""
        now = self._clock.now()
        nap = _LONGEST_NAP_S
        try:
            waiting = [(row.operation.release_at, row) for row in self._operations.in_state(S.APPROVED)]
            waiting += [(row.look_at, row) for row in self._operations.in_state(S.UNKNOWN) if row.look_at]
        except sqlite3.Error as error:
            self._report_store(str(error))
            return _STORE_RETRY_S
        for due, row in sorted(waiting, key=lambda pair: pair[0]):
            if row.operation.id in self._busy:
                continue
            if len(self._busy) >= _PARALLEL:
                break
            if now < due <= now + self._furthest:  # what is to wait longer was written down by a clock that was wrong
                nap = min(nap, (due - now).total_seconds())
                continue
            self._busy.add(row.operation.id)
            group.create_task(self._handle(row))
        return nap

    async def _handle(self, row: Row) -> None:
        try:
            await (self._send(row) if row.operation.state is S.APPROVED else self._look(row))
        except Conflict:
            _log.info("operation %s was changed by somebody else meanwhile", row.operation.id)
        except AssistantError as error:  # nothing was recorded, so nothing was done: it is still due
            self._report_store(str(error.data.get("problem", error)))
            await asyncio.sleep(_STORE_RETRY_S)
        except Exception as error:
            _log.exception("operation %s", row.operation.id)
            current = self._operations.get(row.operation.id)
            if current.operation.state is S.SENDING:
                await self._not_known(current, error)
        finally:
            self._busy.discard(row.operation.id)
            self._wake.set()

    async def _send(self, row: Row) -> None:
        row = self._operations.move(row, S.SENDING, attempts=row.operation.attempts + 1, problem="")
        self._store_works()
        try:
            async with asyncio.timeout(self._timeout_s):
                reference = await self._handlers.commit(row.operation)
        except SkillFailed as error:
            await self._not_done(row, self._sentence(row, error), permanent=isinstance(error, Rejected))
        except (Exception, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # the daemon stops: the row says SENDING, and is looked for at the next start
            await self._not_known(row, error)
        else:
            failpoint("outbox.committed")
            await self._finish(row, S.DONE, reference=reference, problem="")

    async def _look(self, row: Row) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                reference = await self._handlers.reconcile(row.operation)
        except Exception as error:
            await self._still_unknown(row, error)
            return
        failpoint("outbox.looked")
        if reference is not None:
            await self._finish(row, S.DONE, reference=reference, problem="", look_at=None)
        else:
            await self._not_done(row, row.operation.problem, permanent=False)

    async def _not_done(self, row: Row, problem: str, *, permanent: bool) -> None:
        """It certainly did not happen: try again later, or give up and tell."""
        now = self._clock.now()
        waits = self._settings.retry_s
        attempt = max(row.operation.attempts, 1)
        wait = timedelta(seconds=waits[min(attempt, len(waits)) - 1]) if waits else None
        give_up_at = row.operation.created_at + timedelta(hours=self._settings.give_up_h)
        if permanent or wait is None or now + wait > give_up_at:
            moved = await self._finish(row, S.FAILED, problem=problem, look_at=None)
            self._tell(moved, "failed", problem)
        else:
            await self._finish(row, S.APPROVED, problem=problem, release_at=now + wait, look_at=None)

    async def _not_known(self, row: Row, error: BaseException) -> None:
        _log.warning("operation %s: outcome unknown", row.operation.id, exc_info=error)
        look_at = self._clock.now() + timedelta(seconds=self._settings.settle_s)
        await self._finish(row, S.UNKNOWN, problem=self._reason(row, error), look_at=look_at, looks=0)

    async def _still_unknown(self, row: Row, error: Exception) -> None:
        """Look again after twice the time, as long as is tried at all; tell the person once."""
        _log.warning("operation %s: can't be looked up", row.operation.id, exc_info=error)
        now = self._clock.now()
        wait = min(max(self._settings.settle_s, 1.0) * 2.0 ** min(row.looks + 1, 20), _LONGEST_LOOK_WAIT_S)
        give_up_at = row.operation.created_at + timedelta(hours=self._settings.give_up_h)
        look_at: datetime | None = now + timedelta(seconds=wait)
        if look_at is not None and look_at > give_up_at:
            look_at = None
        problem = self._reason(row, error)
        changes: dict[str, Any] = {"problem": problem, "look_at": look_at, "looks": row.looks + 1, "told": 1}
        moved = await self._persist(lambda: self._operations.move(row, S.UNKNOWN, **changes))
        if not row.told:
            self._publish(moved)
            self._tell(moved, "unknown", problem)

    async def _finish(self, row: Row, state: OutboxState, **changes: Any) -> Row:
        moved = await self._persist(lambda: self._operations.move(row, state, **changes))
        self._publish(moved)
        return moved

    async def _persist(self, write: Callable[[], T]) -> T:
        """Write what is known now, however long the disk stays full: until it is written, a crash means UNKNOWN."""
        while True:
            try:
                written = write()
            except (AssistantError, sqlite3.Error) as error:
                if isinstance(error, AssistantError) and error.code != "store.unwritable":
                    raise
                self._report_store(str(error))
                await asyncio.sleep(_STORE_RETRY_S)
            else:
                self._store_works()
                return written

    # --- what people see ---------------------------------------------------------------------------------------

    def _receipt(self, row: Row) -> Receipt:
        operation = row.operation
        now = self._clock.now()
        held = operation.state is S.APPROVED and operation.release_at > now
        case = str(operation.state).lower()
        if operation.state is S.APPROVED:
            case = "retried" if operation.attempts else "held" if held else "approved"
        return Receipt(
            operation=operation.id,
            tool=operation.tool,
            outcome=_OUTCOMES[operation.state],
            summary=self._text(
                row.language,
                f"safety.outbox.{case}",
                title=operation.prepared.title,
                when=operation.release_at,
                wait=timedelta(seconds=max(1, math.ceil((operation.release_at - now).total_seconds()))),
                problem=operation.problem,
            ),
            reference=operation.reference,
            at=now,
            undo_until=operation.release_at if held else None,
        )

    def _publish(self, row: Row) -> Receipt:
        receipt = self._receipt(row)
        self._bus.publish(ReceiptIssued(receipt=receipt, session=row.operation.session))
        if row.operation.state is not S.UNKNOWN:
            self._announcements.withdraw(f"{row.operation.id}:unknown")
        return receipt

    def _tell(self, row: Row, case: str, problem: str) -> None:
        operation = row.operation
        title = operation.prepared.title
        notice = Notice(
            id=f"{operation.id}:{case}",
            title=self._text(row.language, f"safety.outbox.notice_{case}", title=title),
            body=self._text(row.language, f"safety.outbox.notice_{case}_body", title=title, problem=problem),
            skill=operation.tool.partition(".")[0],
            at=self._clock.now(),
            urgent=True,
        )
        self._announcements.keep(notice)

    def _store_works(self) -> None:
        if self._store_failed:
            self._store_failed = False
            self._announcements.withdraw(_STORE_NOTICE)

    def _report_store(self, problem: str) -> None:
        """Log every failure to write; tell the person the first of a row of them."""
        _log.error("the outbox can't be written: %s", problem)
        if self._store_failed:
            return
        self._store_failed = True
        now = self._clock.now()
        notice = Notice(
            id=_STORE_NOTICE,
            title=self._text(self._language, "safety.outbox.notice_store"),
            body=self._text(self._language, "safety.outbox.notice_store_body", problem=problem),
            at=now,
            urgent=True,
        )
        self._announcements.keep(notice)

    def _reason(self, row: Row, error: BaseException) -> str:
        if isinstance(error, Uncertain) and str(error):
            return str(error)
        if isinstance(error, AssistantError):
            return self._sentence(row, error)
        key = "safety.outbox.timeout" if isinstance(error, TimeoutError) else "safety.outbox.crashed"
        return self._text(row.language, key, problem=type(error).__name__)

    def _sentence(self, row: Row, error: AssistantError) -> str:
        try:
            return self._text(row.language, f"error.{error.code}", **error.data)
        except KeyError:
            return self._text(row.language, f"error.{error.default_code}", **error.data)
