"""Habits: what the user usually chooses, read from what they had done, never from what they or others wrote.

Kept is one row for each argument of each deed. What is usual is worked out anew from them, so what is forgotten is gone
with its counts; the record of deeds is read once, so it does not come back from the same ones.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assistant.knowledge import Deed, Habit
from assistant.memory.bounds import Bounds
from assistant.memory.choices import LEAST, VIEWS, Use, Usual, clear, ranked, usual
from assistant.memory.evidence import utc
from assistant.memory.nightly import mark, put_mark
from assistant.ports import Clock
from assistant.ports_profile import Deeds
from assistant.store import Database, transaction
from assistant.store.index import fold

_MARK = "deeds"
_BATCH = 500
_LONGEST = 80
"""Characters of a value that can be a choice: a longer one is a text."""
_KEPT = timedelta(days=365)
_PENDING = timedelta(days=3)
"""What was meant and not done for so long never will be."""
_WORDS = frozenset(
    "text title body note label query question subject fact reference interests do path paths"
    " attachments content".split()
)
"""Arguments that say what something is, each time anew: no choice, but what other arguments are chosen for."""
_ABOUT = ("to", "counterparty", "attendees", "name", "destination", "text", "title", "label", "subject")
_ID = re.compile(r"(?:^|_)ids?$")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ](\d\d:\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class _Row:
    tool: str
    slot: str
    use: Use


class NoDeeds:
    """A record of nothing: `ports.Deeds` where nothing is done."""

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        """Nothing."""
        return (), number


class KeptHabits:
    """Adapter of `ports.Habits` over the database and the record of deeds."""

    def __init__(self, db: Database, clock: Clock, deeds: Deeds, bounds: Bounds) -> None:
        """`bounds` say what is learned from, and what is no habit."""
        self._db = db
        self._clock = clock
        self._deeds = deeds
        self._bounds = bounds

    def catch_up(self) -> bool:
        """Learn from the next deeds on record; False where there are no more."""
        before = int(mark(self._db, _MARK) or 0)
        deeds, last = self._deeds.after(before, _BATCH)
        if last == before:
            return False
        with transaction(self._db):
            for deed in deeds:
                self._take(deed)
            now = self._clock.now()
            self._db.conn.execute("DELETE FROM habit_uses WHERE at < ?", (utc(now - _KEPT),))
            self._db.conn.execute("DELETE FROM habit_uses WHERE NOT done AND at < ?", (utc(now - _PENDING),))
            put_mark(self._db, _MARK, str(last))
        return last - before >= _BATCH

    # --- asking --------------------------------------------------------------------------------------------------

    def usual(self, tool: str, slot: str, given: Mapping[str, Any], at: datetime) -> Habit | None:
        """What is usual for an argument where the others are `given`; None where nothing is."""
        self.catch_up()
        found = usual(self._uses(tool, slot), at, about_of(given, slot))
        return None if found is None else _habit(tool, slot, found, _situation(found.view, at))

    def is_usual(self, tool: str, slot: str, value: Any, given: Mapping[str, Any], at: datetime) -> bool:
        """Whether a value is what is usual for an argument where the others are `given`."""
        found = self.usual(tool, slot, given, at)
        return found is not None and found.value == choice_of(slot, value)

    def first(self, tool: str, slot: str, choices: Sequence[str], at: datetime) -> Sequence[str]:
        """The choices, the usual ones in front."""
        self.catch_up()
        order = {_plain(value): place for place, (value, _) in enumerate(ranked(self._uses(tool, slot), at))}
        return sorted(choices, key=lambda one: order.get(_plain(one), len(order)))

    def listed(self) -> list[Habit]:
        """All that is usual: what always is, else in which situation; and for one thing alone where that differs."""
        self.catch_up()
        found: list[Habit] = []
        slots = dict.fromkeys((row.tool, row.slot) for row in self._rows())
        for tool, slot in slots:
            uses = self._uses(tool, slot)
            always = clear(uses)
            if always is not None:
                found.append(_habit(tool, slot, always, ""))
            else:
                found += _by_situation(tool, slot, uses)
            for about in dict.fromkeys(one.about for one in uses if one.about):
                own = clear([one for one in uses if one.about == about])
                if own is not None and (always is None or own.value != always.value):
                    told = Usual(own.value, own.times, own.of, own.view, about)
                    found.append(_habit(tool, slot, told, ""))
        return found

    def due(self, at: datetime) -> Habit | None:
        """Something that is usually done at about this time of this day and has not been done today."""
        self.catch_up()
        series: dict[tuple[str, str], list[datetime]] = {}
        for row in self._rows():
            if row.use.about:
                series.setdefault((row.tool, row.use.about), []).append(row.use.at)
        found = []
        for (tool, about), moments in series.items():
            times = times_due(moments, at)
            if times:
                found.append(
                    Habit(
                        id=_id(tool, "", about), tool=tool, slot="", value="", times=times[0], of=times[1], about=about
                    )
                )
        return max(found, key=lambda one: (one.times / one.of, one.times), default=None)

    # --- forgetting ----------------------------------------------------------------------------------------------

    def forget(self, habit: str) -> int:
        """Forget a habit (by its id) with all that it was read from, for good; how many rows that were."""
        found = next((one for one in self.listed() if one.id == habit), None)
        if found is None:
            return 0
        with transaction(self._db) as connection:
            return connection.execute(
                "DELETE FROM habit_uses WHERE tool = ? AND slot = ? AND (? = '' OR about = ?)",
                (found.tool, found.slot, found.about, found.about),
            ).rowcount

    def forget_all(self) -> int:
        """Forget every habit, and what might have become one; how many rows that were."""
        while self.catch_up():
            pass
        with transaction(self._db) as connection:
            return connection.execute("DELETE FROM habit_uses").rowcount

    # --- inside --------------------------------------------------------------------------------------------------

    def _take(self, deed: Deed) -> None:
        if deed.what == "done":
            self._db.conn.execute("UPDATE habit_uses SET done = 1 WHERE operation = ?", (deed.operation,))
        elif deed.what == "undone":
            self._db.conn.execute("DELETE FROM habit_uses WHERE operation = ?", (deed.operation,))
        else:
            for slot, value in deed.args.items():
                chosen = choice_of(slot, value)
                about = about_of(deed.args, slot)
                if chosen and self._bounds.learns(f"{chosen} {about}", deed.at):
                    self._db.conn.execute(
                        "INSERT INTO habit_uses (operation, tool, slot, about, value, at, done)"
                        " VALUES (?, ?, ?, ?, ?, ?, 0)",
                        (deed.operation, deed.tool, slot, about, chosen, utc(deed.at)),
                    )

    def _uses(self, tool: str, slot: str) -> list[Use]:
        return [row.use for row in self._rows(" AND tool = ? AND slot = ?", tool, slot)]

    def _rows(self, more: str = "", *values: str) -> list[_Row]:
        rows = self._db.conn.execute(
            f"SELECT tool, slot, about, value, at FROM habit_uses WHERE done{more} ORDER BY id", values
        )
        zone = self._clock.zone
        return [
            _Row(
                row["tool"],
                row["slot"],
                Use(row["value"], datetime.fromisoformat(row["at"]).astimezone(zone), row["about"]),
            )
            for row in rows
            if not self._bounds.bars(f"{row['value']} {row['about']}")
        ]


def forget_uses(db: Database, needles: Sequence[str]) -> None:
    """Remove what holds one of these texts from what habits are read from."""
    wanted = [folded for needle in needles if (folded := fold(needle).strip())]
    rows = db.conn.execute("SELECT DISTINCT value, about FROM habit_uses").fetchall()
    for value, about in rows:  # SQLite's own `lower` knows ASCII alone
        if any(needle in fold(value) or needle in about for needle in wanted):
            db.conn.execute("DELETE FROM habit_uses WHERE value = ? AND about = ?", (value, about))


def choice_of(slot: str, value: Any) -> str:
    """An argument's value as a choice that can be made again; empty where it can't: texts, ids, days."""
    if slot in _WORDS or _ID.search(slot) or value in (None, "", []):
        return ""
    if isinstance(value, list):
        return json.dumps(sorted(map(str, value)), ensure_ascii=False) if value else ""
    text = str(value)
    if found := _MOMENT.match(text):
        return f"T{found[1]}"
    return "" if _DATE.fullmatch(text) or len(text) > _LONGEST or "\n" in text else text


def about_of(given: Mapping[str, Any], slot: str) -> str:
    """What a choice is for: whom or what the call is about, folded."""
    for name in _ABOUT:
        value = given.get(name)
        if name != slot and value and isinstance(value, str | list):
            return fold(" ".join(value) if isinstance(value, list) else value).strip()[:_LONGEST]
    return ""


def _by_situation(tool: str, slot: str, uses: Sequence[Use]) -> list[Habit]:
    """What is usual in the situations of the widest view in which anything is."""
    for view in list(VIEWS)[1:]:
        within: dict[str, list[Use]] = {}
        for use in uses:
            within.setdefault(VIEWS[view](use.at), []).append(use)
        found = [(situation, clear(own)) for situation, own in within.items()]
        if any(own for _, own in found):
            return [_habit(tool, slot, own, situation) for situation, own in found if own]
    return []


def times_due(moments: Sequence[datetime], at: datetime) -> tuple[int, int] | None:
    """How often it was done at about this time on the last four such days, where that is nearly always."""
    today = at.date()
    if any(one.date() == today for one in moments):
        return None
    weeks = [today - timedelta(days=7 * number) for number in range(1, 5)]
    hits = sum(any(one.date() == day and _near(one, at) for one in moments) for day in weeks)
    return (hits, len(weeks)) if hits >= LEAST else None


def _near(one: datetime, at: datetime) -> bool:
    """Whether the time of day was at most an hour before, or half an hour after."""
    minutes = (at.hour * 60 + at.minute) - (one.hour * 60 + one.minute)
    return -30 <= minutes <= 60


def _plain(choice: str) -> str:
    """A choice as it is compared: without the address that a person's name is offered with."""
    bare = re.sub(r"\s*<[^<>]*>$", "", choice)
    return fold(str(json.loads(bare)[0]) if bare.startswith("[") else bare)


def _situation(view: str, at: datetime) -> str:
    return VIEWS[view](at)


def _id(tool: str, slot: str, about: str) -> str:
    return "h" + hashlib.sha256(f"{tool}\n{slot}\n{about}".encode()).hexdigest()[:11]


def _habit(tool: str, slot: str, found: Usual, situation: str) -> Habit:
    return Habit(
        id=_id(tool, slot, found.about),
        tool=tool,
        slot=slot,
        value=found.value,
        times=found.times,
        of=found.of,
        about=found.about,
        view=situation or "always",
    )
