"""The facts as they are kept, looked at: what holds, what held, and by which words. Changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from assistant.knowledge import Fact, Statement
from assistant.memory.evidence import utc
from assistant.memory.kinds import Kinds
from assistant.store import Database, in_parts
from assistant.store.index import fold

CURRENT = "superseded_by IS NULL AND valid_to IS NULL"
"""SQL: whether a fact holds now."""
_EVIDENCES = "(SELECT count(*) FROM fact_evidence n WHERE n.fact = f.id) AS evidences"


class FactRows:
    """The tables `facts` and `fact_evidence`, read."""

    def __init__(self, db: Database, kinds: Kinds) -> None:
        self._db = db
        self._kinds = kinds

    def get(self, fact: str) -> Fact:
        """The fact of this id. Raises KeyError."""
        rows = self._rows("id = ?", fact)
        if not rows:
            raise KeyError(fact)
        return rows[0]

    def has(self, fact: str) -> bool:
        """Whether there is one of this id."""
        return bool(self._rows("id = ?", fact))

    def about(self, key: str, value_key: str) -> list[Fact]:
        """All that ever said so (`keys`), whether it holds or not."""
        return self._rows("key = ? AND value_key = ?", key, value_key)

    def current(self, *, as_of: datetime | None = None, history: bool = False) -> list[Fact]:
        """What holds now, or held at a moment, or all that ever did; in the order in which it was learned."""
        if history:
            return self._rows("1")
        if as_of is None:
            return self._rows(CURRENT)
        moment = utc(as_of)
        return self._rows("valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)", moment, moment)

    def foremost(self, kind: str, limit: int) -> list[Fact]:
        """What holds of a kind: pinned, the user's own, the surest and then the newest first."""
        rows = self._db.conn.execute(
            f"SELECT f.*, {_EVIDENCES} FROM facts f WHERE kind = ? AND {CURRENT} ORDER BY pinned DESC,"
            " (subject != ''), confidence DESC, last_confirmed_at DESC, id LIMIT ?",
            (kind, limit),
        )
        return [self._fact(row) for row in rows]

    def version(self) -> int:
        """Another number after each change of any fact."""
        return int(self._db.conn.execute("SELECT version FROM facts_version").fetchone()[0])

    def read_in(self, numbers: Iterable[int]) -> dict[int, tuple[Fact, ...]]:
        """Evidence → the facts that were read in it."""
        found: dict[int, list[Fact]] = {}
        for some, marks in in_parts(numbers):
            for row in self._db.conn.execute(
                f"SELECT l.evidence AS number, f.* , {_EVIDENCES} FROM fact_evidence l JOIN facts f ON f.id = l.fact"
                f" WHERE l.evidence IN ({marks})",
                some,
            ):
                found.setdefault(row["number"], []).append(self._fact(row))
        return {number: tuple(facts) for number, facts in found.items()}

    def stated_in(self, numbers: Iterable[int]) -> dict[int, list[tuple[str, bool]]]:
        """Evidence → the predicates of the facts that were read in it, and whether they hold now."""
        found: dict[int, list[tuple[str, bool]]] = {}
        for some, marks in in_parts(numbers):
            for row in self._db.conn.execute(
                f"SELECT l.evidence, f.predicate, {CURRENT}"
                f" FROM fact_evidence l JOIN facts f ON f.id = l.fact WHERE l.evidence IN ({marks})",
                some,
            ).fetchall():
                found.setdefault(row[0], []).append((row[1], bool(row[2])))
        return found

    def guides(self, limit: int) -> list[int]:
        """Numbers of the evidence of facts that say how the user wants things, the newest first."""
        names = [name for name, one in self._kinds.predicates.items() if one.guides]
        marks = ",".join("?" * len(names))
        rows = self._db.conn.execute(
            "SELECT DISTINCT l.evidence FROM facts f JOIN fact_evidence l ON l.fact = f.id"
            f" WHERE f.predicate IN ({marks}) AND {CURRENT} ORDER BY l.evidence DESC LIMIT ?",
            (*names, limit),
        )
        return [row[0] for row in rows]

    def pages(self, size: int) -> Iterator[list[Fact]]:
        """All facts that ever were, some at a time, so that other work comes between."""
        last = 0
        while True:
            rows = self._db.conn.execute(
                f"SELECT f.rowid AS place, f.*, {_EVIDENCES} FROM facts f WHERE f.rowid > ? ORDER BY f.rowid LIMIT ?",
                (last, size),
            ).fetchall()
            if not rows:
                return
            last = rows[-1]["place"]
            yield [self._fact(row) for row in rows]

    def folded_into(self, facts: Iterable[str]) -> list[str]:
        """Ids of what says the same as one of these, and goes where they go."""
        found = list(facts)
        for fact in found:
            rows = self._db.conn.execute("SELECT id FROM facts WHERE folded AND superseded_by = ?", (fact,))
            found += [row["id"] for row in rows if row["id"] not in found]
        return found

    def names(self) -> dict[str, list[str]]:
        """Subject → what else they are called."""
        found: dict[str, list[str]] = {}
        for row in self._db.conn.execute("SELECT name, subject FROM subject_names"):
            found.setdefault(row["subject"], []).append(row["name"])
        return found

    def evidence_of(self, fact: str) -> list[int]:
        """Numbers of the evidence that states it, oldest first."""
        rows = self._db.conn.execute("SELECT evidence FROM fact_evidence WHERE fact = ? ORDER BY evidence", (fact,))
        return [row[0] for row in rows]

    def keys(self, said: Statement | Fact) -> tuple[str, str]:
        """What it is about, and its value, as they are compared."""
        value_key = plain(said.value)
        about = "|".join((plain(said.subject), said.predicate, plain(said.topic)))
        return (about if self._kinds.predicates[said.predicate].one else f"{about}|{value_key}"), value_key

    def _rows(self, where: str, *values: object) -> list[Fact]:
        rows = self._db.conn.execute(
            f"SELECT f.*, {_EVIDENCES} FROM facts f WHERE {where} ORDER BY recorded_at, rowid", values
        )
        return [self._fact(row) for row in rows]

    def _fact(self, row: sqlite3.Row) -> Fact:
        fact = Fact.model_validate({name: row[name] for name in Fact.model_fields if name != "review_at"})
        days = self._kinds.predicates[fact.predicate].review
        return fact.model_copy(update={"review_at": fact.last_confirmed_at + timedelta(days=days)}) if days else fact


def plain(text: str) -> str:
    """`text` as it is compared: folded, without articles, spaces and marks at its ends."""
    folded = fold(text).strip(" .,;:!?。，；：！？\"'“”")
    for article in ("the ", "a ", "an ", "my ", "some "):
        folded = folded.removeprefix(article)
    return " ".join(folded.split())
