"""Things due at a time, kept in the database and fired on time. Knows nothing of what a skill does when it is woken.

The table is the truth; APScheduler only wakes us, at the soonest due time and every few seconds besides, so that a
clock that jumped or a machine that slept is noticed. A schedule counts as fired once the skill's handler has returned:
that is written in the same transaction that moves the schedule on. So after a kill -9 in the middle a due time is
delivered again (at least once), and never again once it is written. Of the repetitions missed while the machine was
off only the latest fires.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from assistant.errors import AutomationError
from assistant.failpoint import failpoint
from assistant.models import canonical
from assistant.ports import Clock, Scheduled
from assistant.store import Database
from assistant.store.database import transaction
from assistant.values import canonical_rule, last_occurrence, next_occurrence

Fire = Callable[[str, Scheduled], Awaitable[None]]
"""Wakes a skill: its name and what is due. Returning means delivered; an exception means try again."""

_log = logging.getLogger(__name__)
_TICK_S = 20.0
_RETRY_S = (5.0, 30.0, 120.0, 600.0)
_LOG_KEPT = timedelta(days=90)
_CLOSE_S = 5.0


@dataclass(frozen=True)
class Due:
    """One open schedule; see ports.Scheduled."""

    key: str
    due: datetime
    recurrence: str | None
    payload: Mapping[str, Any]


class SqlSchedules:
    """The adapter of `ports.Schedules`."""

    def __init__(self, db: Database, clock: Clock, fire: Fire, *, tick_s: float = _TICK_S) -> None:
        self._db = db
        self._clock = clock
        self._fire = fire
        self._tick_s = tick_s
        self._scheduler: AsyncIOScheduler | None = None
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._failures: dict[tuple[str, str, str], tuple[int, float]] = {}

    async def start(self) -> None:
        """Fire what came due meanwhile, and keep watch from now on."""
        self._forget_old()
        self._scheduler = AsyncIOScheduler(timezone=self._clock.zone)
        self._scheduler.add_job(
            self._wake, "interval", seconds=self._tick_s, id="tick", coalesce=True, misfire_grace_time=None
        )
        self._scheduler.start()
        await self._wake()

    async def aclose(self) -> None:
        """Stop. A delivery under way gets a few seconds; one that is cut off is made again after the next start."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None
            await asyncio.sleep(0)  # the scheduler stops its timer in a callback of the loop
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def add(
        self, key: str, *, skill: str, due: datetime, payload: Mapping[str, Any], recurrence: str | None = None
    ) -> None:
        """See ports.Schedules. A naive `due` is in the user's zone. Raises AutomationError for a bad rule."""
        rule = None if recurrence is None else canonical_rule(recurrence)
        if recurrence is not None and rule is None:
            raise AutomationError("automation.bad_rule", rule=recurrence)
        due = due.replace(tzinfo=self._clock.zone) if due.tzinfo is None else due
        wall = due.astimezone(self._clock.zone).replace(tzinfo=None)
        row = (skill, key, uuid.uuid4().hex, _stamp(due), wall.isoformat(), rule, canonical(dict(payload)))
        with transaction(self._db) as connection:
            connection.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        failpoint("schedule.added")
        self._arm()

    async def remove(self, key: str, *, skill: str) -> bool:
        """See ports.Schedules."""
        with transaction(self._db) as connection:
            removed = connection.execute("DELETE FROM schedules WHERE skill = ? AND key = ?", (skill, key)).rowcount
        failpoint("schedule.removed")
        self._arm()
        return removed > 0

    async def list(self, *, skill: str) -> Sequence[Due]:
        """See ports.Schedules."""
        rows = self._db.conn.execute("SELECT * FROM schedules WHERE skill = ? ORDER BY due, key", (skill,))
        return [self._scheduled(row, _moment(row["due"])) for row in rows]

    async def _wake(self) -> None:
        now = self._clock.now()
        rows = self._db.conn.execute("SELECT * FROM schedules WHERE due <= ? ORDER BY due", (_stamp(now),)).fetchall()
        for row in rows:
            name = (row["skill"], row["key"])
            if name in self._running or not self._may_try(row):
                continue
            task = asyncio.create_task(self._deliver(row, now))
            self._running[name] = task
            task.add_done_callback(lambda _, name=name: self._running.pop(name, None))  # type: ignore[misc]
        self._arm()

    def _may_try(self, row: sqlite3.Row) -> bool:
        _, not_before = self._failures.get((row["skill"], row["key"], row["revision"]), (0, 0.0))
        return time.monotonic() >= not_before

    async def _deliver(self, row: sqlite3.Row, now: datetime) -> None:
        token = (row["skill"], row["key"], row["revision"])
        due = self._latest(row, now)
        try:
            await self._fire(row["skill"], self._scheduled(row, due))
        except Exception:
            count = self._failures.get(token, (0, 0.0))[0]
            wait = _RETRY_S[min(count, len(_RETRY_S) - 1)]
            self._failures[token] = (count + 1, time.monotonic() + wait)
            _log.exception("%s could not take its schedule %s; trying again in %g s", row["skill"], row["key"], wait)
            return
        self._failures.pop(token, None)
        failpoint("schedule.delivered")
        self._acknowledge(row, due, now)
        failpoint("schedule.acknowledged")
        self._arm()

    def _acknowledge(self, row: sqlite3.Row, due: datetime, now: datetime) -> None:
        """Written at once: it fired, and what comes next. A schedule replaced meanwhile is left as it is."""
        following = self._following(row, max(due, now))
        mine = (row["skill"], row["key"], row["revision"])
        with transaction(self._db) as connection:
            connection.execute(
                "INSERT OR IGNORE INTO fired (skill, key, revision, due, at) VALUES (?, ?, ?, ?, ?)",
                (*mine, _stamp(due), _stamp(now)),
            )
            if following is None:
                connection.execute("DELETE FROM schedules WHERE skill = ? AND key = ? AND revision = ?", mine)
            else:
                connection.execute(
                    "UPDATE schedules SET due = ? WHERE skill = ? AND key = ? AND revision = ?",
                    (_stamp(following), *mine),
                )

    def _latest(self, row: sqlite3.Row, now: datetime) -> datetime:
        """The due time that is told: of several missed repetitions the last."""
        due = _moment(row["due"]).astimezone(self._clock.zone)
        if row["recurrence"] is None:
            return due
        missed = last_occurrence(row["recurrence"], self._first(row), now)
        return missed if missed is not None and missed > due else due

    def _following(self, row: sqlite3.Row, after: datetime) -> datetime | None:
        return None if row["recurrence"] is None else next_occurrence(row["recurrence"], self._first(row), after)

    def _first(self, row: sqlite3.Row) -> datetime:
        """The first occurrence at its wall-clock time in the zone of today: who moves takes the hour along."""
        return datetime.fromisoformat(row["start"]).replace(tzinfo=self._clock.zone)

    def _scheduled(self, row: sqlite3.Row, due: datetime) -> Due:
        return Due(row["key"], due.astimezone(self._clock.zone), row["recurrence"], json.loads(row["payload"]))

    def _arm(self) -> None:
        """Be woken at the soonest due time; what is due already (being delivered, or failed) is the tick's."""
        if self._scheduler is None:
            return
        soonest = self._db.conn.execute(
            "SELECT min(due) AS due FROM schedules WHERE due > ?", (_stamp(self._clock.now()),)
        ).fetchone()["due"]
        if soonest is not None:
            self._scheduler.add_job(
                self._wake, "date", run_date=_moment(soonest), id="due", replace_existing=True, misfire_grace_time=None
            )

    def _forget_old(self) -> None:
        oldest = _stamp(self._clock.now() - _LOG_KEPT)
        with transaction(self._db) as connection:
            connection.execute("DELETE FROM fired WHERE at < ?", (oldest,))


def _stamp(moment: datetime) -> str:
    """UTC with microseconds always written, so that text compares as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)
