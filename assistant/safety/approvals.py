"""One yes for one exact action: bound by a keyed hash to what was shown, used once, gone after a while.

Knows no surface and runs nothing: who is asked, and what happens after the yes, is for others.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sqlite3
import unicodedata
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from assistant.errors import ApprovalExpired, AskAgain, Conflict, NotFound, PolicyDenied
from assistant.failpoint import failpoint
from assistant.models import Action, Approval, ApprovalState, Language, Prepared
from assistant.ports import Clock
from assistant.safety.audit import Audit
from assistant.safety.records import moment, stamp
from assistant.store import Database

Change = Callable[[Approval], ApprovalState]
_TAIL = 4
_TRIES = 3
"""So many wrong proofs, and the answer is no."""


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
        self,
        action: Action,
        prepared: Prepared,
        reason: str,
        session: str,
        *,
        language: Language = "en",
        proof: str = "",
        grant: tuple[str, int] = ("", 0),
    ) -> Approval:
        """Ask for a yes to exactly this. `reason` is the sentence why, in the user's `language`.

        `proof` is the account whose end must be typed as well; `grant` what of a turn's mandate it is, and how often
        that may be done. The same question is not asked twice: one that waits already is given back.

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
            proof=proof,
            grant=grant[0],
            times=grant[1],
            session=session,
            created_at=now,
            expires_at=now + self._expire,
        )
        try:
            approval = approval.model_copy(update={"bound_to": self._bind(approval, action, prepared)})
            shown = (action.model_dump_json(), prepared.model_dump_json(), reason.encode().decode())
        except ValueError as error:  # lone surrogates, NaN: what is shown would not be what is done
            raise PolicyDenied("policy.unprintable", tool=action.tool) from error
        asked = (action.digest, prepared.digest, proof)
        for waiting in self.pending(session):
            if (waiting.action.digest, waiting.prepared.digest, waiting.proof) == asked:
                return waiting
        self._insert(approval, shown)
        return approval

    def _insert(self, approval: Approval, shown: tuple[str, str, str]) -> None:
        """Write a new approval; `shown` are its action, what was prepared, and the reason, as they are stored."""
        with self._audit.recording(self._db) as connection:
            connection.execute(
                "INSERT INTO approvals (id, operation, session, effect, action, prepared, reason, language, bound_to,"
                " state, created_at, expires_at, proof, mandate, times)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)",
                (
                    approval.id,
                    approval.action.id,
                    approval.session,
                    approval.action.effect,
                    *shown,
                    approval.language,
                    approval.bound_to,
                    stamp(approval.created_at),
                    stamp(approval.expires_at),
                    approval.proof,
                    approval.grant,
                    approval.times,
                ),
            )
            self._note(connection, "approval.proposed", approval)

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

    def decide(self, id: str, approve: bool, bound_to: str | None = None, proof: str = "") -> Approval:
        """Answer yes or no. With `bound_to` the answer counts only for what its giver was shown.

        `proof` is what was typed besides the yes, where the approval wants it. Raises NotFound; Conflict
        `approval.decided` when somebody was faster; ApprovalExpired `approval.expired`, `approval.changed`,
        `approval.wrong_proof` or, after three of these, when it is refused, `approval.wrong_proof_last`; AskAgain
        `approval.proof_wanted`.
        """
        wrong = False

        def answer(approval: Approval) -> ApprovalState:
            nonlocal wrong
            wrong = not _counts(approval, approve, bound_to, proof)
            if wrong:
                return "refused" if self._missed(approval) else "pending"
            return "approved" if approve else "refused"

        approval = self._change(id, answer)
        if wrong:
            last = "_last" if approval.state == "refused" else ""
            raise ApprovalExpired(f"approval.wrong_proof{last}", tool=approval.action.tool)
        return approval

    def check(self, id: str, approve: bool, bound_to: str | None = None, proof: str = "") -> Approval:
        """The approval, if `decide` would take this answer now. Raises what `decide` raises; a wrong proof counts."""
        approval = self.get(id)
        if not _counts(approval, approve, bound_to, proof):
            return self.decide(id, approve, bound_to, proof)
        return approval

    def _missed(self, approval: Approval) -> bool:
        """Count a wrong proof; True once there were enough of them."""
        connection = self._db.conn
        connection.execute("UPDATE approvals SET tries = tries + 1 WHERE id = ?", (approval.id,))
        tries = connection.execute("SELECT tries FROM approvals WHERE id = ?", (approval.id,)).fetchone()[0]
        return bool(tries >= _TRIES)

    def redeem(self, approval_id: str, action: Action, prepared: Prepared) -> Approval:
        """Use the yes for what is about to be done: hashed anew, compared in constant time, once.

        Raises NotFound; ApprovalExpired `approval.changed` (and voids the approval), `approval.expired`,
        `approval.used`, `approval.refused`, `approval.used_up` (the turn's mandate) or `approval.not_given`.
        """
        changed = False

        def use(approval: Approval) -> ApprovalState:
            nonlocal changed
            if approval.state != "approved":
                case = {"pending": "not_given"}.get(approval.state, approval.state)
                raise ApprovalExpired(f"approval.{case}", tool=approval.action.tool)
            changed = not self._genuine(approval, action, prepared)
            if not changed and self._used_up(approval):
                raise ApprovalExpired("approval.used_up", tool=approval.action.tool)
            return "expired" if changed or self._clock.now() >= approval.expires_at else "used"

        approval = self._change(approval_id, use)
        if approval.state == "expired":
            raise ApprovalExpired("approval.changed" if changed else "approval.expired", tool=approval.action.tool)
        return approval

    def _used_up(self, approval: Approval) -> bool:
        """Whether as many acts were done already as the turn's mandate allows."""
        if not approval.grant:
            return False
        counted = self._db.conn.execute(
            "SELECT count(*) FROM approvals WHERE mandate = ? AND state = 'used'", (approval.grant,)
        ).fetchone()[0]
        return bool(counted >= approval.times)

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

    def not_begun(self) -> list[Approval]:
        """Reads and writes that got their yes and were not begun, because the daemon died in between."""
        rows = self._db.conn.execute(
            "SELECT * FROM approvals WHERE state = 'approved' AND effect IN ('read', 'write')"
            " ORDER BY created_at, rowid"
        )
        return [self._of(row) for row in rows]

    def void(self, id: str) -> None:
        """Let nobody use the yes. Raises NotFound."""
        self._change(id, lambda _: "expired")

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
                raise _taken(approval)
            approval = approval.model_copy(update={"state": state})
            self._note(connection, f"approval.{'wrong_proof' if state == 'pending' else state}", approval)
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
        parts += [approval.proof, approval.grant, str(approval.times)]
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
            proof=row["proof"],
            grant=row["mandate"],
            times=row["times"],
            state=state,
            session=row["session"],
            created_at=created,
            expires_at=expires,
        )

    def _local(self, text: str) -> datetime:
        return moment(text).astimezone(self._clock.zone)


