"""Nights: near-duplicate facts are folded, names of one person joined; all of it one batch that can be taken back.

No model is asked, nothing is deleted, and no pinned fact is changed but in how often it was said. What a night would
fold beyond a bounded share of all that is known is not done at all: then something is wrong with what was learned, or
with this.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assistant.failpoint import failpoint
from assistant.knowledge import Fact, Statement, What
from assistant.memory.evidence import utc
from assistant.memory.facts import AGAIN, FactBook, plain
from assistant.memory.kinds import Kinds
from assistant.memory.likeness import kind_of, near
from assistant.memory.persons import Joined, same_people
from assistant.models import Person
from assistant.ports import Clock, Quiet
from assistant.store import Database, transaction

_log = logging.getLogger(__name__)
NIGHT = "night:"
"""Begins the name of a night's batch."""
MOST = 0.2
"""The share of all facts that one night may fold, and"""
ALWAYS = 3
"""how many it may always."""
_PAGE = 100


@dataclass(frozen=True)
class Fold:
    """A fact that says the same as another."""

    fact: Fact
    into: Fact
    same: bool
    """Whether its words state the other one too; a narrower one is only implied by it."""


@dataclass(frozen=True)
class Night:
    """What one night did."""

    batch: str = ""
    """Empty where there was nothing to do."""
    folded: int = 0
    joined: int = 0
    refused: int = 0
    """So many facts would have been folded, which is too many: nothing was done."""


@dataclass
class _Plan:
    joins: list[Joined]
    about: dict[str, list[Fact]]
    """Name → the facts that are to be about somebody else's name."""
    folds: list[Fold]
    holding: int = 0


