"""Taking a document in: all of it into an empty profile; into another one fact by fact, as if it were told again.

What is known already is confirmed, of two values that can't both hold the one stated later does, and the other stays in
the history. The same document again changes nothing. Call it inside a transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from assistant.knowledge import Fact, Taken, What
from assistant.memory.document import Document, Entry, Known
from assistant.memory.evidence import EvidenceBook, utc
from assistant.memory.facts import AGAIN, FactBook
from assistant.memory.kinds import Kinds
from assistant.store import Database


class Taking:
    """One import."""

    def __init__(
        self,
        db: Database,
        evidence: EvidenceBook,
        facts: FactBook,
        kinds: Kinds,
        *,
        bars: Callable[[str], bool],
        batch: str,
        now: datetime,
    ) -> None:
        self._db = db
        self._evidence = evidence
        self._facts = facts
        self._kinds = kinds
        self._bars = bars
        self._batch = batch
        self._now = now
        self._numbers: dict[str, int] = {}
        self._ids: dict[str, str] = {}
        """Id in the document → id here."""
        self._new: set[str] = set()
        self._replaced: list[tuple[str, str]] = []
        """Id here, and what took its place by the id in the document."""
        self._notes: list[tuple[What, str, Fact | None]] = []
        self._done = {"added": 0, "confirmed": 0, "superseded": 0, "left_out": 0}

    def take(self, found: Document) -> Taken:
        """Take it in; what it brought."""
        empty = not self._evidence.counts() and not self._facts.current(history=True)
        self._take_evidence(found)
        facts = [one for one in found.facts if not self._bars(f"{one.topic} {one.value} {one.text}")]
        self._done["left_out"] = len(found.facts) - len(facts)
        for one in facts:
            self._place(one, empty)
        for here, newer in self._replaced:
            self._facts.write(here, superseded_by=self._ids.get(newer))
        self._take_history(found.changes)
        self._take_names(found)
        for what, fact, before in [] if empty else self._notes:
            self._facts.note(self._batch, self._now, what, fact, before)
        return Taken.model_validate(self._done)

    # --- the words -----------------------------------------------------------------------------------------------

    def _take_evidence(self, found: Document) -> None:
        for one in found.evidence:
            if self._bars(one.text):
                continue
            source = self._source(one.source, one.text)
            number = self._evidence.append(
                one.text,
                source=source,
                origin=one.origin,
                language=one.language,
                at=one.at,
                speaker=one.speaker,
                thread=one.thread,
            )
            if number is not None:
                self._db.conn.execute("INSERT INTO profile_imports VALUES (?, ?)", (self._batch, number))
                if not one.unread:
                    self._evidence.leave_unread(number)
            else:
                number = self._evidence.numbered(source)
            assert number is not None  # it was there before
            self._numbers[one.source] = number

    def _source(self, source: str, text: str) -> str:
        """Its own; another one where that is kept here with other words, as after something in it was forgotten."""
        number = self._evidence.numbered(source)
        if number is None or self._evidence.of([number])[number].text == text:
            return source
        return f"{source}~{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    # --- the facts -----------------------------------------------------------------------------------------------

    def _place(self, one: Known, empty: bool) -> None:
        same = None if empty else self._same(one)
        if same is not None:
            self._ids[one.id] = same.id
            self._confirm(one, same)
            return
        self._ids[one.id] = self._insert(one)
        if not empty and one.valid_to is None and one.superseded_by is None:
            self._settle(self._facts.get(self._ids[one.id]))
        self._notes.append(("added", self._ids[one.id], None))
        self._done["added"] += 1

    def _same(self, one: Known) -> Fact | None:
        """What says the same here: the same entry, or for what holds now, another one that holds now."""
        key, value_key = self._facts.keys(one)
        for fact in self._facts.about(key, value_key):
            if fact.id == one.id:
                return fact
        current = one.valid_to is None and one.superseded_by is None
        for fact in self._facts.about(key, value_key):
            if current and fact.valid_to is None and fact.superseded_by is None:
                return fact
            if not current and (fact.valid_from, fact.valid_to) == (one.valid_from, one.valid_to):
                return fact
        return None

    def _confirm(self, one: Known, same: Fact) -> None:
        known = set(self._facts.evidence_of(same.id))
        fresh = [number for source in one.evidence if (number := self._numbers.get(source, 0)) and number not in known]
        ended = one.id == same.id and one.valid_to is not None and same.valid_to is None
        if ended and one.valid_to is not None and one.valid_to >= same.observed_at:
            self._notes.append(("superseded" if one.superseded_by else "ended", same.id, same))
            self._facts.write(same.id, valid_to=utc(one.valid_to), folded=int(one.folded))
            self._note_place(one, same.id)
            self._done["superseded"] += 1
        elif fresh:
            self._notes.append(("confirmed", same.id, same))
            surer = max(same.confidence, one.confidence)
            self._facts.write(
                same.id,
                confidence=surer + (1 - surer) * AGAIN,
                observed_at=utc(max(one.observed_at, same.observed_at)),
                last_confirmed_at=utc(max(one.last_confirmed_at, same.last_confirmed_at)),
                valid_from=utc(min(one.valid_from, same.valid_from)),
                pinned=int(one.pinned or same.pinned),
            )
            self._done["confirmed"] += 1
        for number in fresh:
            self._facts.ground(same.id, number)

    def _settle(self, fact: Fact) -> None:
        """Of what can't hold beside it, the one stated later holds; the other keeps the time in which it did."""
        key, value_key = self._facts.keys(fact)
        others = [one for one in self._facts.replaced(fact, key, value_key) if one.id != fact.id]
        newer = [one for one in others if one.observed_at > fact.observed_at]
        if newer:
            first = min(newer, key=lambda one: one.observed_at)
            until = max(first.valid_from, fact.observed_at)
            self._facts.write(fact.id, valid_to=utc(until), superseded_by=first.id)
            return
        for one in others:
            self._notes.append(("superseded", one.id, one))
            until = max(one.observed_at, fact.valid_from)
            self._facts.write(one.id, valid_to=utc(until), superseded_by=fact.id)
            self._done["superseded"] += 1

    def _insert(self, one: Known) -> str:
        """A row as it was, under its own id where that is free."""
        id_ = one.id
        while self._facts.has(id_):
            id_ = hashlib.sha256(f"{id_}{self._batch}".encode()).hexdigest()[:12]
        key, value_key = self._facts.keys(one)
        columns = one.model_dump(exclude={"evidence", "evidences", "review_at", "superseded_by"}) | {
            "id": id_,
            "kind": self._kinds.predicates[one.predicate].kind,
            "key": key,
            "value_key": value_key,
        }
        row = {name: _column(value) for name, value in columns.items()}
        marks = ", ".join("?" * len(row))
        self._db.conn.execute(f"INSERT INTO facts ({', '.join(row)}) VALUES ({marks})", list(row.values()))
        for source in one.evidence:
            if source in self._numbers:
                self._facts.ground(id_, self._numbers[source])
        self._new.add(one.id)
        self._note_place(one, id_)
        return id_

    def _note_place(self, one: Known, here: str) -> None:
        if one.superseded_by:
            self._replaced.append((here, one.superseded_by))

    def _take_history(self, entries: Sequence[Entry]) -> None:
        """What became of the facts that are new here; the others have a history of their own."""
        for one in entries:
            if one.fact not in self._new:
                continue
            here = self._ids[one.fact]
            before = json.dumps(self._before(one.before, here), ensure_ascii=False)
            self._db.conn.execute(
                "INSERT INTO profile_changes (batch, at, what, fact, before) VALUES (?, ?, ?, ?, ?)",
                (one.batch, utc(one.at), one.what, here, before),
            )

    def _before(self, before: dict[str, Any], here: str) -> dict[str, Any]:
        """How a fact was, by the ids and numbers that are known here."""
        if "columns" not in before:
            newer = {"superseded_by": self._here(before["superseded_by"])} if "superseded_by" in before else {}
            return before | newer | {"id": here}
        columns = dict(before["columns"])
        if "superseded_by" in columns:
            columns["superseded_by"] = [self._here(one) for one in columns["superseded_by"]]
        numbers = [self._numbers[source] for source in before.get("grounded", ()) if source in self._numbers]
        return before | {"columns": columns} | ({"grounded": numbers} if "grounded" in before else {})

    def _here(self, id_: str | None) -> str | None:
        return None if id_ is None else self._ids.get(id_)

    def _take_names(self, found: Document) -> None:
        """What nights found out, and what the user took apart; what is known here already goes first."""
        for one in found.names:
            if not self._bars(f"{one.name} {one.subject}"):
                self._db.conn.execute(
                    "INSERT OR IGNORE INTO subject_names VALUES (?, ?, ?)", (one.name, one.subject, one.batch)
                )
        for pair in found.apart:
            here = sorted(self._ids.get(id_, id_) for id_ in pair)
            self._db.conn.execute("INSERT OR IGNORE INTO kept_apart VALUES (?, ?)", here)


def _column(value: object) -> object:
    if isinstance(value, datetime):
        return utc(value)
    return int(value) if isinstance(value, bool) else value
