"""Words as they were said: appended, found by their words, and only ever removed by forgetting. Reads no meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from assistant.knowledge import Evidence, Source
from assistant.memory.concepts import concepts
from assistant.memory.vectors import VectorFiles, family
from assistant.store import Database
from assistant.store.index import segment

_TERMS = 24
_STOP = frozenset(
    "a an the of to in on at for and or is are was were be been do does did has have had i you he she it they we his"
    " her their its my your our me him them us what when where who whom why how that this these those with by"
    " from as not no about would could should will can may might if than then so there some any into out up down over"
    " after before during s t re ve ll m d get gets take takes use uses make go come keep put give let"
    " need needs never always usually still which tell know 的 了 吗 呢 是".split()
)


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
        wanted = list(numbers)
        found: dict[int, Evidence] = {}
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            marks = ",".join("?" * len(some))
            for row in self._db.conn.execute(f"SELECT * FROM evidence WHERE id IN ({marks})", some):
                found[row["id"]] = _evidence(row)
        return found

    def after(self, number: int, limit: int) -> list[Evidence]:
        """The first ones from this number on."""
        rows = self._db.conn.execute("SELECT * FROM evidence WHERE id >= ? ORDER BY id LIMIT ?", (number, limit))
        return [_evidence(row) for row in rows]

    def neighbours(self, numbers: Iterable[int], reach: int) -> dict[int, dict[int, int]]:
        """For each number, what stands near it in its thread: offset (-reach…reach, without 0) → number.

        Looked for among the numbers nearby: what two conversations at once have put further apart is not found.
        """
        wanted = list(numbers)
        nearby = sorted({near for number in wanted for near in range(number - reach, number + reach + 1)})
        threads: dict[int, str] = {}
        for start in range(0, len(nearby), 500):
            some = nearby[start : start + 500]
            marks = ",".join("?" * len(some))
            rows = self._db.conn.execute(
                f"SELECT id, thread FROM evidence WHERE thread != '' AND id IN ({marks})", some
            )
            threads |= {row[0]: row[1] for row in rows}
        found: dict[int, dict[int, int]] = {}
        for number in wanted:
            own = threads.get(number)
            around: dict[int, int] = {}
            for step in (-1, 1):
                place = 0
                for other in range(number + step, number + step * (reach + 1), step):
                    if own is not None and threads.get(other) == own:
                        place += step
                        around[place] = other
            found[number] = around
        return found

    def search(self, query: str, limit: int) -> dict[int, float]:
        """Evidence that holds words of `query`, with its BM25 (higher is better); Robertson and Zaragoza 2009."""
        words, singles = segment(query[:1000])
        told = [word for word in dict.fromkeys(words) if word not in _STOP] or list(dict.fromkeys(words))
        return self._scored("words", told, limit) if told else self._scored("singles", singles, limit)

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
        return {row[0]: -row[1] for row in rows}

    def holding(self, needles: Iterable[str]) -> dict[int, Evidence]:
        """Evidence that holds one of these texts, whatever its case."""
        found: dict[int, Evidence] = {}
        for needle in needles:
            for row in self._db.conn.execute("SELECT * FROM evidence WHERE instr(lower(text), lower(?))", (needle,)):
                found[row["id"]] = _evidence(row)
        return found

    def idle_before(self, moment: datetime) -> list[int]:
        """Numbers of what is older and states no fact."""
        rows = self._db.conn.execute(
            "SELECT id FROM evidence WHERE at < ? AND id NOT IN (SELECT evidence FROM fact_evidence)", (utc(moment),)
        )
        return [row[0] for row in rows]

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
