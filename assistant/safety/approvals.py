"""One yes for one exact action: bound by a keyed hash to what was shown, used once, gone after a while.

Knows no surface and runs nothing: who is asked, and what happens after the yes, is for others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assistant.errors import ApprovalExpired, Conflict, NotFound, PolicyDenied
from assistant.failpoint import failpoint
from assistant.models import Action, Approval, ApprovalState, Language, Prepared
from assistant.ports import Clock
from assistant.safety.audit import Audit
from assistant.safety.records import moment, stamp
from assistant.store import Database

Change = Callable[[Approval], ApprovalState]


class Approvals:
    """All approvals, in the table `approvals`. Every change is one compare-and-swap: of two clients one wins.

    `db` is a durable connection, `key` 32 random bytes kept among the secrets. Every change is written to `audit` in
    the same transaction.
    """

    def __init__(self, db: Database, clock: Clock, key: bytes, expire_s: float, *, audit: Audit | None = None) -> None:
        self._db = db
        self._clock = clock
        self._key = key
        self._expire = timedelta(seconds=expire_s)
        self._audit = audit or Audit(db, clock)

    def propose(
        self, action: Action, prepared: Prepared, reason: str, session: str, *, language: Language = "en"
    ) -> Approval:
        """Ask for a yes to exactly this. `reason` is the sentence why, in the user's `language`.

        Raises PolicyDenied `policy.unprintable` for text or numbers that can't be shown and stored as they are.
        """
        now = self._clock.now()
        approval = Approval(
            id=uuid.uuid4().hex,
            action=action,
            prepared=prepared,
            bound_to="",
            reason=reason,
            language=language,
            session=session,
            created_at=now,
            expires_at=now + self._expire,
        )
        try:
            approval = approval.model_copy(update={"bound_to": self._bind(approval, action, prepared)})
            shown = (action.model_dump_json(), prepared.model_dump_json(), reason.encode().decode())
        except ValueError as error:  # lone surrogates, NaN: what is shown would not be what is done
            raise PolicyDenied("policy.unprintable", tool=action.tool) from error
        with self._audit.recording(self._db) as connection:
            connection.execute(
                "INSERT INTO approvals (id, operation, session, effect, action, prepared, reason, language, bound_to,"
                " state, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
                (
                    approval.id,
                    action.id,
                    session,
                    action.effect,
                    *shown,
                    language,
                    approval.bound_to,
                    stamp(approval.created_at),
                    stamp(approval.expires_at),
                ),
            )
            self._note(connection, "approval.proposed", approval)
        return approval

    def get(self, id: str) -> Approval:
        """The approval as it stands now. Raises NotFound."""
        row = self._db.conn.execute("SELECT * FROM approvals WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise NotFound("approval.unknown", id=id)
        return self._of(row)

    def pending(self, session: str | None = None) -> list[Approval]:
        """Those that wait for an answer, oldest first."""
        rows = self._db.conn.execute(
            "SELECT * FROM approvals WHERE state = 'pending' AND (? IS NULL OR session = ?) ORDER BY created_at, rowid",
            (session, session),
        )
        return [approval for approval in map(self._of, rows) if approval.state == "pending"]

    def decide(self, id: str, approve: bool, bound_to: str | None = None) -> Approval:
        """Answer yes or no. With `bound_to` the answer counts only for what its giver was shown.

        Raises NotFound; Conflict `approval.decided` when somebody was faster; ApprovalExpired `approval.expired` or
        `approval.changed`.
        """

        def answer(approval: Approval) -> ApprovalState:
            if bound_to is not None and not hmac.compare_digest(bound_to.encode(), approval.bound_to.encode()):
                raise ApprovalExpired("approval.changed", tool=approval.action.tool)
            if approval.state == "expired":
                raise ApprovalExpired("approval.expired", tool=approval.action.tool)
            if approval.state != "pending":
                raise Conflict("approval.decided", what=approval.prepared.title)
            return "approved" if approve else "refused"

        return self._change(id, answer)

    def redeem(self, approval_id: str, action: Action, prepared: Prepared) -> Approval:
        """Use the yes for what is about to be done: hashed anew, compared in constant time, once.

        Raises NotFound; ApprovalExpired `approval.changed` (and voids the approval), `approval.expired`,
        `approval.used`, `approval.refused` or `approval.not_given`.
        """
        changed = False

        def use(approval: Approval) -> ApprovalState:
            nonlocal changed
            if approval.state != "approved":
                case = {"pending": "not_given"}.get(approval.state, approval.state)
                raise ApprovalExpired(f"approval.{case}", tool=approval.action.tool)
            changed = not self._genuine(approval, action, prepared)
            return "expired" if changed or self._clock.now() >= approval.expires_at else "used"

        approval = self._change(approval_id, use)
        if approval.state == "expired":
            raise ApprovalExpired("approval.changed" if changed else "approval.expired", tool=approval.action.tool)
        return approval

    def unfinished(self) -> list[Approval]:
        """Outward acts that got their yes but never reached the outbox, because the daemon died in between.

        They come back redeemed, ready for `Outbox.submit`; one whose record was tampered with is left out and voided.
        """
        rows = self._db.conn.execute(
            "SELECT * FROM approvals WHERE state IN ('approved', 'used') AND effect IN ('outward', 'money')"
            " AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.approval = approvals.id)"
            " ORDER BY created_at, rowid"
        ).fetchall()

        def use(approval: Approval) -> ApprovalState:
            return "used" if self._genuine(approval, approval.action, approval.prepared) else "expired"

        return [approval for row in rows if (approval := self._change(row["id"], use)).state == "used"]

    def after_restore(self) -> int:
        """Void every yes and every question that an older database still holds: it may have been used since.

        Returns the number of yeses that had not reached the outbox.
        """
        with self._audit.recording(self._db) as connection:
            rows = connection.execute(
                "SELECT * FROM approvals WHERE state IN ('pending', 'approved') OR (state = 'used' AND NOT EXISTS"
                " (SELECT 1 FROM operations WHERE operations.approval = approvals.id))"
            ).fetchall()
            for row in rows:
                connection.execute("UPDATE approvals SET state = 'expired' WHERE id = ?", (row["id"],))
                self._note(connection, "approval.expired", self._of(row))
        return sum(row["state"] != "pending" for row in rows)

    def _change(self, id: str, change: Change) -> Approval:
        """Give the approval the state that `change` says, if nobody changed it meanwhile."""
        failpoint("approval.change.before")
        with self._audit.recording(self._db) as connection:
            row = connection.execute("SELECT * FROM approvals WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise NotFound("approval.unknown", id=id)
            approval = self._of(row)
            state = change(approval)
            swapped = connection.execute(
                "UPDATE approvals SET state = ? WHERE id = ? AND state = ?", (state, id, row["state"])
            )
            if swapped.rowcount != 1:
                raise Conflict("approval.decided", what=approval.prepared.title)
            approval = approval.model_copy(update={"state": state})
            self._note(connection, f"approval.{state}", approval)
        failpoint(f"approval.{state}.after")
        return approval

    def _note(self, connection: sqlite3.Connection, kind: str, approval: Approval) -> None:
        self._audit.append(connection, kind, _digests(approval))

    def _genuine(self, approval: Approval, action: Action, prepared: Prepared) -> bool:
        try:
            hashed = self._bind(approval, action, prepared)
        except ValueError:
            return False
        return hmac.compare_digest(hashed.encode(), approval.bound_to.encode())

    def _bind(self, approval: Approval, action: Action, prepared: Prepared) -> str:
        parts = [approval.id, action.id, action.digest, prepared.digest, stamp(approval.expires_at)]
        return hmac.new(self._key, json.dumps(parts).encode(), hashlib.sha256).hexdigest()

    def _of(self, row: sqlite3.Row) -> Approval:
        created, expires = self._local(row["created_at"]), self._local(row["expires_at"])
        state: ApprovalState = row["state"]
        if state == "pending" and self._clock.now() >= expires:
            state = "expired"
        return Approval(
            id=row["id"],
            action=Action.model_validate_json(row["action"]),
            prepared=Prepared.model_validate_json(row["prepared"]),
            bound_to=row["bound_to"],
            reason=row["reason"],
            language=row["language"],
            state=state,
            session=row["session"],
            created_at=created,
            expires_at=expires,
        )

    def _local(self, text: str) -> datetime:
        return moment(text).astimezone(self._clock.zone)


def _digests(approval: Approval) -> dict[str, Any]:
    """What the audit keeps of an approval."""
    return {
        "approval": approval.id,
        "operation": approval.action.id,
        "tool": approval.action.tool,
        "action": approval.action.digest,
        "prepared": approval.prepared.digest,
        "title": approval.prepared.title,
        "expires_at": approval.expires_at,
    }
