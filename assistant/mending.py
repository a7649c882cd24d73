"""What the daemon does about damage and interruptions: mends at its start, tells, keeps backups, stops when it must.

Knows the parts by their few functions for it; how a file is mended is `store.restore`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from assistant.conversation.sessions import Sessions
from assistant.errors import AssistantError
from assistant.locale import Catalogue
from assistant.models import Language, Notice
from assistant.notify.announce import Announcer
from assistant.ports import Clock
from assistant.safety import seal
from assistant.safety.approvals import Approvals
from assistant.safety.audit import RESTORED, Audit
from assistant.safety.outbox import SqlOutbox
from assistant.skillkit.contexts import Contexts
from assistant.store import backups, restore
from assistant.store.restore import Restored

_log = logging.getLogger(__name__)
_BACKUP_EVERY = timedelta(days=1)
_BACKUP_RETRY_S = 3600.0
_BACKUP_AFTER_S = 30.0  # a start is busy enough
_TELL_FOR = timedelta(days=7)
_BACKUP_LATE = timedelta(days=3)
_SELF_RESTART_S = 600.0
_RESTARTED = "ASSISTANT_STARTED_AGAIN"


@dataclass(frozen=True)
class Mending:
    """Sees to the parts after a restore or a crash, and keeps watch while they work."""

    database: Path
    contexts: Contexts
    announcer: Announcer
    language: Language
    audit: Audit
    approvals: Approvals
    outbox: SqlOutbox
    sessions: Sessions

    async def settle(self, note: Restored | None) -> Callable[[], None]:
        """Before anything is sent, fired or answered: settle a restored database, and tell what a crash cut off.

        Returns what forgets that at the end: a daemon that is killed before anybody looked tells it once more.
        """
        with contextlib.suppress(AssistantError):  # a locked keyring: the head still tells
            self.audit.sealed = await seal.read(self.contexts.secrets)
        now, lost = self.contexts.clock.now(), self.audit.lost()
        if note is None and lost:
            note = restore.tail_lost(self.database, f"{lost} entries of the audit are missing", now)
        if note is not None:
            note = await self._settle_rows(note, lost)
        note = note or restore.last_restored(self.database)
        if note is not None and recent(note, now):
            self.announcer.keep(told_of(note, self.contexts.catalogue, self.language))
        not_begun = self.approvals.not_begun()
        for yes in not_begun:
            said, tool = yes.prepared.title, yes.action.tool
            self._tell("not_begun", f"cut-off:{yes.action.id}", said=said, tool=tool, at=yes.created_at)
        begun = self.sessions.interrupted()
        for one in begun:
            if not one.done:
                self.sessions.undone(one.operation)  # whether it can still be taken back is not known either
            if one.operation not in {yes.action.id for yes in not_begun}:
                case = "done_untold" if one.done else "cut_off"
                self._tell(case, f"cut-off:{one.operation}", said=one.said, tool=one.tool, at=one.at)
        return partial(self._forget, [one.operation for one in begun], [yes.id for yes in not_begun])

    def _forget(self, operations: Sequence[str], approvals: Sequence[str]) -> None:
        with contextlib.suppress(AssistantError, sqlite3.Error):  # a full disk: it is told once more
            for operation in operations:
                self.sessions.end_write(operation)
            for approval in approvals:
                self.approvals.void(approval)

    async def seal_daily(self) -> None:
        """Keep the audit's end among the secrets, until cancelled."""
        await seal.keep_renewing(self.contexts.secrets, self.audit)

    async def back_up_daily(self) -> None:
        """A backup a day, until cancelled; that none could be made for days is told once."""
        await asyncio.sleep(_BACKUP_AFTER_S)
        told = False
        while True:
            listed = await asyncio.to_thread(backups.listed, self.database)
            made = [one for one in listed if one.file.name.startswith("daily-")]
            age = self.contexts.clock.now() - made[0].at if made else None
            if age is not None and age < _BACKUP_EVERY:
                await asyncio.sleep(min(_BACKUP_RETRY_S, (_BACKUP_EVERY - age).total_seconds() + 1))
                continue
            try:
                await asyncio.to_thread(backups.make_daily, self.database, self.contexts.clock.now())
                told = False
            except AssistantError as error:
                _log.warning("no backup could be made: %s", error)
                if not told and (age is None or age > _BACKUP_LATE):
                    told = True
                    problem = self.contexts.catalogue.explain(error, self.language)[0]
                    self._tell("no_backup", f"no-backup:{self.contexts.clock.now().isoformat()}", problem=problem)
                await asyncio.sleep(_BACKUP_RETRY_S)

    def tell_damage(self, problem: str) -> None:
        """Damage was met at work."""
        self._tell("damaged", f"damaged:{self.contexts.clock.now().isoformat()}", problem=problem)

    def _tell(self, case: str, name: str, **data: Any) -> None:
        text = partial(self.contexts.catalogue.text, self.language)
        title, body = text(f"safety.mending.{case}", **data), text(f"safety.mending.{case}_body", **data)
        self.announcer.keep(Notice(id=name, title=title, body=body, at=self.contexts.clock.now(), urgent=True))

    async def _settle_rows(self, note: Restored, lost: int) -> Restored:
        """What the old rows take for open may have happened since: nothing of it is sent, asked or undone again."""
        unsure = len(self.outbox.after_restore()) + self.approvals.after_restore()
        self.sessions.after_restore()
        self.audit.record(RESTORED, backup=note.backup, backup_at=note.backup_at, problem=note.problem, lost=lost)
        self.audit.sealed = None
        with contextlib.suppress(AssistantError):
            await seal.renew(self.contexts.secrets, self.audit)
        return restore.settled(self.database, note, unsure)


def recent(note: Restored, now: datetime) -> bool:
    """Whether the person is still to be told."""
    return now - note.at < _TELL_FOR


def told_of(note: Restored, catalogue: Catalogue, language: Language) -> Notice:
    """What was lost with a damaged database, in words."""
    case = "restored" if note.backup else "anew" if note.kept else "tail"
    told = {"at": note.at, "backup_at": note.backup_at or note.at, "kept": note.kept}
    body = catalogue.text(language, f"safety.mending.{case}_body", **told)
    if note.unsure:
        body += " " + catalogue.text(language, "safety.mending.unsure", count=note.unsure)
    title = catalogue.text(language, f"safety.mending.{case}", **told)
    return Notice(id=f"restored:{note.at.isoformat()}", title=title, body=body, at=note.at, urgent=True)


class DamageWatch:
    """Hears of damage from any statement: tells once, and has the daemon stop, which mends at its next start."""

    def __init__(
        self, database: Path, clock: Clock, stop: Callable[[], None], tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._database = database
        self._clock = clock
        self._stop = stop
        self.tell = tell
        self._loop = asyncio.get_running_loop()
        self.found = False

    def __call__(self, problem: str) -> None:
        """A statement failed with `problem`; from any thread."""
        self._loop.call_soon_threadsafe(self._noticed, problem)

    def _noticed(self, problem: str) -> None:
        if self.found:
            return
        self.found = True
        _log.error("the database is damaged: %s", problem)
        restore.doubt(self._database, problem, self._clock.now())
        self.tell(problem)
        self._stop()


def start_again() -> None:
    """Replace this process by a new start of itself; not twice within some minutes. Raises AssistantError."""
    now = time.time()
    if now - float(os.environ.get(_RESTARTED, "0")) < _SELF_RESTART_S:
        raise AssistantError("store.damaged_again")
    os.environ[_RESTARTED] = str(now)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
