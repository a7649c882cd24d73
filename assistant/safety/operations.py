"""The rows behind the outbox: states, the transitions that are allowed, compare-and-swap, history.

Knows what may follow what; when, and what is done in a state, is the outbox's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assistant.errors import ApprovalExpired, AssistantError, Conflict, NotFound
from assistant.failpoint import failpoint
from assistant.models import Approval, Language, Operation, OutboxState, Prepared
from assistant.ports import Clock
from assistant.safety.audit import Audit
from assistant.safety.records import moment, printable, stamp
from assistant.store import Database

S = OutboxState
ALLOWED: dict[OutboxState, frozenset[OutboxState]] = {
    S.PROPOSED: frozenset({S.APPROVED, S.UNKNOWN}),
    S.APPROVED: frozenset({S.SENDING, S.CANCELLED, S.UNKNOWN}),
    S.SENDING: frozenset({S.DONE, S.FAILED, S.APPROVED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.DONE, S.FAILED, S.APPROVED, S.UNKNOWN}),
    S.DONE: frozenset(),
    S.FAILED: frozenset(),
    S.CANCELLED: frozenset(),
}
"""APPROVED after SENDING: it certainly did not happen and is tried again. UNKNOWN after UNKNOWN: looked, not known.
UNKNOWN after PROPOSED or APPROVED: a backup was restored, and what happened after it is forgotten."""

OPEN = (S.PROPOSED, S.APPROVED, S.SENDING, S.UNKNOWN)


@dataclass(frozen=True)
class Row:
    """An operation as it stands in the table."""

    operation: Operation
    approval: str
    language: Language
    version: int
    """Counts the transitions; a swap names the version it starts from."""
    looks: int
    """How often it was looked for since it became UNKNOWN."""
    told: bool
    """Whether the person was told that its outcome can't be known."""
    look_at: datetime | None


