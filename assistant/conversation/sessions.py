"""What a conversation remembers over turns and restarts: its turns, the open question, what can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from assistant.events import Event
from assistant.failpoint import failpoint
from assistant.models import Call, Step, Turn
from assistant.ports import Clock
from assistant.store import Database, transaction

QUESTION_LIFE = timedelta(minutes=10)
UNDO_LIFE = timedelta(days=1)
LEANING = 6
"""So many turns back a follow-up may lean on."""


@dataclass(frozen=True)
class Exchange:
    """One earlier turn."""

    text: str
    reply: str
    language: str
    calls: tuple[Call, ...] = ()
    """What was called."""
    data: Any = None
    """What was shown, as the reply carries it."""
    via: str = ""
    """Who decided it."""


@dataclass(frozen=True)
class Undoable:
    """A write, and how its skill takes it back."""

    operation: str
    tool: str
    record: dict[str, Any] | None
    """None where its skill gave no way back."""
    at: datetime


@dataclass(frozen=True)
class Interrupted:
    """A write, or the taking back of one, that a crash cut off."""

    operation: str
    session: str
    tool: str
    said: str
    at: datetime
    done: bool
    """Whether it was done, and only its turn did not end."""


@dataclass(frozen=True)
class OpenQuestion:
    """A step that waits for an answer, and the words it was made of."""

    step: Step
    said: str
    suspended: bool = False
    """Whether other things were talked of since."""


class Sessions:
    """Conversations by session name."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def keep(self, turn: Turn, language: str, reply: str, via: str, ms: int, events: Sequence[Event]) -> None:
        """Store a finished turn: what was done in it has been told."""
        failpoint("turn.kept.before")
        with transaction(self._db) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    turn.id,
                    turn.session,
                    turn.surface,
                    language,
                    turn.text,
                    reply,
                    via,
                    self._now(),
                    ms,
                    json.dumps([event.model_dump(mode="json") for event in events], ensure_ascii=False),
                ),
            )
            connection.execute("DELETE FROM begun WHERE session = ?", (turn.session,))
        failpoint("turn.kept.after")

    def history(self, session: str, limit: int) -> list[Exchange]:
        """The last turns, oldest first."""
        rows = self._db.conn.execute(
            "SELECT text, reply, language, events, via FROM turns WHERE session = ?"
            " ORDER BY started_at DESC, rowid DESC LIMIT ?",
            (session, limit),
        ).fetchall()
        return [
            Exchange(row["text"], row["reply"], row["language"], _calls(events), _data(events), row["via"])
            for row in reversed(rows)
            for events in [json.loads(row["events"])]
        ]

    def shown(self, session: str) -> frozenset[str]:
        """All texts that the last turns' results held."""
        return frozenset(text for one in self.history(session, LEANING) for text in _texts(one.data))

    def overview(self, limit: int = 50) -> list[dict[str, Any]]:
        """Sessions, the newest first: name, turns, last text, when."""
        rows = self._db.conn.execute(
            "SELECT session, COUNT(*) AS turns, MAX(started_at) AS last_at, text AS last_text FROM turns"
            " GROUP BY session ORDER BY last_at DESC LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    def transcript(self, session: str) -> list[dict[str, Any]]:
        """All turns of a session, oldest first, with their events."""
        rows = self._db.conn.execute("SELECT * FROM turns WHERE session = ? ORDER BY started_at, rowid", (session,))
        return [dict(row) | {"events": json.loads(row["events"])} for row in rows]

    def forget(self, keep_days: int) -> int:
        """Delete turns older than `keep_days` (0 keeps all), and what is past undoing; returns how many turns."""
        past = (self._clock.now() - UNDO_LIFE).astimezone(UTC).isoformat()
        for table in ("undoable", "open_questions"):
            self._db.conn.execute(f"DELETE FROM {table} WHERE at < ?", (past,))
        if not keep_days:
            return 0
        before = (self._clock.now() - timedelta(days=keep_days)).astimezone(UTC).isoformat()
        return self._db.conn.execute("DELETE FROM turns WHERE started_at < ?", (before,)).rowcount

    def ask(self, turn: Turn, step: Step) -> None:
        """Remember that `step` waits for the next turn's answer."""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO open_questions VALUES (?, ?, ?, ?)",
            (turn.session, turn.id, step.model_dump_json(), self._now()),
        )
        failpoint("question.asked")

    def asks(self, session: str) -> bool:
        """Whether a question waits for its answer."""
        row = self._db.conn.execute("SELECT 1 FROM open_questions WHERE session = ?", (session,)).fetchone()
        return row is not None

    def question(self, session: str) -> OpenQuestion | None:
        """The step that waits for an answer; not for long."""
        row = self._db.conn.execute(
            "SELECT step, at, (julianday(?) - julianday(at)) * 86400 AS age,"
            " coalesce((SELECT text FROM turns WHERE id = turn), '') AS said,"
            " turn IS NOT (SELECT id FROM turns WHERE session = ? ORDER BY started_at DESC, rowid DESC LIMIT 1)"
            " AS suspended FROM open_questions WHERE session = ?",
            (self._now(), session, session),
        ).fetchone()
        if row is None or row["age"] >= QUESTION_LIFE.total_seconds():
            return None
        return OpenQuestion(Step.model_validate_json(row["step"]), row["said"], bool(row["suspended"]))

    def drop_question(self, session: str) -> None:
        """Ask no more: it is answered, or nobody wants to know."""
        self._db.conn.execute("DELETE FROM open_questions WHERE session = ?", (session,))
        failpoint("question.dropped")

    def can_undo(self, session: str, operation: str, tool: str, record: dict[str, Any] | None) -> None:
        """Remember a write and how it is taken back; one that can't be is kept too, so that no other is meant."""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO undoable VALUES (?, ?, ?, ?, ?, NULL)",
            (operation, session, tool, json.dumps(record, ensure_ascii=False), self._now()),
        )
        failpoint("undo.kept")

    def last_undoable(self, session: str) -> Undoable | None:
        """The newest write of this session that is not taken back yet."""
        row = self._db.conn.execute(
            "SELECT operation, tool, record, at FROM undoable WHERE session = ? AND undone_at IS NULL"
            " AND julianday(?) - julianday(at) < ? ORDER BY at DESC, rowid DESC LIMIT 1",
            (session, self._now(), UNDO_LIFE / timedelta(days=1)),
        ).fetchone()
        if row is None:
            return None
        return Undoable(row["operation"], row["tool"], json.loads(row["record"]), datetime.fromisoformat(row["at"]))

    def last_is_undone(self, session: str) -> bool:
        """Whether the newest write of this session was taken back."""
        row = self._db.conn.execute(
            "SELECT undone_at FROM undoable WHERE session = ? ORDER BY at DESC, rowid DESC LIMIT 1", (session,)
        ).fetchone()
        return row is not None and row["undone_at"] is not None

    def undone(self, operation: str) -> None:
        """Mark a write as taken back."""
        failpoint("undo.done")
        self._db.conn.execute("UPDATE undoable SET undone_at = ? WHERE operation = ?", (self._now(), operation))

    def begin_write(self, operation: str, session: str, tool: str, said: str) -> None:
        """Remember that a write is being done, before it is: a crash in the middle is told of at the next start."""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO begun VALUES (?, ?, ?, ?, ?, 0)", (operation, session, tool, said, self._now())
        )
        failpoint("write.begun")

    def wrote(self, operation: str) -> None:
        """It is done; that it is told of is known when its turn is kept."""
        self._db.conn.execute("UPDATE begun SET done = 1 WHERE operation = ?", (operation,))
        failpoint("write.noted")

    def end_write(self, operation: str) -> None:
        """It failed, and that is said; or it was told of."""
        self._db.conn.execute("DELETE FROM begun WHERE operation = ?", (operation,))

    def interrupted(self) -> list[Interrupted]:
        """Writes that a crash cut off, before or after they were done. Told once, they are forgotten by `end_write`."""
        rows = self._db.conn.execute("SELECT operation, session, tool, said, at, done FROM begun ORDER BY at")
        return [
            Interrupted(operation, session, tool, said, datetime.fromisoformat(at), bool(done))
            for operation, session, tool, said, at, done in rows.fetchall()
        ]

    def after_restore(self) -> None:
        """Forget what an older database takes for open or newest: since then more was said and done."""
        with transaction(self._db) as connection:
            connection.execute("DELETE FROM open_questions")
            connection.execute("DELETE FROM begun")
            connection.execute("UPDATE undoable SET undone_at = ? WHERE undone_at IS NULL", (self._now(),))

    def _now(self) -> str:
        return self._clock.now().astimezone(UTC).isoformat()


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from _texts(value)


def _data(events: Sequence[dict[str, Any]]) -> Any:
    return next((one["data"] for one in reversed(events) if one.get("type") == "reply" and one.get("data")), None)


def _calls(events: Sequence[dict[str, Any]]) -> tuple[Call, ...]:
    return tuple(Call(tool=one["tool"], args=one["args"]) for one in events if one.get("type") == "tool-started")
