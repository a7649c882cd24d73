"""After a restore nothing that an older database takes for open is done, asked or undone; what was lost is told."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import httpx
import pytest

from assistant.events import Noticed
from assistant.models import Notice, Turn
from assistant.notify.bus import EventBus
from assistant.safety import seal
from assistant.safety.audit import RESTORED
from assistant.store import backups
from bench.faults.databases import KILLED, STOPPED, Patient
from tests.support.daemons import Daemon
from tests.support.talk import NOW, USER, talking

DAMAGED = b"\xa5" * 8192
MAIL = {"address": "mei@example.org", "smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_security": "none"}


def settings(base: Path) -> dict[str, object]:
    mailbox = base / "mail"
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(parents=True, exist_ok=True)
    return {
        "skills": {"email": {"settings": {**MAIL, "mailbox": str(mailbox)}}},
        "approvals": {"hold_s": 3600},
    }


async def test_what_was_open_in_the_backup_is_left_to_the_person(tmp_path: Path) -> None:
    home, more = tmp_path / "home", settings(tmp_path)
    async with talking(home, USER, **more) as talk:
        await talk.say("send an email to r1@there.example with the subject Number 1 saying that it is here")
        await talk.say("yes")
        await talk.say(
            "send an email to r2@there.example with the subject Number 2 saying that it is here", session="b"
        )
        await talk.say("add milk to my shopping list")
        [held] = await talk.services.outbox.list(open_only=True)
        assert held.state == "APPROVED"
        [waiting] = talk.services.approvals.pending()
        file = home / "data" / "assistant.db"
        backups.make_daily(file, NOW)
        in_backup = talk.services.audit.verify().entries
        await talk.say("add bread to my shopping list")
        before = talk.services.audit.verify().entries
    file.write_bytes(DAMAGED)
    async with talking(home, USER, **more) as talk:
        services = talk.services
        [unsure] = await services.outbox.list(open_only=True)
        assert (unsure.id, unsure.state) == (held.id, "UNKNOWN")
        assert services.outbox._operations.get(held.id).look_at is None
        assert not services.approvals.pending()
        assert services.approvals.get(waiting.id).state == "expired"
        assert "nothing" in (await talk.reply("undo")).lower()
        report = services.audit.verify()
        assert report.ok
        assert report.restored is not None
        [entry] = [one for one in services.audit.entries(100) if one.kind == RESTORED]
        assert entry.data["lost"] == before - in_backup
        [notice] = [event.notice for event in services.bus.kept if isinstance(event, Noticed)]
        assert "backup" in notice.title
        assert "1 of the things" in notice.body
        assert services.audit.sealed == await seal.read(services_secrets(services))


def services_secrets(services: object) -> object:
    return services.conversation.executor._contexts.secrets  # type: ignore[attr-defined]


async def test_a_tail_that_is_missing_counts_as_a_restore(tmp_path: Path) -> None:
    async with talking(tmp_path / "home", USER) as talk:
        await talk.say("add milk to my shopping list")
        older = tmp_path / "older"
        backups.make(tmp_path / "home" / "data" / "assistant.db", older)
        await talk.say("add bread to my shopping list")
    data = tmp_path / "home" / "data"
    for end in ("-wal", "-shm"):
        (data / f"assistant.db{end}").unlink(missing_ok=True)
    shutil.copy(older, data / "assistant.db")  # what a damaged WAL, or somebody who puts an older file there, leaves
    async with talking(tmp_path / "home", USER) as talk:
        [notice] = [event.notice for event in talk.services.bus.kept if isinstance(event, Noticed)]
        assert "missing" in notice.title
        assert talk.services.audit.verify().ok


async def test_a_write_that_was_cut_off_is_told_once_and_not_undone(tmp_path: Path) -> None:
    async with talking(tmp_path / "home", USER) as talk:
        await talk.say("add milk to my shopping list")
        write = talk.services.sessions.last_undoable("s")
        assert write is not None
        talk.services.sessions.begin_write(write.operation, "s", write.tool, "undo")
    async with talking(tmp_path / "home", USER) as talk:
        [notice] = [event.notice for event in talk.services.bus.kept if isinstance(event, Noticed)]
        assert "“undo”" in notice.title
        assert talk.services.sessions.last_undoable("s") is None
    async with talking(tmp_path / "home", USER) as talk:
        assert not talk.services.bus.kept


async def test_a_write_whose_turn_did_not_end_is_told_and_can_be_undone(tmp_path: Path) -> None:
    async with talking(tmp_path / "home", USER) as talk:
        await talk.say("add milk to my shopping list")
        sessions = talk.services.sessions
        write = sessions.last_undoable("s")
        assert write is not None
        assert not sessions.interrupted()
        sessions.begin_write(write.operation, "s", write.tool, "add milk")
        sessions.wrote(write.operation)
    async with talking(tmp_path / "home", USER) as talk:
        [notice] = [event.notice for event in talk.services.bus.kept if isinstance(event, Noticed)]
        assert notice.title == "I did “add milk” and was cut off before I could tell you"
        assert "milk" in await talk.reply("undo")
    async with talking(tmp_path / "home", USER) as talk:
        assert not talk.services.bus.kept


async def test_what_is_kept_reaches_every_surface_and_each_session_once() -> None:
    bus = EventBus()
    with bus.listen() as early:
        event = Noticed(notice=Notice(id="n", title="t", at=NOW))
        bus.keep(event)
        with bus.listen() as late:
            assert early.get_nowait() == late.get_nowait() == event
    assert bus.untold("a") == [event]
    assert bus.untold("a") == []
    assert bus.untold("b") == [event]


async def test_a_turn_begins_with_what_is_to_be_told(tmp_path: Path) -> None:
    async with talking(tmp_path / "home", USER) as talk:
        services = talk.services
        services.bus.keep(Noticed(notice=Notice(id="n", title="t", at=NOW)))
        turn = Turn(id="t1", text="add milk to my shopping list", session="s")
        events = [event async for event in services.running.run(turn, services.conversation.turn(turn))]
        assert [event.type for event in events[:2]] == ["notice", "turn-started"]


@pytest.mark.usefixtures("many_daemons")
def test_however_it_is_damaged_the_daemon_comes_up_and_what_is_lost_is_told(tmp_path: Path) -> None:
    with Patient(tmp_path) as patient:
        for kind in (*STOPPED, *KILLED):
            found = patient.suffer(kind, 1)
            assert found.right, found


def _said_when_it_is_back(daemon: Daemon) -> list[dict[str, object]]:
    deadline = time.monotonic() + 60
    while True:
        try:
            events = daemon.say("show my reminders", session="later")
        except httpx.TransportError:  # it is on its way down, or up
            assert time.monotonic() < deadline
        else:
            if not any(event["type"] == "error" for event in events):
                return events
        time.sleep(0.05)


def test_damage_at_work_ends_in_a_new_start_with_the_backup(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "home")
    daemon.start()
    try:
        daemon.say("remind me tomorrow at 9 to call the clinic")
        backups.make_daily(daemon.paths.database, NOW)
        assert daemon.process is not None
        pid = daemon.process.pid
        for number in range(12):
            daemon.say(f"add thing{number} to my shopping list")
        for file in (daemon.paths.database, daemon.paths.data / "assistant.db-wal"):
            size = file.stat().st_size
            with file.open("r+b") as out:
                out.seek(4096)
                out.write(b"\x5a" * (size - 4096))
        events = asyncio.run(asyncio.to_thread(daemon.say, "show my reminders"))
        assert [event["code"] for event in events if event["type"] == "error"] == ["store.damaged"]
        events = _said_when_it_is_back(daemon)
        assert "call the clinic" in str(events[-2]["text"])
        assert [event["type"] for event in events].count("notice") == 1
        with daemon.client() as client:
            assert client.get("/healthz").json()["pid"] == pid
            assert client.get("/v1/audit/verify").json()["ok"]
    finally:
        daemon.stop()
