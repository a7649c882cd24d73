"""A disk that is full, really (a small tmpfs): at each place where something is written, and while it is spoken to.

Each check returns what is wrong, or nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant import config, logs
from assistant.automation.schedules import SqlSchedules
from assistant.clock import SystemClock
from assistant.config import LoggingSettings
from assistant.engine import download
from assistant.errors import AssistantError
from assistant.kept import Kept
from assistant.locale import Catalogue
from assistant.ports import Scheduled
from assistant.safety.audit import Audit
from assistant.safety.vault import KeySource, Vault
from assistant.store import Database, backups, open_database, restore
from assistant.store.index import SqlIndex
from bench.faults.dying import scripted
from bench.faults.ggufs import tiny
from bench.faults.wishes import KINDS, Wish, rows, say
from bench.form import Home
from bench.outbox import server, settings

_MOST = 64 * 1024 * 1024
_READY_S = 90.0
LEVELS = (0, 4096, 16_384, 65_536, 262_144)
"""Bytes that are left, from none to enough for some of what a turn writes."""


@dataclass(frozen=True)
class Text:
    """A document for the index."""

    id: str
    text: str
    stamp: str
    fields: Mapping[str, str | int | bool]


class Disk:
    """A file system of its own, so small that it can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, spare: int = 0) -> None:
        """Leave only so many bytes."""
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4096))
        if spare:
            with self._ballast.open("r+b") as out:
                out.truncate(max(0, self._ballast.stat().st_size - spare))

    def free(self) -> None:
        """Take the ballast away."""
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(where: Path, size: int = _MOST) -> Iterator[Disk]:
    """Mount one. Raises OSError where this process may not."""
    where.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", str(where)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(None, f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(where)
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=False)


def _refused(disk: Disk, act: Callable[[], object], intact: Callable[[], bool]) -> str:
    """With the disk full the act is refused in words and nothing is harmed; with room it is done."""
    disk.fill()
    try:
        act()
    except AssistantError as error:
        if not Catalogue().explain(error, "en")[0] or not Catalogue().explain(error, "zh")[0]:
            return f"no words for {error}"
    except OSError as error:
        if error.errno is None:
            return f"no words for {error}"
    else:
        return "it says that it is done"
    if not intact():
        return "what was there before was harmed"
    disk.free()
    act()
    return ""


def _database(disk: Disk, write: Callable[[Database], object], table: str) -> str:
    db = open_database(disk.folder / "assistant.db", durable=True)
    audit = Audit(db, SystemClock("UTC"))
    for number in range(3):
        audit.record("before", number=number)

    def act() -> None:
        try:
            write(db)
        except AssistantError:
            raise
        except Exception as error:  # sqlite3's own, which the conversation puts into words
            raise AssistantError("store.unwritable", problem=str(error)) from error

    def intact() -> bool:
        return audit.verify().ok and audit.verify().entries == 3 and _count(db, table) == (3 if table == "audit" else 0)

    try:
        found = _refused(disk, act, intact)
        return found or ("" if audit.verify().ok else "the audit is broken")
    finally:
        db.close()


def _count(db: Database, table: str) -> int:
    return int(db.conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def the_audit(disk: Disk) -> str:
    """Entries, and the head beside them."""
    text = {f"part{number}": "x" * 190 for number in range(200)}
    return _database(disk, lambda db: Audit(db, SystemClock("UTC")).record("long", **text), "audit")


def a_schedule(disk: Disk) -> str:
    """A reminder's row."""

    async def nobody(skill: str, scheduled: Scheduled) -> None:
        raise AssertionError(scheduled)

    def add(db: Database) -> None:
        due = datetime.now(UTC) + timedelta(days=1)
        payload = {"text": "x" * 60_000}
        asyncio.run(SqlSchedules(db, SystemClock("UTC"), nobody).add("one", skill="t", due=due, payload=payload))

    return _database(disk, add, "schedules")


def the_index(disk: Disk) -> str:
    """The search index."""
    words = " ".join(f"word{number}" for number in range(9000))
    document = Text(id="one", text=words, stamp="1", fields={})
    return _database(disk, lambda db: asyncio.run(SqlIndex(db, "c").put([document])), "index_documents")


def the_vault(disk: Disk) -> str:
    """Passwords."""
    file = disk.folder / "vault.json"
    vault = Vault(file, KeySource("key_file", disk.folder / "vault.key"))
    vault.put("old", "secret")
    return _refused(disk, lambda: vault.put("new", "x" * 20_000), lambda: vault.get("old") == "secret")


def the_settings(disk: Disk) -> str:
    """The user's settings."""
    file = disk.folder / "config.yaml"
    file.write_text("# mine\n" + "# more words\n" * 900 + "approvals:\n  expire_s: 100\n", encoding="utf-8")
    before = file.read_bytes()
    return _refused(disk, lambda: config.change(file, "approvals.expire_s", "200"), lambda: file.read_bytes() == before)


def what_is_kept(disk: Disk) -> str:
    """What is worked out of the program's texts: worked out again, and nothing is said."""
    disk.fill()
    kept = Kept(disk.folder / "kept")
    return "" if kept.of("name", ["text"], lambda: ["x" * 9000]) == ["x" * 9000] else "it was not worked out"


def the_log(disk: Disk) -> str:
    """Logging must not kill, nor say anything where nobody reads it."""
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        logs.set_up(disk.folder / "logs", LoggingSettings(), to_terminal=False)
        logging.getLogger("before").warning("before")
        disk.fill()
        for _ in range(200):
            logging.getLogger("full").warning("x" * 200)
        disk.free()
        logging.getLogger("after").warning("after")
        written = (disk.folder / "logs" / "assistant.log").read_text(encoding="utf-8")
        return "" if "before" in written and "after" in written else "it does not log any more"
    finally:
        for handler in logging.getLogger().handlers:
            handler.close()
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])


