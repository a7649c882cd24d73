"""Every failpoint of the program: a process killed right there, started again, and what is there then.

Each scenario returns a sentence that says what is wrong; an empty one where nothing is lost, doubled or kept from the
person.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from assistant.config import load
from assistant.daemon import assemble
from assistant.errors import AssistantError
from assistant.events import Failed, Question, ReceiptIssued, Reply
from assistant.models import Action, Approval, Effect, Prepared
from assistant.store import backups
from bench.faults.dying import GONE, WITHIN_S, died, dying, notices, said, scripted, start_dying, tell
from bench.faults.hands import correcting, editing, exporting, importing
from bench.faults.knowing import forgetting, reading, remembering, tidying
from bench.faults.sending import doubting, mailing
from bench.faults.wishes import Wish, rows
from bench.form import ROOT, Home
from bench.outbox import server, settings

_NAMED = re.compile(r"failpoint\(f?\"([^\"]+)\"\)")


def in_the_program() -> set[str]:
    """The names in the source, those of a family (`{edge}.written`) as they are written there."""
    files = [file for file in (ROOT / "assistant").rglob("*.py") if file.name != "failpoint.py"]
    return {name for file in files for name in _NAMED.findall(file.read_text(encoding="utf-8"))}


def writing(home: Home, name: str, folder: Path) -> str:
    """A write: done at most once; done if acknowledged; told of where it was cut off."""
    wish = Wish("reminder" if name.startswith("schedule") else "note", 1)
    start_dying(home, name)
    asyncio.run(said(home, wish))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    there, told = wish.happened(home.paths), wish.text in notices(home)
    if there > 1 or (wish.acked and not there):
        return f"there {there} times, acknowledged: {wish.acked}"
    if there and not (told or wish.acked or wish.recorded(home.paths)):
        return "done, and nobody was told"
    return _works(home)


def taking_back(home: Home, name: str, folder: Path) -> str:
    """An undo: taken back at most once."""
    start_dying(home, name)
    asyncio.run(tell(home, "add eggs to my shopping list"))
    asyncio.run(tell(home, "add milk to my shopping list"))
    asyncio.run(tell(home, "undo"))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    told = notices(home)
    asyncio.run(tell(home, "undo"))
    file = home.paths.data / "skill-data" / "notes" / "shopping.md"
    shopping = file.read_text(encoding="utf-8") if file.exists() else ""
    if shopping.count("milk") > 1 or shopping.count("eggs") > 1:
        return "an item came back twice"
    return "" if "undo" in told else "nobody was told"


def asking(home: Home, name: str, folder: Path) -> str:
    """A question and its answer: nothing is done twice, and it can be asked for again."""
    start_dying(home, name)
    if name == "question.dropped":
        events = asyncio.run(tell(home, "remind me to call the clinic"))
        if not any(isinstance(event, Question) for event in events):
            return "no question was asked"
    asyncio.run(tell(home, "tomorrow at 9" if name == "question.dropped" else "remind me to call the clinic"))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    if rows(home.paths, "SELECT 1 FROM schedules"):
        return "it was done before it was asked"
    return _works(home)


def due(home: Home, name: str, folder: Path) -> str:
    """A reminder that is due: told at least once, and not again once that is written."""
    start_dying(home, name)
    asyncio.run(tell(home, "set a timer for 2 seconds"))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and rows(home.paths, "SELECT 1 FROM schedules"):
        time.sleep(0.05)
    fired = len(rows(home.paths, "SELECT 1 FROM fired"))
    return "" if fired == 1 else f"written as told {fired} times"


def removing(home: Home, name: str, folder: Path) -> str:
    """A reminder that is cancelled stays cancelled."""
    start_dying(home, name)
    asyncio.run(tell(home, "remind me tomorrow at 9 to call the clinic"))
    asyncio.run(tell(home, "cancel the reminder to call the clinic"))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    return "it came back" if rows(home.paths, "SELECT 1 FROM schedules") else _works(home)


def agreeing(home: Home, name: str, folder: Path) -> str:
    """A yes to a write that was asked about: done at most once; told whether it was not begun or may be done."""
    approval = asyncio.run(_asked_before(home, "write", "notes.add", {"text": "milk", "list": "shopping"}))
    start_dying(home, name)
    done = asyncio.run(_agree(home, approval))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    [(state,)] = rows(home.paths, "SELECT state FROM approvals")
    there, told = _on_the_list(home), approval.prepared.title in notices(home)
    if there != (name in ("write.done", "undo.kept", "write.noted", "turn.kept.before")) or (done and not there):
        return f"there {there} times, said to be done: {done}"
    if told == (state == "pending"):
        return f"the yes is {state}, told: {told}"
    asyncio.run(_agree(home, approval))
    expected = 1 if state == "pending" else there
    if _on_the_list(home) != expected:
        return f"after another yes it is there {_on_the_list(home)} times"
    home.stop()
    home.start(WITHIN_S)
    return "told again after a stop in order" if approval.prepared.title in notices(home) else _works(home)


def agreeing_to_read(home: Home, name: str, folder: Path) -> str:
    """A yes to a read that was asked about: what was cut off is told."""
    approval = asyncio.run(_asked_before(home, "read", "notes.search", {"list": "shopping"}))
    start_dying(home, name)
    asyncio.run(_agree(home, approval))
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    return _works(home) if approval.prepared.title in notices(home) else "nobody was told"


def starting(home: Home, name: str, folder: Path) -> str:
    """The first start of all: the next one goes on as if nothing had been."""
    start_dying(home, name, until_ready=False)
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    return _works(home)


def mending(home: Home, name: str, folder: Path) -> str:
    """A restore: goes on at the next start, with the backup's content, the damaged file kept, and tells."""
    home.start(WITHIN_S)
    asyncio.run(tell(home, "remind me tomorrow at 9 to call the clinic"))
    home.stop()
    backups.make_daily(home.paths.database, datetime.now(UTC))
    damaged = b"\xa5" * 8192
    home.paths.database.write_bytes(damaged)
    start_dying(home, name, until_ready=False)
    if not died(home):
        return "was not killed"
    home.start(WITHIN_S)
    if len(rows(home.paths, "SELECT 1 FROM schedules")) != 1:
        return "the backup's reminder is not there"
    kept = [file.read_bytes() for file in home.paths.data.glob("*.damaged-*Z")]
    if kept != [damaged]:
        return f"{len(kept)} damaged files are kept"
    if "damaged" not in notices(home):
        return "nobody was told"
    return "" if asyncio.run(_audit_ok(home)) else "the audit is broken"


