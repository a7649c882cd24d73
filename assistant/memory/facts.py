"""Facts and their history: what is stated is added, confirms what is known, or takes its place. Judges no words.

A fact's key says what it is about (whose, which predicate, what of). Where there can be one value only, a newer one
supersedes the older, which keeps the time in which it held: `valid_from` and `valid_to` are about the world,
`recorded_at` is about us (bitemporal tables, Snodgrass 1999).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime

from assistant.knowledge import Change, Fact, Source, Statement, What
from assistant.memory.evidence import utc
from assistant.memory.factrows import CURRENT, FactRows
from assistant.memory.factrows import plain as plain

STATED = 0.9
"""How sure a fact is that a rule read in the user's own words."""
AGAIN = 0.5
"""Of what is missing to certainty, so much comes with each time it is stated again."""
_NAMES = 3
"""So many names lead to one person at most: "my sister", Klara, Klara Meyer."""


class FactBook(FactRows):
    """The tables `facts`, `fact_evidence` and `profile_changes`. Call it inside a transaction."""

    def state(
        self,
        said: Statement,
        *,
        evidence: int,
        origin: Source,
        at: datetime,
        now: datetime,
        batch: str,
        confidence: float = STATED,
    ) -> tuple[Fact, What] | None:
        """Take a statement in. None where it ends something that isn't known."""
        said = self._by_name(said)
        key, value_key = self.keys(said)
        if said.ends:
            return self._end(said, at, batch, now)
        same = self._rows(f"key = ? AND value_key = ? AND {CURRENT}", key, value_key) or self._rows(
            f"id IN (SELECT superseded_by FROM facts WHERE folded AND key = ? AND value_key = ?) AND {CURRENT}",
            key,
            value_key,
        )
        if same:
            return self._confirm(same[0], evidence, at, batch, now), "confirmed"
        others = self.replaced(said, key, value_key)
        fact = self._new(said, key, value_key, evidence, origin, at, now, confidence)
        newer = [one for one in others if one.observed_at > at]
        if newer:  # told late: it held until what is known already
            first = min(newer, key=lambda one: one.observed_at)
            self.write(fact.id, valid_to=utc(max(first.valid_from, at)), superseded_by=first.id)
            self.note(batch, now, "added", fact.id, None)
            return self.get(fact.id), "added"
        for old in others:
            self.note(batch, now, "superseded", old.id, old)
            self.write(old.id, valid_to=utc(at), superseded_by=fact.id)
        self.note(batch, now, "added", fact.id, None)
        return fact, "superseded" if others else "added"

    def pin(self, fact: str, pinned: bool, batch: str, now: datetime) -> Fact:
        """Keep it in sight whatever happens, or no longer. Raises KeyError."""
        before = self.get(fact)
        self.note(batch, now, "pinned" if pinned else "unpinned", fact, before)
        self.write(fact, pinned=int(pinned))
        return self.get(fact)

    def edit(self, old: Fact, value: str, text: str, evidence: int, language: str, now: datetime, batch: str) -> Fact:
        """Another value in the place of a fact that holds; what says so already is confirmed."""
        said = Statement(
            predicate=old.predicate, subject=old.subject, topic=old.topic, value=value, text=text, language=language
        )
        key, value_key = self.keys(said)
        same = [one for one in self._rows(f"key = ? AND value_key = ? AND {CURRENT}", key, value_key) if one != old]
        others = [one for one in self.replaced(said, key, value_key) if one.id != old.id]
        if same:
            fact = self._confirm(same[0], evidence, now, batch, now)
        else:
            fact = self._new(said, key, value_key, evidence, "said", now, now, STATED)
        for one in (old, *others):
            self.note(batch, now, "superseded", one.id, one)
            self.write(one.id, valid_to=utc(now), superseded_by=fact.id)
        if not same:
            self.note(batch, now, "added", fact.id, None)
        if old.pinned and not fact.pinned:
            self.note(batch, now, "pinned", fact.id, fact)
            self.write(fact.id, pinned=1)
        return self.get(fact.id)

    def take_back(self, batch: str) -> list[Fact]:
        """Undo a batch: what it added goes for good (returned), what it changed is as before."""
        rows = self._db.conn.execute(
            "SELECT id, what, fact, before FROM profile_changes WHERE batch = ? ORDER BY id DESC", (batch,)
        ).fetchall()
        gone: dict[str, Fact] = {}
        for row in rows:
            fact = self.get(row["fact"])
            if row["what"] == "added":
                gone[fact.id] = fact
                self._unfold(fact, batch)
                self._db.conn.execute("DELETE FROM facts WHERE id = ?", (fact.id,))
                continue
            self._restore(json.loads(row["before"]))
            self._unground(fact.id, batch)
            self._db.conn.execute("DELETE FROM profile_changes WHERE id = ?", (row["id"],))
            between = gone.get(fact.superseded_by or "")
            if between is not None and between.superseded_by is not None:
                self._replace(self.get(fact.id), between.superseded_by, between.valid_to)
        return list(gone.values())

    def ground(self, fact: str, evidence: int) -> None:
        """Note that this evidence states the fact."""
        self._db.conn.execute("INSERT OR IGNORE INTO fact_evidence VALUES (?, ?)", (fact, evidence))

    def delete(self, facts: Sequence[str]) -> None:
        """Remove them and all that was noted of their changes; what they took the place of stays history."""
        marks = ",".join("?" * len(facts))
        self._db.conn.execute(f"UPDATE facts SET superseded_by = NULL WHERE superseded_by IN ({marks})", list(facts))
        self._db.conn.execute(
            "UPDATE profile_changes SET before = json_set(before, '$.superseded_by', NULL)"
            f" WHERE before ->> '$.superseded_by' IN ({marks})",
            list(facts),
        )
        self._db.conn.execute(f"DELETE FROM facts WHERE id IN ({marks})", list(facts))

    def changes(self, limit: int) -> list[Change]:
        """The newest first."""
        rows = self._db.conn.execute("SELECT * FROM profile_changes ORDER BY id DESC LIMIT ?", (limit,))
        return [
            Change(
                id=row["id"],
                batch=row["batch"],
                at=datetime.fromisoformat(row["at"]),
                what=row["what"],
                fact=row["fact"],
            )
            for row in rows
        ]

    # --- inside ------------------------------------------------------------------------------------------------

    def _by_name(self, said: Statement) -> Statement:
        """The statement about whom a night found to be meant: what is said of "my sister" is said of Klara."""
        subject = said.subject
        for _ in range(_NAMES):
            row = self._db.conn.execute(
                "SELECT subject FROM subject_names WHERE name = ?", (plain(subject),)
            ).fetchone()
            if row is None:
                break
            subject = row["subject"]
        return said.model_copy(update={"subject": subject})

    def replaced(self, said: Statement | Fact, key: str, value_key: str) -> list[Fact]:
        """What can't hold beside it any more."""
        predicate = self._kinds.predicates[said.predicate]
        others = self._rows(f"key = ? AND {CURRENT}", key) if predicate.one else []
        for other in sorted(predicate.against):
            others += self._rows(
                f"predicate = ? AND subject = ? AND value_key = ? AND {CURRENT}", other, said.subject, value_key
            )
        return others

    def _new(
        self,
        said: Statement,
        key: str,
        value_key: str,
        evidence: int,
        origin: Source,
        at: datetime,
        now: datetime,
        confidence: float,
    ) -> Fact:
        fact = uuid.uuid4().hex[:12]
        moment = utc(at)
        self._db.conn.execute(
            "INSERT INTO facts (id, kind, predicate, subject, topic, value, key, value_key, text, language, confidence,"
            " origin, observed_at, valid_from, recorded_at, last_confirmed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                fact,
                self._kinds.predicates[said.predicate].kind,
                said.predicate,
                said.subject,
                said.topic,
                said.value,
                key,
                value_key,
                said.text,
                said.language,
                confidence,
                origin,
                moment,
                moment,
                utc(now),
                moment,
            ),
        )
        self.ground(fact, evidence)
        return self.get(fact)

    def _confirm(self, fact: Fact, evidence: int, at: datetime, batch: str, now: datetime) -> Fact:
        self.note(batch, now, "confirmed", fact.id, fact)
        self.ground(fact.id, evidence)
        confidence = fact.confidence + (1 - fact.confidence) * AGAIN
        self.write(
            fact.id,
            confidence=confidence,
            observed_at=utc(max(at, fact.observed_at)),
            last_confirmed_at=utc(max(at, fact.last_confirmed_at)),
            valid_from=utc(min(at, fact.valid_from)),
        )
        return self.get(fact.id)

    def _end(self, said: Statement, at: datetime, batch: str, now: datetime) -> tuple[Fact, What] | None:
        same = self._rows(
            "predicate = ? AND subject = ? AND (? IN ('', value_key)"
            f" OR id IN (SELECT superseded_by FROM facts WHERE folded AND value_key = ?)) AND {CURRENT}",
            said.predicate,
            said.subject,
            plain(said.value),
            plain(said.value),
        )
        same = [one for one in same if one.observed_at <= at]  # told late: it was stated again since
        if not same:
            return None
        for old in same:
            self.note(batch, now, "ended", old.id, old)
            self.write(old.id, valid_to=utc(at))
        return self.get(same[0].id), "ended"

    def _replace(self, fact: Fact, newer: str, until: datetime | None) -> None:
        """What had been between the two was taken back: the newer one took this one's place, and gives it back."""
        added = self._db.conn.execute(
            "SELECT batch, at FROM profile_changes WHERE fact = ? AND what = 'added'", (newer,)
        ).fetchone()
        if added is None or until is None:
            return
        self.note(added["batch"], datetime.fromisoformat(added["at"]), "superseded", fact.id, fact)
        self.write(fact.id, valid_to=utc(until), superseded_by=newer)

    def _unfold(self, fact: Fact, batch: str) -> None:
        """What was folded into a fact that goes stands for itself again; where it was folded, its words go with it."""
        if fact.folded and fact.superseded_by:
            self._unground(fact.superseded_by, batch)
        rows = self._db.conn.execute("SELECT id FROM facts WHERE folded AND superseded_by = ?", (fact.id,)).fetchall()
        for row in rows:
            self.write(row["id"], folded=0, valid_to=None, superseded_by=None)
            self._db.conn.execute("DELETE FROM profile_changes WHERE fact = ? AND what = 'folded'", (row["id"],))

    def _unground(self, fact: str, source: str) -> None:
        self._db.conn.execute(
            "DELETE FROM fact_evidence WHERE fact = ? AND evidence IN (SELECT id FROM evidence WHERE source = ?)",
            (fact, source),
        )

    def write(self, fact: str, **columns: object) -> None:
        """Set columns of a fact."""
        settings = ", ".join(f"{name} = ?" for name in columns)
        self._db.conn.execute(f"UPDATE facts SET {settings} WHERE id = ?", (*columns.values(), fact))

    def note(self, batch: str, now: datetime, what: What, fact: str, before: Fact | None) -> None:
        """Enter into the history what becomes of a fact, which was so `before`."""
        kept = before.model_dump_json(include=_MUTABLE) if before else "{}"
        self._db.conn.execute(
            "INSERT INTO profile_changes (batch, at, what, fact, before) VALUES (?, ?, ?, ?, ?)",
            (batch, utc(now), what, fact, json.dumps({"id": fact} | json.loads(kept))),
        )

    def _restore(self, before: dict[str, object]) -> None:
        self.write(str(before.pop("id")), **{name: _column(name, value) for name, value in before.items()})


_MUTABLE = {"confidence", "observed_at", "valid_from", "valid_to", "last_confirmed_at", "superseded_by", "pinned"}


def _column(name: str, value: object) -> object:
    """As it is stored: moments in the one form by which text sorts as time does."""
    if isinstance(value, str) and name != "superseded_by":
        return utc(datetime.fromisoformat(value))
    return int(value) if isinstance(value, bool) else value