@dataclass
class Nights:
    """Puts together what is known, and takes that back."""

    db: Database
    facts: FactBook
    kinds: Kinds
    clock: Clock
    quiet: Quiet
    people: Callable[[], Sequence[Person]] = tuple
    last: Night = field(default_factory=Night)
    """What the newest night of this process did."""

    async def consolidate(self) -> Night:
        """One night. It waits whenever somebody is being answered; what changes meanwhile is left for the next one."""
        plan = await self._planned()
        if len(plan.folds) > max(ALWAYS, MOST * plan.holding):
            _log.warning("a night would fold %d of %d facts: nothing was done", len(plan.folds), plan.holding)
            self.last = Night(refused=len(plan.folds))
            return self.last
        now = self.clock.now()
        batch = f"{NIGHT}{now:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
        with transaction(self.db):
            unchanged = {one.id for one in self._touched(plan) if self._is_as_planned(one)}
            joined = sum(self._join(one, plan.about[one.name], unchanged, batch, now) for one in plan.joins)
            folded = sum(self._fold(one, batch, now) for one in plan.folds if {one.fact.id, one.into.id} <= unchanged)
            failpoint("profile.night")
        self.last = Night(batch if joined or folded else "", folded, joined)
        return self.last

    def take_back(self, batch: str) -> None:
        """Undo a night: every fact is as it was before, but for what has changed of it since.

        What is taken apart so is not put together again.
        """
        rows = self.db.conn.execute(
            "SELECT id, what, fact, before FROM profile_changes WHERE batch = ? ORDER BY id DESC", (batch,)
        ).fetchall()
        for row in rows:
            before = json.loads(row["before"])
            fact = self.facts.get(row["fact"])
            if row["what"] == "folded":
                self._unfold(fact)
            else:
                self._restore(fact.id, before["columns"])
            for number in before.get("grounded", ()):
                self.db.conn.execute("DELETE FROM fact_evidence WHERE fact = ? AND evidence = ?", (fact.id, number))
            self.db.conn.execute("DELETE FROM profile_changes WHERE id = ?", (row["id"],))
        for name, subject in self.db.conn.execute(
            "SELECT name, subject FROM subject_names WHERE batch = ?", (batch,)
        ).fetchall():
            self._keep_apart(name, plain(subject))
        self.db.conn.execute("DELETE FROM subject_names WHERE batch = ?", (batch,))

    # --- planning ------------------------------------------------------------------------------------------------

    async def _planned(self) -> _Plan:
        known: list[Fact] = []
        keys: dict[str, tuple[str, str]] = {}
        for page in self.facts.pages(_PAGE):
            known += page
            keys |= {one.id: (near(one.topic), near(one.value)) for one in page}
            await asyncio.sleep(0)
            await self.quiet.wait()
        holding = [one for one in known if one.superseded_by is None and one.valid_to is None]
        joins = same_people(known, self.people(), self.kinds, self._are_apart)
        await asyncio.sleep(0)
        under = {plain(one.name): one.subject for one in joins}
        about = {one.name: [fact for fact in holding if fact.subject == one.name and not fact.pinned] for one in joins}
        groups: dict[tuple[str, str, str], list[Fact]] = {}
        for fact in holding:
            subject = fact.subject if fact.pinned else under.get(plain(fact.subject), fact.subject)
            groups.setdefault((plain(subject), fact.predicate, keys[fact.id][0]), []).append(fact)
        folds: list[Fold] = []
        for group in groups.values():
            if len(group) > 1:
                folds += self._folds(group, {fact.id: keys[fact.id][1] for fact in group})
                await asyncio.sleep(0)
        return _Plan(joins, about, folds, len(holding))

    def _folds(self, group: Sequence[Fact], values: Mapping[str, str]) -> list[Fold]:
        """What of the facts with one subject, predicate and topic says the same."""
        alike: dict[str, list[Fact]] = {}
        for fact in sorted(group, key=lambda one: (not one.pinned, -one.evidences, one.recorded_at, one.id)):
            alike.setdefault(values[fact.id], []).append(fact)
        folds = [
            Fold(fact, keeper, same=True)
            for keeper, *others in alike.values()
            for fact in others
            if not fact.pinned and not self._are_apart(fact.id, keeper.id)
        ]
        keepers = [one[0] for one in alike.values()]
        if self.kinds.predicates[group[0].predicate].covers:
            for narrow in keepers:
                wide = [one for one in keepers if one is not narrow and kind_of(narrow.value, one.value)]
                widest = [one for one in wide if not any(kind_of(one.value, other.value) for other in wide)]
                if len(widest) == 1 and not narrow.pinned:
                    if not self._are_apart(narrow.id, widest[0].id):
                        folds.append(Fold(narrow, widest[0], same=False))
        return folds

    def _touched(self, plan: _Plan) -> list[Fact]:
        facts = [fact for some in plan.about.values() for fact in some]
        facts += [fact for fold in plan.folds for fact in (fold.fact, fold.into)]
        return list({fact.id: fact for fact in facts}.values())

    def _is_as_planned(self, fact: Fact) -> bool:
        try:
            return self.facts.get(fact.id) == fact
        except KeyError:
            return False

    # --- doing ---------------------------------------------------------------------------------------------------

    def _join(self, one: Joined, about: Sequence[Fact], unchanged: set[str], batch: str, now: datetime) -> int:
        """Put facts about one name under the other; how many. From now on what is said of the one is of the other."""
        moved = [fact for fact in about if fact.id in unchanged]
        if moved:
            self.db.conn.execute(
                "INSERT OR IGNORE INTO subject_names VALUES (?, ?, ?)", (plain(one.name), one.subject, batch)
            )
        for fact in moved:
            said = Statement(
                predicate=fact.predicate,
                subject=one.subject,
                topic=fact.topic,
                value=fact.value,
                text=fact.text,
                language=fact.language,
            )
            self._change("joined", fact.id, {"subject": one.subject, "key": self.facts.keys(said)[0]}, batch, now)
        return len(moved)

    def _fold(self, one: Fold, batch: str, now: datetime) -> int:
        fact, into = one.fact, self.facts.get(one.into.id)
        gone = {"superseded_by": into.id, "valid_to": utc(fact.valid_from), "folded": 1}
        self._change("folded", fact.id, gone, batch, now)
        if not one.same:
            return 1
        own = set(self.facts.evidence_of(into.id))
        new = [number for number in self.facts.evidence_of(fact.id) if number not in own]
        for number in new:
            self.facts.ground(into.id, number)
        sure = max(into.confidence, fact.confidence)
        counted = {
            "confidence": 1 - (1 - sure) * AGAIN ** len(new),
            "observed_at": utc(max(into.observed_at, fact.observed_at)),
            "last_confirmed_at": utc(max(into.last_confirmed_at, fact.last_confirmed_at)),
            "valid_from": utc(min(into.valid_from, fact.valid_from)),
        }
        self._change("gained", into.id, counted, batch, now, grounded=new)
        return 1

    def _change(
        self, what: What, fact: str, columns: Mapping[str, Any], batch: str, now: datetime, **more: object
    ) -> None:
        """Write columns of a fact, noting what they held before and hold since."""
        held = self._columns(fact, columns)
        noted = {"columns": {name: [held[name], value] for name, value in columns.items()}, **more}
        self.db.conn.execute(
            "INSERT INTO profile_changes (batch, at, what, fact, before) VALUES (?, ?, ?, ?, ?)",
            (batch, utc(now), what, fact, json.dumps(noted, ensure_ascii=False)),
        )
        self._write(fact, columns)

    # --- taking back ---------------------------------------------------------------------------------------------

    def _unfold(self, fact: Fact) -> None:
        """A fact stands for itself again; where what it was folded into holds no more, neither does it."""
        if not fact.folded or fact.superseded_by is None:
            return
        into = self.facts.get(fact.superseded_by)
        until = utc(into.valid_to) if into.valid_to else None
        self._write(fact.id, {"superseded_by": into.superseded_by, "valid_to": until, "folded": int(into.folded)})
        self._keep_apart(fact.id, into.id)

    def _restore(self, fact: str, columns: Mapping[str, Sequence[Any]]) -> None:
        held = self._columns(fact, columns)
        self._write(fact, {name: before for name, (before, after) in columns.items() if held[name] == after})

    def _columns(self, fact: str, names: Mapping[str, Any]) -> dict[str, Any]:
        row = self.db.conn.execute(f"SELECT {', '.join(names)} FROM facts WHERE id = ?", (fact,)).fetchone()
        return dict(row)

    def _write(self, fact: str, columns: Mapping[str, Any]) -> None:
        if columns:
            settings = ", ".join(f"{name} = ?" for name in columns)
            self.db.conn.execute(f"UPDATE facts SET {settings} WHERE id = ?", (*columns.values(), fact))

    def _keep_apart(self, one: str, other: str) -> None:
        self.db.conn.execute("INSERT OR IGNORE INTO kept_apart VALUES (?, ?)", (min(one, other), max(one, other)))

    def _are_apart(self, one: str, other: str) -> bool:
        pair = (min(one, other), max(one, other))
        row = self.db.conn.execute("SELECT 1 FROM kept_apart WHERE one = ? AND other = ?", pair).fetchone()
        return row is not None


def forget_names(db: Database, needles: Sequence[str], gone: Sequence[str]) -> None:
    """Remove from what nights know names that hold one of these texts, or of nobody who is known, and `gone` facts."""
    wanted = [name for needle in needles if (name := plain(needle))]

    def held(*texts: str) -> bool:
        return any(one in plain(text) for one in wanted for text in texts)

    db.conn.execute("DELETE FROM subject_names WHERE subject NOT IN (SELECT subject FROM facts)")
    for row in db.conn.execute("SELECT name, subject FROM subject_names").fetchall():
        if held(*row):
            db.conn.execute("DELETE FROM subject_names WHERE name = ?", (row["name"],))
    for one, other in db.conn.execute("SELECT one, other FROM kept_apart").fetchall():
        if held(one, other) or not {one, other}.isdisjoint(gone):
            db.conn.execute("DELETE FROM kept_apart WHERE one = ? AND other = ?", (one, other))