def backing_up(home: Home, name: str, folder: Path) -> str:
    """A backup: whole or not there."""
    home.start(WITHIN_S)
    return _command(home, name, ("daemon", "backup"), lambda: len(_good_backups(home)) >= 1)


def setting(home: Home, name: str, folder: Path) -> str:
    """A change of the settings: the old ones or the new ones."""
    home.paths.config_file.write_text("# mine\napprovals:\n  expire_s: 100\n", encoding="utf-8")

    def fine() -> bool:
        return "# mine" in home.paths.config_file.read_text(encoding="utf-8")

    return _command(home, name, ("config", "set", "approvals.expire_s", "200"), fine)


def adding_a_model(home: Home, name: str, folder: Path) -> str:
    """A model that is added: there or not, and can be added again."""
    from assistant.config import EngineSettings
    from assistant.engine.models import ModelStore

    if "ASSISTANT_MODELS" not in os.environ:
        return "no model folder"
    source = folder / "tiny.gguf"
    from bench.faults.ggufs import tiny

    source.write_bytes(tiny())
    before = os.environ["ASSISTANT_MODELS"]
    os.environ["ASSISTANT_MODELS"] = str(folder / "models")
    try:
        with dying(name):
            ended = _run(home, "models", "add", str(source), "--name", "tiny")
        if ended.returncode != -signal.SIGKILL:
            return f"was not killed: {ended.stderr[-200:]}"
        again = _run(home, "models", "add", str(source), "--name", "tiny")
        from assistant import paths

        there = "tiny" in ModelStore(paths.find(), EngineSettings()).installed()
        return "" if there else f"it can't be added again: {again.stdout[-200:]}{again.stderr[-200:]}"
    finally:
        os.environ["ASSISTANT_MODELS"] = before