def masked(approval: Approval) -> Approval:
    """As it is shown where a proof is wanted: without the end of the account, which is to be known from elsewhere."""
    if not approval.proof:
        return approval
    kept = approval.model_dump(mode="json")
    parts = ("action", "prepared", "proof", "reason")
    return Approval.model_validate(kept | {part: hidden(kept[part], approval.proof) for part in parts})


def hidden(data: Any, account: str) -> Any:
    """Plain JSON with the end of the account hidden wherever it stands, in one piece or in groups."""
    whole = re.compile(r"[\W_]*".join(map(re.escape, account)), re.IGNORECASE)

    def hide(part: Any) -> Any:
        if isinstance(part, str):
            return whole.sub(lambda _: account[:-_TAIL] + "•" * _TAIL, part)  # as it is: a payee's name may hold a \\
        if isinstance(part, Mapping):
            return {key: hide(value) for key, value in part.items()}
        return [hide(value) for value in part] if isinstance(part, list | tuple) else part

    return hide(data) if account else data


def _counts(approval: Approval, approve: bool, bound_to: str | None, proof: str) -> bool:
    """False for a wrong proof. Raises what makes the answer void whatever was typed, or wants more of it."""
    if bound_to is not None and not hmac.compare_digest(bound_to.encode(), approval.bound_to.encode()):
        raise ApprovalExpired("approval.changed", tool=approval.action.tool)
    if approval.state == "expired":
        raise ApprovalExpired("approval.expired", tool=approval.action.tool)
    if approval.state != "pending":
        raise _taken(approval)
    if not approve or not approval.proof:
        return True
    if not proof.strip():
        raise AskAgain("approval.proof_wanted", missing=["proof"], what=masked(approval).prepared.title)
    return check_proof(proof, approval.proof)


def check_proof(typed: str, account: str) -> bool:
    """Whether this is the end of the account: four characters of it or more; all of one that is shorter."""
    end, whole = _letters(typed), _letters(account)
    enough = min(_TAIL, len(whole))
    return len(end) >= max(enough, 1) and hmac.compare_digest(whole[-len(end) :].encode(), end.encode())


def _letters(text: str) -> str:
    """Letters and digits alone, however they were typed: 全角 too."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).upper())


def _taken(approval: Approval) -> Conflict:
    return Conflict("approval.decided", what=masked(approval).prepared.title)


def _digests(approval: Approval) -> dict[str, Any]:
    """What the audit keeps of an approval."""
    return {
        "approval": approval.id,
        "operation": approval.action.id,
        "tool": approval.action.tool,
        "action": approval.action.digest,
        "prepared": approval.prepared.digest,
        "title": masked(approval).prepared.title,
        "expires_at": approval.expires_at,
    }
