"""Forgetting for good: facts, the words that state them, and every copy of those that the program has made.

What is forgotten is gone from the tables and their indexes, the vectors, the transcripts of conversations, and from
backups (a copy that holds it is removed). `store.scrub` then overwrites what the database file still holds of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from assistant.failpoint import failpoint
from assistant.knowledge import Evidence, Fact
from assistant.memory.consolidating import forget_names
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.habits import forget_uses
from assistant.memory.kinds import kinds
from assistant.memory.vectors import VectorFiles
from assistant.store import Database, transaction
from assistant.store.backups import listed
from assistant.store.scrub import scrub

_LEAST = 4
"""Bytes of a value that is looked for wherever else it was said; a shorter one ("38") means many things."""


class Forgetting:
    """One deletion."""

    def __init__(self, db: Database, evidence: EvidenceBook, facts: FactBook, vectors: VectorFiles) -> None:
        self._db = db
        self._evidence = evidence
        self._facts = facts
        self._vectors = vectors

    async def forget(self, ids: Sequence[str]) -> int:
        """Forget these facts; how many there were. When it returns, nothing of them is on the disk."""
        facts, _, said = self._found(ids)
        if not facts:
            return 0
        # Before anything else: who is cut off after this can still say "forget" again, and no copy is left over.
        await asyncio.to_thread(_remove_copies, self._file(), _marks(facts, said.values()))
        with transaction(self._db):
            facts, needles, said = self._found(ids)
            if not facts:
                return 0
            self._vectors.empty(said)
            rest = self._others(said, {fact.id for fact in facts})
            self._facts.delete([fact.id for fact in facts])
            self._evidence.delete(said)
            for one, others in rest:
                self._keep_rest(one, others)
            self._forget_turns(needles, said.values())
            forget_names(self._db, needles)
            forget_uses(self._db, needles)
        failpoint("profile.forgotten")
        await scrub(self._db)
        return len(facts)

    def _found(self, ids: Sequence[str]) -> tuple[list[Fact], list[str], dict[int, Evidence]]:
        """The facts, what is looked for elsewhere, and the evidence that goes."""
        wanted = set(self._facts.folded_into(ids))
        facts = [fact for fact in self._facts.current(history=True) if fact.id in wanted]
        stated = self._evidence.of(number for fact in facts for number in self._facts.evidence_of(fact.id))
        needles = _needles(facts, stated.values())
        return facts, needles, stated | self._evidence.holding(needles)

    def _others(self, said: dict[int, Evidence], gone: set[str]) -> list[tuple[Evidence, list[Fact]]]:
        """Evidence that goes, with the facts that it states besides."""
        stated = self._facts.read_in(said)
        kept = [(said[number], [fact for fact in facts if fact.id not in gone]) for number, facts in stated.items()]
        return [(one, facts) for one, facts in kept if facts]

    def _keep_rest(self, one: Evidence, facts: Sequence[Fact]) -> None:
        """What the same words said besides stays, in words of its own."""
        number = self._evidence.append(
            ". ".join(dict.fromkeys(fact.text for fact in facts)),
            source=one.source,
            origin=one.origin,
            language=one.language,
            at=one.at,
            speaker=one.speaker,
            thread=one.thread,
        )
        assert number is not None  # the source was just removed
        for fact in facts:
            self._facts.ground(fact.id, number)

    def _forget_turns(self, needles: Sequence[str], said: Iterable[Evidence]) -> None:
        """Turns in which it was said, or said again: their whole text, reply and events."""
        turns = [one.source.removeprefix("turn:") for one in said if one.source.startswith("turn:")]
        connection = self._db.conn
        for turn in turns:
            connection.execute("DELETE FROM turns WHERE id = ?", (turn,))
        for needle in needles:
            like = f"%{_escaped(needle)}%"
            for column in ("text", "reply", "events"):
                connection.execute(f"DELETE FROM turns WHERE {column} LIKE ? ESCAPE '\\'", (like,))
            connection.execute("DELETE FROM open_questions WHERE step LIKE ? ESCAPE '\\'", (like,))

    def _file(self) -> Path | None:
        """The database's own file; None for one in memory."""
        name = self._db.conn.execute("PRAGMA database_list").fetchone()[2]
        return Path(name) if name else None


def _needles(facts: Sequence[Fact], stated: Iterable[Evidence]) -> list[str]:
    """What is looked for elsewhere: the words that state it, and a value that can mean nothing else."""
    values = [fact.value for fact in facts if len(fact.value.encode()) >= _LEAST and not fact.value.isdigit()]
    told = [kinds().sentence(fact, language).rstrip("。.") for fact in facts for language in ("en", "zh")]
    return list(dict.fromkeys([*(one.text for one in stated), *(fact.text for fact in facts), *told, *values]))


def _marks(facts: Sequence[Fact], said: Iterable[Evidence]) -> list[str]:
    """What shows that a copy holds any of it: words, and the ids of rows, which never lie across two pages."""
    said = list(said)
    return [*_needles(facts, said), *(fact.id for fact in facts), *(one.source for one in said)]


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _remove_copies(database: Path | None, marks: Sequence[str]) -> None:
    """Remove backups that hold any of it; the next daily one holds the rest again."""
    if database is None:
        return
    sought = [mark.encode() for mark in marks]
    for backup in listed(database):
        data = backup.file.read_bytes()
        if any(one in data for one in sought):
            backup.file.unlink(missing_ok=True)