Scenario = Callable[[Home, str, Path], str]
EDGES: tuple[tuple[str, Scenario, tuple[str, ...]], ...] = (
    *((name, writing, ()) for name in (
        "write.begun", "write.done", "undo.kept", "audit.recorded", "file.written", "file.placed",
        "write.noted", "turn.kept.before", "turn.kept.after", "schedule.added",
    )),
    *((name, agreeing, ()) for name in (
        "approval.change.before", "approval.approved.after", "write.begun", "approval.used.after", "write.done",
        "undo.kept", "write.noted", "turn.kept.before",
    )),
    *((name, agreeing_to_read, ()) for name in (
        "approval.approved.after", "approval.used.after", "write.done", "turn.kept.before",
    )),
    ("undo.done", taking_back, ()),
    *((name, remembering, ()) for name in ("profile.evidence", "profile.kept")),
    *((name, forgetting, ()) for name in ("profile.forgotten", "gaps.cleared")),
    ("profile.edited", editing, ()),
    ("profile.imported", importing, ()),
    *((name, exporting, ()) for name in ("profile.exporting", "profile.export.written", "profile.export.placed")),
    *((name, correcting, ()) for name in ("profile.mended.written", "profile.mended.placed")),
    ("profile.read", reading, ()),
    ("profile.night", tidying, ()),
    ("question.asked", asking, ()),
    ("question.dropped", asking, ()),
    ("schedule.delivered", due, ()),
    ("schedule.acknowledged", due, ()),
    ("schedule.removed", removing, ()),
    *((name, starting, ()) for name in (
        "migration.applied", "migration.after", "vault.written", "vault.placed", "kept.written",
    )),
    *((name, mending, ()) for name in (
        "restore.begun.written", "restore.begun.placed", "restore.moved", "restore.moved-wal", "restore.moved-shm",
        "restore.copied", "restore.placed", "restore.placed.written", "restore.placed.placed",
        "restore.settled.written", "restore.settled.placed", "audit.sealed",
    )),
    *((name, backing_up, ()) for name in ("backup.written", "backup.placed")),
    *((name, setting, ()) for name in ("config.written", "config.placed")),
    *((name, adding_a_model, ()) for name in (
        "models.written", "models.placed", "download.checked", "download.placed",
    )),
    *((name, mailing, ("taken", *fates)) for name, fates in (
        ("approval.change.before", ()),
        ("approval.approved.after", ()),
        ("approval.used.after", ()),
        ("outbox.proposed-approved.before", ()),
        ("outbox.proposed-approved.after", ()),
        ("outbox.approved-sending.before", ()),
        ("outbox.approved-sending.after", ()),
        ("outbox.committed", ()),
        ("outbox.sending-done.before", ()),
        ("outbox.sending-done.after", ()),
        ("outbox.sending-approved.before", ("later",)),
        ("outbox.sending-approved.after", ("before",)),
        ("outbox.sending-unknown.before", ("in",)),
        ("outbox.sending-unknown.after", ("after_refused",)),
        ("outbox.looked", ("after_taken",)),
        ("outbox.unknown-done.before", ("after_taken",)),
        ("outbox.unknown-done.after", ("after_taken",)),
        ("outbox.unknown-approved.before", ("after_refused",)),
        ("outbox.unknown-approved.after", ("after_refused",)),
    )),
    ("outbox.approved-sending.after", doubting, ("taken",)),
)  # fmt: skip
"""Failpoint, scenario, and what becomes of the first connections to the mail server."""


def try_edge(name: str, scenario: Scenario, fates: tuple[str, ...], folder: Path) -> str:
    """Kill there and look. Empty where all is well."""
    with contextlib.ExitStack() as stack:
        more: dict[str, object] = {}
        if fates:
            more = dict(settings(folder, stack.enter_context(server(folder, 1, *fates))))
        home = stack.enter_context(Home({**scripted(folder), **more}, start=False))
        try:
            return scenario(home, name, folder)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            return str(error)


async def _asked_before(home: Home, effect: Effect, tool: str, args: dict[str, object]) -> Approval:
    """An approval that waits, left by a daemon that has ended since."""
    async with contextlib.AsyncExitStack() as stack:
        services = await assemble(home.paths, load(home.paths.config_file).config, stack)
        action = Action(id="asked-before", tool=tool, effect=effect, args=args, session="edge")
        prepared = Prepared(title="What was asked before", payload={"args": args})
        return services.approvals.propose(action, prepared, "Read elsewhere.", "edge")


async def _agree(home: Home, approval: Approval) -> bool:
    """Say yes; whether a receipt came."""
    done = False
    with contextlib.suppress(*GONE, AssistantError):
        async with home.client() as client:
            async for event in client.decide(approval.id, approve=True, bound_to=approval.bound_to):
                done = done or isinstance(event, ReceiptIssued)
    return done


def _on_the_list(home: Home) -> int:
    files = (home.paths.data / "skill-data" / "notes").glob("*.md")
    return sum(file.read_text(encoding="utf-8").count("milk") for file in files)


def _works(home: Home) -> str:
    """Whether it can be spoken to, and its audit is whole."""
    events = asyncio.run(tell(home, "add bread to my shopping list", "works"))
    if not any(isinstance(event, Reply) for event in events):
        failed = [event.message for event in events if isinstance(event, Failed)]
        return f"it does not work any more: {failed}"
    return "" if asyncio.run(_audit_ok(home)) else "the audit is broken"


async def _audit_ok(home: Home) -> bool:
    async with home.client() as client:
        return bool((await client.verify_audit())["ok"])


def _command(home: Home, name: str, arguments: tuple[str, ...], fine: Callable[[], bool]) -> str:
    with dying(name):
        ended = _run(home, *arguments)
    if ended.returncode != -signal.SIGKILL:
        return f"was not killed: {ended.stderr[-200:]}"
    again = _run(home, *arguments)
    if again.returncode:
        return f"it can't be done again: {again.stderr[-200:]}"
    return "" if fine() else "half of it is there"


def _run(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assistant", *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)


def _good_backups(home: Home) -> list[Path]:
    return [one.file for one in backups.listed(home.paths.database) if backups.problem_of(one.file) is None]
