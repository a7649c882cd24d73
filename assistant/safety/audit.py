"""What was done, decided and refused: an append-only chain of hashes. Knows nothing of what its entries mean.

Entry i carries `hash_i = SHA-256(hash_(i-1) ‖ entry_i)`: the raw 32 bytes of the hash before it (32 zero bytes before
the first), then the entry's canonical JSON as UTF-8. Count and last hash are mirrored to `audit.head` beside the
database, so that a tail cut off is missed. docs/safety.md tells an outsider how to check an export.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from assistant.concealed import without_known
from assistant.failpoint import failpoint
from assistant.models import Value, canonical
from assistant.ports import Clock
from assistant.safety.records import moment, printable, recording, stamp
from assistant.store import Database

_log = logging.getLogger(__name__)

FORMAT = "assistant-audit/1"
GENESIS = bytes(32)
_BATCH = 1000
_LONG = 200  # characters: longer texts are kept as digests
_BODIES = re.compile(r"(^|_)(body|content|html|quote|transcript)$")
_SECRETS = re.compile(r"(^|_)(password|passphrase|secret|token|pin|tan|api_?key|credentials?|authorization|cookies?)$")
RESTORED = "restored"
"""The kind of the entry that follows a restored backup."""
_RESTORED_END = f'"kind":"{RESTORED}"}}'
_HEAD = re.compile(r"(\d{20}) ([0-9a-f]{64})\n")

Problem = Literal["", "entry_changed", "entry_missing", "tail_missing", "head_missing", "head_changed", "seal_changed"]
End = tuple[int, str]
"""Number and hash of the last entry."""


class AuditEntry(Value):
    """One entry of the chain."""

    n: int
    """From 1."""
    at: datetime
    kind: str
    data: dict[str, Any]
    hash: str


class AuditReport(Value):
    """What checking the chain found."""

    ok: bool
    entries: int
    first_bad: int | None = None
    """Number of the first entry that is not as it was written."""
    problem: Problem = ""
    """A sentence for people is under `safety.audit.<problem>`."""
    restored: int | None = None
    """Number of the newest entry that tells of a restored backup: what was written before it may be missing."""


class Audit:
    """The chain in the database's table `audit`. Any number of connections may append at once."""

    def __init__(self, db: Database, clock: Clock, keep_bodies: bool = False) -> None:
        self._db = db
        self._clock = clock
        self._keep_bodies = keep_bodies
        file = next(row["file"] for row in db.conn.execute("PRAGMA database_list") if row["name"] == "main")
        self._head = Path(file).with_name("audit.head") if file else None
        self.sealed: End | None = None
        """An end that the chain is known to have had, from a place that who writes our files can't write to."""

    def record(self, kind: str, /, **data: Any) -> None:
        """Append one entry, durably. Secrets are left out; bodies and long texts become digests.

        Raises AssistantError `store.unwritable`; then nothing was appended.
        """
        with self.recording(self._db) as connection:
            self.append(connection, kind, data)

    @contextmanager
    def recording(self, db: Database) -> Iterator[sqlite3.Connection]:
        """A transaction on `db` whose changes and audit entries (`append`) are written together or not at all."""
        with recording(db) as connection:
            yield connection
        failpoint("audit.recorded")
        self._mirror()

    def append(self, connection: sqlite3.Connection, kind: str, data: Mapping[str, Any]) -> None:
        """Append within a transaction that holds the write lock (see `recording`)."""
        entry = canonical({"at": stamp(self._clock.now()), "kind": kind, "data": self._plain("", data)})
        last = connection.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
        number, before = (last["n"] + 1, bytes.fromhex(last["hash"])) if last else (1, GENESIS)
        linked = hashlib.sha256(before + entry.encode()).hexdigest()
        connection.execute("INSERT INTO audit (n, entry, hash) VALUES (?, ?, ?)", (number, entry, linked))

    def entries(self, limit: int = 100, since: datetime | None = None) -> list[AuditEntry]:
        """The newest `limit` entries, not older than `since`; newest first."""
        after = stamp(since) if since else ""
        rows = self._db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n DESC LIMIT ?", (limit,))
        found = []
        for row in rows:
            entry = json.loads(row["entry"])
            if entry["at"] >= after:
                at = moment(entry["at"]).astimezone(self._clock.zone)
                found.append(AuditEntry(n=row["n"], at=at, kind=entry["kind"], data=entry["data"], hash=row["hash"]))
        return found

    def verify(self) -> AuditReport:
        """Check every link, and the end against the mirrored head."""
        head = self._read_head()  # before the chain: what is appended meanwhile is not missed
        sealed = self.sealed
        before, count, at_head, at_seal, restored = GENESIS, 0, GENESIS.hex(), "", None
        for number, entry, linked in self._rows():
            count += 1
            if number != count:
                return AuditReport(ok=False, entries=count - 1, first_bad=count, problem="entry_missing")
            before = hashlib.sha256(before + entry.encode()).digest()
            if before.hex() != linked:
                return AuditReport(ok=False, entries=count, first_bad=count, problem="entry_changed")
            if head and count == head[0]:
                at_head = linked
            if sealed and count == sealed[0]:
                at_seal = linked
            if entry.endswith(_RESTORED_END):
                restored = count
        if sealed and count < sealed[0]:
            return AuditReport(ok=False, entries=count, first_bad=count + 1, problem="tail_missing")
        if sealed and at_seal != sealed[1]:
            return AuditReport(ok=False, entries=count, first_bad=sealed[0], problem="seal_changed")
        return self._against_head(count, at_head, head).model_copy(update={"restored": restored})

    def _rows(self) -> Iterator[tuple[int, str, str]]:
        """The whole chain, in batches: a long one is checked in a second."""
        cursor = self._db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n")
        cursor.row_factory = None
        while batch := cursor.fetchmany(_BATCH):
            yield from batch

    def end(self) -> End | None:
        """The last entry's number and hash; None of an empty chain."""
        last = self._db.conn.execute("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
        return (last["n"], last["hash"]) if last else None

    def lost(self) -> int:
        """How many entries the chain had, by its head or its seal, and has no more."""
        told = [self._read_head() or (0, ""), self.sealed or (0, "")]
        return max(0, max(count for count, _ in told) - (self.end() or (0, ""))[0])

    def export(self, file: Path) -> int:
        """Write the whole chain as JSON lines (0600, whole or not at all). Returns the number of entries."""
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        count, last = 0, GENESIS.hex()
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(descriptor, "w", encoding="ascii", newline="\n") as out:
                out.write(_line(format=FORMAT))
                for row in self._db.conn.execute("SELECT n, entry, hash FROM audit ORDER BY n"):
                    count, last = row["n"], row["hash"]
                    out.write(_line(n=count, entry=row["entry"], hash=last))
                out.write(_line(entries=count, hash=last))
            temporary.replace(file)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return count

    def _against_head(self, count: int, at_head: str, head: tuple[int, str] | None) -> AuditReport:
        if self._head is None or (head is None and count == 0 and not self._head.exists()):
            return AuditReport(ok=True, entries=count)
        if head is None:
            return AuditReport(ok=False, entries=count, problem="head_missing")
        if count < head[0]:
            return AuditReport(ok=False, entries=count, first_bad=count + 1, problem="tail_missing")
        if at_head != head[1]:
            return AuditReport(ok=False, entries=count, first_bad=head[0], problem="head_changed")
        return AuditReport(ok=True, entries=count)

    def _mirror(self) -> None:
        """Mirror the chain's end. A head that can't be written lags behind and is made good by the next entry."""
        if self._head is None:
            return
        try:
            last = self.end()
            if last is None:
                return
            descriptor = os.open(self._head, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, f"{last[0]:020d} {last[1]}\n".encode())
            finally:
                os.close(descriptor)
        except (OSError, sqlite3.Error) as error:
            _log.error("the audit's head could not be written: %s", error)

    def _read_head(self) -> tuple[int, str] | None:
        try:
            found = _HEAD.fullmatch(self._head.read_text(encoding="ascii")) if self._head else None
        except (OSError, UnicodeDecodeError):
            return None
        return (int(found[1]), found[2]) if found else None

    def _plain(self, name: str, value: Any) -> Any:
        """`value` as JSON that may be kept: no secrets, no bodies, nothing that JSON or SQLite can't hold."""
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        if isinstance(value, Mapping):
            return {printable(str(key)): self._plain(str(key), part) for key, part in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._plain(name, part) for part in value]
        if value is None or isinstance(value, bool):
            return value
        if _SECRETS.search(name.lower()):
            return {"withheld": "secret"}
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, datetime | date | time):
            return value.isoformat()
        if isinstance(value, bytes):
            return {"sha256": hashlib.sha256(value).hexdigest(), "bytes": len(value)}
        text = without_known(printable(str(value)))
        if self._keep_bodies or (len(text) <= _LONG and not _BODIES.search(name.lower())):
            return text
        return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "characters": len(text)}


def _line(**fields: Any) -> str:
    """A line of JSON in ASCII, so that nothing that splits lines can split it elsewhere."""
    return json.dumps(fields) + "\n"