def a_backup(disk: Disk) -> str:
    """A copy: never what fills the disk, never half there."""
    file = disk.folder / "assistant.db"
    open_database(file).close()
    now = datetime.now(UTC)

    def intact() -> bool:
        return not list(backups.folder_of(file).glob("*")) and backups.problem_of(file) is None

    return _refused(disk, lambda: backups.make_daily(file, now), intact)


def a_restore(disk: Disk) -> str:
    """A damaged database is not given up before its successor is there."""
    file = disk.folder / "assistant.db"
    db = open_database(file)
    Audit(db, SystemClock("UTC")).record("before")
    db.close()
    now = datetime.now(UTC)
    backups.make_daily(file, now)
    damaged = b"\xa5" * 8192
    file.write_bytes(damaged)

    def intact() -> bool:
        there = [one.read_bytes() for one in (file, *disk.folder.glob("*.damaged-*Z")) if one.exists()]
        return damaged in there

    found = _refused(disk, lambda: restore.mend(file, now), intact)
    return found or (backups.problem_of(file) or "")


def a_model(disk: Disk) -> str:
    """A model's file."""
    source, target = disk.folder / "source.gguf", disk.folder / "models" / "tiny.gguf"
    source.write_bytes(tiny())

    def act() -> None:
        download._room = lambda *_: None  # it looks first; what if the disk fills up after that?
        download.copy_in("tiny", source, target, lambda *_: None)

    looks = download._room
    try:
        return _refused(disk, act, lambda: not target.exists())
    finally:
        download._room = looks


PARTS: dict[str, Callable[[Disk], str]] = {
    "audit and its head": the_audit,
    "schedules": a_schedule,
    "search index": the_index,
    "vault": the_vault,
    "settings": the_settings,
    "what is kept for the next start": what_is_kept,
    "log": the_log,
    "backup": a_backup,
    "restore": a_restore,
    "model": a_model,
}


def talking(disk: Disk, mailboxes: Path, spare: int) -> tuple[str, int, int]:
    """Ask for two of each with so many bytes left, then for more with room again: what is wrong, number done, refused.

    The daemon is the real one, with all of its files on the full disk.
    """
    wrong: list[str] = []
    with server(mailboxes, 1, "taken") as port:
        told = {**settings(mailboxes, port), **scripted(mailboxes)}
        with Home(told, base=disk.folder) as home:
            asyncio.run(_ask(home, [Wish(kind, 100 + place) for place, kind in enumerate(KINDS)]))
            disk.fill(spare)
            wishes = [Wish(kind, place) for place, kind in enumerate(KINDS * 2)]
            asyncio.run(_ask(home, wishes))
            disk.free()
            asyncio.run(_drained(home))
            wrong += [problem for wish in wishes if (problem := _wrong(home, mailboxes, wish))]
            again = [Wish(kind, 200 + place) for place, kind in enumerate(KINDS)]
            asyncio.run(_ask(home, again))
            asyncio.run(_drained(home))
            wrong += [f"{wish.kind}: does not work any more" for wish in again if not wish.acked]
            wrong += [problem for wish in again if (problem := _wrong(home, mailboxes, wish))]
            if home.wait(0.01) is not None:
                wrong.append("the daemon ended")
            elif not asyncio.run(_audit_ok(home)):
                wrong.append("the audit is broken")
    return "; ".join(wrong), sum(wish.acked for wish in wishes), sum(bool(wish.refused) for wish in wishes)


def _wrong(home: Home, mailboxes: Path, wish: Wish) -> str:
    there = wish.happened(home.paths, mailboxes)
    if not wish.acked and not wish.refused:
        return f"{wish.kind}: no word"
    if there > 1 or (wish.acked and not there):
        return f"{wish.kind}: there {there} times, acknowledged: {wish.acked}"
    if there and not _in_ledger(home, wish):
        return f"{wish.kind}: done, and not in the audit"
    return ""


def _in_ledger(home: Home, wish: Wish) -> bool:
    entries = [json.loads(str(entry)) for (entry,) in rows(home.paths, "SELECT entry FROM audit")]
    asked = {"note": f"item{wish.number}x", "event": f"meeting{wish.number}x", "reminder": f"number{wish.number}x"}
    sought = asked.get(wish.kind, f"r{wish.number}@there.example")
    return any(entry["kind"] == "action" and sought in json.dumps(entry["data"]) for entry in entries)


async def _ask(home: Home, wishes: list[Wish]) -> None:
    async with home.client() as client:
        for wish in wishes:
            with contextlib.suppress(AssistantError):
                await say(client, wish)


async def _drained(home: Home) -> None:
    for _ in range(300):
        if not rows(
            home.paths, "SELECT 1 FROM operations WHERE state IN ('PROPOSED', 'APPROVED', 'SENDING', 'UNKNOWN')"
        ):
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.6)  # what the mail server has queued


async def _audit_ok(home: Home) -> bool:
    async with home.client() as client:
        return bool((await client.verify_audit())["ok"])


def starting(disk: Disk) -> str:
    """A daemon that is started on a full disk says so in one sentence, or works; with room it works."""
    with Home(scripted(disk.folder), base=disk.folder) as home:
        home.stop()
        disk.fill()
        try:
            home.start(_READY_S)
        except RuntimeError as error:
            said = str(error)
            if "Traceback" in said:
                return said[-300:]
        home.stop()
        disk.free()
        try:
            home.start(_READY_S)
        except RuntimeError as error:
            return str(error)
        return "" if os.path.exists(home.paths.socket) else "no socket"