class Operations:
    """The tables `operations` and `operation_history`, on a durable connection."""

    def __init__(self, db: Database, clock: Clock, audit: Audit) -> None:
        self._db = db
        self._clock = clock
        self._audit = audit

    def add(self, approval: Approval, release_at: datetime) -> tuple[Row, bool]:
        """Put a redeemed approval in as APPROVED; the row that is there already if it was put in before, and False.

        Raises ApprovalExpired `approval.not_given` unless the stored approval is used and is for exactly this;
        Conflict `outbox.taken` if another approval has the operation's id.
        """
        failpoint("outbox.proposed-approved.before")
        operation = approval.action.id
        with self._audit.recording(self._db) as connection:
            there = connection.execute(
                "SELECT * FROM operations WHERE id = ? OR approval = ?", (operation, approval.id)
            ).fetchone()
            if there is not None:
                if there["approval"] != approval.id or there["id"] != operation:
                    raise Conflict("outbox.taken", what=approval.prepared.title)
                return self._of(there), False
            given = connection.execute("SELECT state, bound_to FROM approvals WHERE id = ?", (approval.id,)).fetchone()
            if given is None or given["state"] != "used" or given["bound_to"] != approval.bound_to:
                raise ApprovalExpired("approval.not_given", tool=approval.action.tool)
            connection.execute(
                "INSERT INTO operations (id, approval, tool, session, language, prepared, state, version, attempts,"
                " looks, told, created_at, release_at, reference, problem)"
                " VALUES (?, ?, ?, ?, ?, ?, 'PROPOSED', 0, 0, 0, 0, ?, ?, '', '')",
                (
                    operation,
                    approval.id,
                    approval.action.tool,
                    approval.session,
                    approval.language,
                    approval.prepared.model_dump_json(),
                    stamp(self._clock.now()),
                    stamp(release_at),
                ),
            )
            self._remember(connection, operation, 0, S.PROPOSED, stamp(approval.created_at), "")
            row = self._swap(connection, self._read(connection, operation), S.APPROVED, {})
        failpoint("outbox.proposed-approved.after")
        return row, True

    def move(self, row: Row, state: OutboxState, **changes: Any) -> Row:
        """Bring the operation into `state`, durably, if it still is as `row` says.

        `changes` are columns: reference, problem, release_at, look_at, attempts, looks, told.
        Raises Conflict `outbox.moved` if somebody was faster, AssistantError `store.unwritable`.
        """
        edge = f"outbox.{row.operation.state.lower()}-{state.lower()}"
        failpoint(f"{edge}.before")
        with self._audit.recording(self._db) as connection:
            moved = self._swap(connection, row, state, changes)
        failpoint(f"{edge}.after")
        return moved

    def get(self, operation: str) -> Row:
        """Raises NotFound."""
        return self._read(self._db.conn, operation)

    def list(self, *, open_only: bool, limit: int) -> Sequence[Operation]:
        """Newest first."""
        states = OPEN if open_only else tuple(S)
        rows = self._db.conn.execute(
            f"SELECT * FROM operations WHERE state IN ({_marks(states)}) ORDER BY created_at DESC, rowid DESC LIMIT ?",
            (*states, limit),
        )
        return [self._of(row).operation for row in rows]

    def in_state(self, state: OutboxState) -> Sequence[Row]:
        """All in `state`, the one to be looked after first in front."""
        rows = self._db.conn.execute(
            "SELECT * FROM operations WHERE state = ? ORDER BY coalesce(look_at, release_at), rowid", (state,)
        )
        return [self._of(row) for row in rows]

    def doubt_all(self, problem: Callable[[Row], str]) -> Sequence[Row]:
        """Make everything open UNKNOWN, never looked for and never sent again until the person says what happened."""
        with self._audit.recording(self._db) as connection:
            rows = [row for state in OPEN for row in self.in_state(state)]
            changes: dict[str, Any] = {"look_at": None, "told": 1}
            return [self._swap(connection, row, S.UNKNOWN, changes | {"problem": problem(row)}) for row in rows]

    def history(self, operation: str) -> Sequence[tuple[OutboxState, datetime, str]]:
        """Every state it was in, since when, and the problem that led there."""
        rows = self._db.conn.execute(
            "SELECT state, at, problem FROM operation_history WHERE operation = ? ORDER BY version", (operation,)
        )
        return [(S(row["state"]), self._local(row["at"]), row["problem"]) for row in rows]

    def _swap(self, connection: sqlite3.Connection, row: Row, state: OutboxState, changes: dict[str, Any]) -> Row:
        before, operation = row.operation.state, row.operation
        if state not in ALLOWED[before]:
            raise AssistantError("internal", operation=operation.id, before=before, after=state)
        columns = {name: _column(value) for name, value in changes.items()}
        assignments = "".join(f", {name} = ?" for name in columns)
        swapped = connection.execute(
            f"UPDATE operations SET state = ?, version = version + 1{assignments} WHERE id = ? AND version = ?",
            (state, *columns.values(), operation.id, row.version),
        )
        if swapped.rowcount != 1:
            raise Conflict("outbox.moved", what=operation.prepared.title)
        moved = self._read(connection, operation.id)
        now = stamp(self._clock.now())
        self._remember(connection, operation.id, moved.version, state, now, moved.operation.problem)
        self._audit.append(
            connection,
            f"outbox.{state.lower()}",
            {
                "operation": operation.id,
                "approval": row.approval,
                "tool": operation.tool,
                "prepared": operation.prepared.digest,
                "attempts": moved.operation.attempts,
                "reference": moved.operation.reference,
                "problem": moved.operation.problem,
            },
        )
        return moved

    def _remember(
        self, connection: sqlite3.Connection, operation: str, version: int, state: OutboxState, at: str, problem: str
    ) -> None:
        connection.execute(
            "INSERT INTO operation_history (operation, version, state, at, problem) VALUES (?, ?, ?, ?, ?)",
            (operation, version, state, at, problem),
        )

    def _read(self, connection: sqlite3.Connection, operation: str) -> Row:
        row = connection.execute("SELECT * FROM operations WHERE id = ?", (operation,)).fetchone()
        if row is None:
            raise NotFound("outbox.unknown", id=operation)
        return self._of(row)

    def _of(self, row: sqlite3.Row) -> Row:
        operation = Operation(
            id=row["id"],
            tool=row["tool"],
            prepared=Prepared.model_validate_json(row["prepared"]),
            state=S(row["state"]),
            session=row["session"],
            created_at=self._local(row["created_at"]),
            release_at=self._local(row["release_at"]),
            attempts=row["attempts"],
            reference=row["reference"],
            problem=row["problem"],
        )
        return Row(
            operation=operation,
            approval=row["approval"],
            language=row["language"],
            version=row["version"],
            looks=row["looks"],
            told=bool(row["told"]),
            look_at=self._local(row["look_at"]) if row["look_at"] else None,
        )

    def _local(self, text: str) -> datetime:
        return moment(text).astimezone(self._clock.zone)


def _column(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    return printable(value) if isinstance(value, str) else value


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
