"""Forgetting for good: facts, the words that state them, and every copy of those that the program has made.

What is forgotten is gone from the tables and their indexes, the vectors, the transcripts of conversations, from exports
that lie where they were written, and from backups (a copy that holds it is removed). `store.scrub` then overwrites what
the database file still holds of it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from assistant.failpoint import failpoint
from assistant.knowledge import Evidence, Fact, Forgotten
from assistant.memory.consolidating import forget_names
from assistant.memory.evidence import EvidenceBook
from assistant.memory.exports import Exports
from assistant.memory.facts import FactBook
from assistant.memory.habits import forget_uses
from assistant.memory.kinds import kinds
from assistant.memory.vectors import VectorFiles
from assistant.store import Database, transaction
from assistant.store.copies import remove_copies
from assistant.store.scrub import scrub

_LEAST = 4
"""Bytes of a value that is looked for wherever else it was said; a shorter one ("38") means many things."""


class Forgetting:
    """One deletion."""

    def __init__(
        self, db: Database, evidence: EvidenceBook, facts: FactBook, vectors: VectorFiles, exports: Exports
    ) -> None:
        self._db = db
        self._evidence = evidence
        self._facts = facts
        self._vectors = vectors
        self._exports = exports

    async def forget(self, ids: Sequence[str]) -> Forgotten:
        """Forget these facts. When it returns, nothing of them is on the disk but in the files that it names."""
        facts, needles, said = self._found(ids)
        if not facts:
            return Forgotten(count=0)
        # Before anything else: who is cut off after this can still say "forget" again, and no copy is left over.
        marks = _marks(facts, said.values())
        seen = await asyncio.to_thread(remove_copies, self._file(), marks, frozenset())
        since = min([*(fact.recorded_at for fact in facts), *(one.at for one in said.values())])
        left = await self._exports.forget(facts, needles, since)
        with transaction(self._db):
            facts, needles, said = self._found(ids)
            rest = self._others(said, {fact.id for fact in facts})
            self._facts.delete([fact.id for fact in facts])
            self._evidence.delete(said)
            for one, others in rest:
                self._keep_rest(one, others)
            self._forget_turns(needles, said.values())
            forget_names(self._db, needles, [fact.id for fact in facts])
            forget_uses(self._db, needles)
        failpoint("profile.forgotten")
        self._evidence.sweep(self._vectors)
        await scrub(self._db)
        await asyncio.to_thread(remove_copies, self._file(), marks, seen)  # those that were made meanwhile
        return Forgotten(count=len(facts), left=tuple(left))

    def _found(self, ids: Sequence[str]) -> tuple[list[Fact], list[str], dict[int, Evidence]]:
        """The facts, what is looked for elsewhere, and the evidence that goes."""
        facts = [self._facts.get(one) for one in self._facts.folded_into(ids) if self._facts.has(one)]
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
        self._evidence.leave_unread(number)
        for fact in facts:
            self._facts.ground(fact.id, number)

    def _forget_turns(self, needles: Sequence[str], said: Iterable[Evidence]) -> None:
        """Turns in which it was said, or said again: their whole text, reply and events."""
        turns = [one.source.removeprefix("turn:") for one in said if one.source.startswith("turn:")]
        connection = self._db.conn
        for turn in turns:
            connection.execute("DELETE FROM turns WHERE id = ?", (turn,))
        spelled = [json.dumps(needle, ensure_ascii=False)[1:-1] for needle in needles]
        wanted = {one.casefold() for one in (*needles, *spelled)}
        for table, key, columns in (("turns", "id", "text, reply, events"), ("open_questions", "session", "step")):
            rows = connection.execute(f"SELECT {key}, {columns} FROM {table}").fetchall()
            held = [(row[0],) for row in rows if _holds("\n".join(row[1:]), wanted)]
            connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", held)

    def _file(self) -> Path | None:
        """The database's own file; None for one in memory."""
        name = self._db.conn.execute("PRAGMA database_list").fetchone()[2]
        return Path(name) if name else None


def _needles(facts: Sequence[Fact], stated: Iterable[Evidence]) -> list[str]:
    """What is looked for elsewhere: the words that state it, and a value that can mean nothing else."""
    values = [fact.value for fact in facts if len(fact.value.encode()) >= _LEAST and not fact.value.isdigit()]
    told = [kinds().sentence(fact, language).rstrip("。.") for fact in facts for language in ("en", "zh")]
    found = [*(one.text for one in stated), *(fact.text for fact in facts), *told, *values]
    return [one for one in dict.fromkeys(found) if one.strip()]


def _holds(text: str, wanted: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(one in folded for one in wanted)


def _marks(facts: Sequence[Fact], said: Iterable[Evidence]) -> list[str]:
    """What shows that a copy holds any of it: words, and the ids of rows, which never lie across two pages."""
    said = list(said)
    return [*_needles(facts, said), *(fact.id for fact in facts), *(one.source for one in said)]
