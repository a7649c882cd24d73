"""Words as they were said: appended, found by their words, and only ever removed by forgetting. Reads no meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from assistant.knowledge import Evidence, Source
from assistant.memory.concepts import concepts
from assistant.memory.vectors import VectorFiles, family
from assistant.store import Database, in_parts
from assistant.store.index import segment

_TERMS = 24
_STOP = frozenset(
    "a an the of to in on at for and or is are was were be been do does did has have had i you he she it they we his"
    " her their its my your our me him them us what when where who whom why how that this these those with by"
    " from as not no about would could should will can may might if than then so there some any into out up down over"
    " after before during s t re ve ll m d get gets take takes use uses make go come keep put give let"
    " need needs never always usually still which tell know 的 了 吗 呢 是".split()
)


class Neighbour(NamedTuple):
    """What stands near a piece of evidence in its thread."""

    offset: int
    """Places before (negative) or after it."""
    number: int
    same: bool
    """Whether the same person speaks."""


class Head(NamedTuple):
    """What is needed of a piece of evidence to weigh it."""

    text: str
    speaker: str
    thread: str
    family: str
    at: str
    """UTC: sorts as time does."""


class EvidenceBook:
    """The table `evidence` and its word index."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def append(
        self,
        text: str,
        *,
        source: str,
        origin: Source,
        language: str,
        at: datetime,
        speaker: str = "",
        thread: str = "",
    ) -> int | None:
        """Keep it; its number. None where this source is kept already."""
        words, singles = segment(text)
        cursor = self._db.conn.execute(
            "INSERT OR IGNORE INTO evidence"
            " (source, origin, speaker, thread, language, family, text, at, words, singles, concepts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source,
                origin,
                speaker,
                thread,
                language,
                family(text),
                text,
                utc(at),
                " ".join(words),
                " ".join(singles),
                " ".join(concepts(text)),
            ),
        )
        return cursor.lastrowid if cursor.rowcount == 1 else None

    def numbered(self, source: str) -> int | None:
        """The number of a source; None where it isn't kept."""
        row = self._db.conn.execute("SELECT id FROM evidence WHERE source = ?", (source,)).fetchone()
        return None if row is None else int(row["id"])

    def of(self, numbers: Iterable[int]) -> dict[int, Evidence]:
        """Those of these numbers that are there."""
        return {row["id"]: _evidence(row) for row in self._picked("*", numbers)}

    def after(self, number: int, limit: int) -> list[Evidence]:
        """The first ones from this number on."""
        rows = self._db.conn.execute("SELECT * FROM evidence WHERE id >= ? ORDER BY id LIMIT ?", (number, limit))
        return [_evidence(row) for row in rows]

    def heads(self, numbers: Iterable[int]) -> dict[int, Head]:
        """Those of these numbers that are there, to be weighed."""
        rows = self._picked("id, text, speaker, thread, family, at", numbers)
        return {row[0]: Head(*row[1:]) for row in rows}

    def neighbours(self, numbers: Iterable[int], reach: int) -> dict[int, list[Neighbour]]:
        """For each number, what stands at most `reach` places from it in its thread.

        Looked for among the numbers nearby: what two conversations at once have put further apart is not found.
        """
        wanted = list(numbers)
        nearby = {near for number in wanted for near in range(number - reach, number + reach + 1)}
        known = {row[0]: (row[1], row[2]) for row in self._picked("id, thread, speaker", nearby) if row[1]}
        found: dict[int, list[Neighbour]] = {}
        for number in wanted:
            around = found[number] = []
            if number not in known:
                continue
            thread, speaker = known[number]
            for step in (-1, 1):
                place = 0
                for other in range(number + step, number + step * (reach + 1), step):
                    if other in known and known[other][0] == thread:
                        place += step
                        around.append(Neighbour(place, other, known[other][1] == speaker))
        return found

    def _picked(self, columns: str, numbers: Iterable[int]) -> list[sqlite3.Row]:
        """Rows of these numbers."""
        found: list[sqlite3.Row] = []
        for some, marks in in_parts(sorted(numbers)):
            found += self._db.conn.execute(f"SELECT {columns} FROM evidence WHERE id IN ({marks})", some).fetchall()
        return found

    def search(self, query: str, limit: int) -> dict[int, float]:
        """Evidence that holds words of `query`, with its BM25 (higher is better); Robertson and Zaragoza 2009."""
        told = telling(query)
        return self._scored("words", told, limit) if told else self._scored("singles", segment(query[:1000])[1], limit)

    def search_concepts(self, query: str, limit: int) -> dict[int, float]:
        """Evidence that speaks of the same things as `query`, in whatever language, with its BM25."""
        return self._scored("concepts", concepts(query[:1000]), limit)

    def _scored(self, column: str, terms: Sequence[str], limit: int) -> dict[int, float]:
        if not terms:
            return {}
        rows = self._db.conn.execute(
            "SELECT rowid, bm25(evidence_words) AS score FROM evidence_words WHERE evidence_words MATCH ?"
            " ORDER BY rank LIMIT ?",
            (" OR ".join(f'{column} : "{term}"' for term in terms[:_TERMS]), limit),
        )
        return {row[0]: -row[1] for row in rows.fetchall()}

    def holding(self, needles: Iterable[str]) -> dict[int, Evidence]:
        """Evidence that holds one of these texts, whatever its case."""
        # In Python: SQLite knows the case of ASCII alone, and takes longer.
        wanted = [needle.casefold() for needle in needles]
        rows = self._db.conn.execute("SELECT id, text FROM evidence").fetchall()
        return self.of([row["id"] for row in rows if any(map(row["text"].casefold().__contains__, wanted))])

    def idle_before(self, moment: datetime) -> list[int]:
        """Numbers of what is older and states no fact."""
        rows = self._db.conn.execute(
            "SELECT id FROM evidence WHERE at < ? AND id NOT IN (SELECT evidence FROM fact_evidence)", (utc(moment),)
        )
        return [row[0] for row in rows]

    def leave_unread(self, number: int | None) -> None:
        """Nothing more is read in it; called inside a transaction."""
        self._db.conn.execute("DELETE FROM evidence_unread WHERE evidence = ?", (number,))

    def delete(self, numbers: Iterable[int]) -> None:
        """Remove them; the numbers are never given again."""
        self._db.conn.executemany("DELETE FROM evidence WHERE id = ?", [(number,) for number in numbers])

    def sweep(self, vectors: VectorFiles) -> None:
        """Empty the vectors of what was removed. Call it after the commit, and at the start for what a crash left."""
        numbers = [row[0] for row in self._db.conn.execute("SELECT number FROM vectors_gone")]
        if numbers:
            vectors.empty(numbers)
            self._db.conn.executemany("DELETE FROM vectors_gone WHERE number = ?", [(number,) for number in numbers])

    def counts(self) -> dict[str, int]:
        """How much there is of each family of scripts."""
        rows = self._db.conn.execute("SELECT family, count(*) FROM evidence GROUP BY family")
        return {row[0]: row[1] for row in rows}


def telling(query: str) -> list[str]:
    """The words (and bigrams) of a question that tell what it is about; all, where all of them are common."""
    words = list(dict.fromkeys(segment(query[:1000])[0]))
    return [word for word in words if word not in _STOP] or words


def utc(at: datetime) -> str:
    """A moment as it is stored: UTC, so that text sorts as time does."""
    return at.astimezone(UTC).isoformat()


def _evidence(row: sqlite3.Row) -> Evidence:
    return Evidence(
        id=row["id"],
        source=row["source"],
        origin=row["origin"],
        speaker=row["speaker"],
        thread=row["thread"],
        language=row["language"],
        text=row["text"],
        at=datetime.fromisoformat(row["at"]),
    )
