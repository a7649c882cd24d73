"""The worker of a mail account as the process it is: fenced, killed at any moment, told of news, never insistent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.remote import secret_name
from assistant.sandbox.machine import fenced_python, look
from tests.support.context import context
from tests.support.cutting import Line
from tests.support.imap_store import Second
from tests.support.mail import EMAIL, SKILLS, mail, module
from tests.support.servers.mail import MailServers, User

PATIENCE_S = 40.0


class Rig:
    """The skill with one account, its background work going."""

    def __init__(
        self, servers: MailServers, user: User, folder: Path, *, port: int | None = None, secret: str = ""
    ) -> None:
        self.user, self.other = user, Second(servers, user)
        account = servers.account(user, imap=port)
        self.ctx = context(
            SKILLS,
            "email",
            folder,
            accounts={"work": account},
            secrets={secret_name("work"): secret or user.password},
        )

    @property
    def keeper(self) -> Any:
        return next(iter(module("stores")._KEEPERS.values()))

    @property
    def mailbox(self) -> Any:
        return module("stores").opened(self.ctx)

    @property
    def store(self) -> Any:
        return self.mailbox.provider.stores["work"]

    @property
    def state(self) -> str:
        file = self.store._replica.folder / "status.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["state"]) if file.exists() else ""

    async def until(self, true: Callable[[], Any], what: str) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < PATIENCE_S, f"never: {what}"
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def found(self, subject: str) -> dict[str, Any]:
        """The mail, once a search finds it."""
        began = time.monotonic()
        while True:
            for item in (await EMAIL.search(self.ctx, subject=subject)).data["items"]:
                return dict(item)
            assert time.monotonic() - began < PATIENCE_S, f"never found: {subject}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    task = asyncio.create_task(EMAIL.index_mailbox(rig.ctx))
    try:
        await rig.until(lambda: module("stores")._KEEPERS, "a keeper")
        yield rig
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        module("stores").shut(rig.ctx)


@pytest.fixture
def rig(mail_servers: MailServers, tmp_path: Path) -> Rig:
    return Rig(mail_servers, mail_servers.user(), tmp_path)


async def test_new_mail_is_noticed_without_asking(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_MAIL_POLL_S", "600")
    rig.other.deliver(mail(subject="First", message_id="<1@x>"))
    async with running(rig):
        await rig.found("First")
        await rig.until(lambda: rig.state == "idle", "idle")
        await asyncio.sleep(1.0)
        rig.other.deliver(mail(subject="Second", message_id="<2@x>"))
        began = time.monotonic()
        await rig.until(lambda: rig.store.find_by_message_id("<2@x>"), "the second mail")
        assert time.monotonic() - began < 5
        pid = rig.keeper.pid
    await asyncio.sleep(0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_what_is_done_here_is_done_there_and_can_be_taken_back(rig: Rig) -> None:
    rig.other.deliver(mail(subject="Lunch", message_id="<1@x>"))
    async with running(rig):
        item = await rig.found("Lunch")
        done = await EMAIL.archive(rig.ctx, [item["message_id"]])
        assert (await EMAIL.search(rig.ctx, subject="Lunch")).data["items"][0]["folder"] == "Archive"
        await rig.until(lambda: rig.other.has("<1@x>", "Archive"), "the move")
        await EMAIL.take_back(rig.ctx, done.undo)
        await rig.until(lambda: rig.other.has("<1@x>"), "the move back")
        again = await rig.found("Lunch")
        assert (again["message_id"], again["folder"]) == (item["message_id"], "INBOX")


@pytest.mark.parametrize(
    ("point", "without"),
    [
        ("mail.begun", ()),
        ("mail.done", ()),
        ("mail.begun", ("MOVE",)),
        ("mail.copied", ("MOVE",)),
        ("mail.copy-noted", ("MOVE",)),
        ("mail.marked", ("MOVE",)),
        ("mail.done", ("MOVE",)),
        ("mail.marked", ("MOVE", "UIDPLUS")),
        ("mail.done", ("MOVE", "UIDPLUS")),
    ],
)
async def test_a_worker_killed_in_the_middle_of_a_move_moves_once(
    mail_servers: MailServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, without: tuple[str, ...]
) -> None:
    rig = Rig(mail_servers, mail_servers.user(without=without), tmp_path)
    rig.other.deliver(mail(subject="Lunch", message_id="<1@x>"))
    monkeypatch.setenv("ASSISTANT_FAILPOINT", f"{point}:kill")
    async with running(rig):
        item = await rig.found("Lunch")
        await rig.until(lambda: rig.state == "idle", "idle")
        first = rig.keeper.pid
        await EMAIL.archive(rig.ctx, [item["message_id"]])
        await rig.until(lambda: rig.keeper.pid != first, "the kill")
        monkeypatch.delenv("ASSISTANT_FAILPOINT")
        await rig.until(lambda: rig.store.waiting() == 0, "the journal")
        await rig.until(lambda: rig.state == "idle", "idle again")
        assert (rig.other.has("<1@x>"), rig.other.has("<1@x>", "Archive")) == (0, 1)
        again = await rig.found("Lunch")
        assert (again["message_id"], again["folder"]) == (item["message_id"], "Archive")
        assert len((await EMAIL.search(rig.ctx, subject="Lunch")).data["items"]) == 1


@pytest.mark.parametrize("point", ["mail.begun", "mail.done"])
async def test_a_worker_killed_while_it_files_a_mail_files_it_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setenv("ASSISTANT_FAILPOINT", f"{point}:kill")
    async with running(rig):
        await rig.until(lambda: rig.state == "idle", "idle")
        first = rig.keeper.pid
        raw = mail(subject="Sent one", message_id="<1@x>")
        await rig.mailbox.change(lambda: rig.store.append("Sent", raw, frozenset({"seen"})))
        await rig.until(lambda: rig.keeper.pid != first, "the kill")
        monkeypatch.delenv("ASSISTANT_FAILPOINT")
        await rig.until(lambda: rig.store.waiting() == 0, "the journal")
        await rig.until(lambda: rig.state == "idle", "idle again")
        assert rig.other.has("<1@x>", "Sent") == 1
        assert len(rig.store.candidates("Sent")) == 1


async def test_a_killed_worker_comes_back(rig: Rig) -> None:
    async with running(rig):
        await rig.until(lambda: rig.state == "idle", "idle")
        first = rig.keeper.pid
        os.kill(first, signal.SIGKILL)
        rig.other.deliver(mail(subject="After", message_id="<1@x>"))
        await rig.found("After")
        assert rig.keeper.pid not in (None, first)


async def test_a_refused_password_is_not_tried_again(mail_servers: MailServers, tmp_path: Path) -> None:
    user = mail_servers.user()
    with Line(mail_servers.dovecot.imaps) as line:
        rig = Rig(mail_servers, user, tmp_path, port=line.port, secret="not the password")
        async with running(rig):
            await rig.until(lambda: rig.state == "needs_login", "needs_login")
            tried = line.connections
            await asyncio.sleep(8)
            assert (line.connections, tried) == (1, 1)
            rig.other.deliver(mail(subject="At last", message_id="<1@x>"))
            await rig.ctx.secrets.put(secret_name("work"), user.password)
            await rig.found("At last")


async def test_a_server_that_goes_away_and_comes_back(mail_servers: MailServers, tmp_path: Path) -> None:
    rig = Rig(mail_servers, mail_servers.user(), tmp_path)
    rig.other.deliver(mail(subject="Lunch", message_id="<1@x>"))
    async with running(rig):
        item = await rig.found("Lunch")
        await rig.until(lambda: rig.state == "idle", "idle")
        with mail_servers.down():
            await rig.until(lambda: rig.state == "offline", "offline")
            assert (await EMAIL.read(rig.ctx, item["message_id"])).data["items"][0]["subject"] == "Lunch"
            await EMAIL.mark(rig.ctx, [item["message_id"]], "flagged")
        await rig.until(lambda: rig.store.waiting() == 0, "the journal")
        assert "flagged" in rig.other.flags("<1@x>")


async def test_nobody_else_reads_the_replica(rig: Rig) -> None:
    async with running(rig):
        await rig.until(lambda: rig.state == "idle", "idle")
        folder = rig.store._replica.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.skipif(look().kind == "none", reason="this system has neither Landlock nor seccomp")
def test_the_fence_leaves_the_network_and_its_own_folder(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret").write_text("secret")
    code = (
        "import sys, socket, os\n"
        "open(sys.argv[1] + '/mine', 'w').write('x')\n"
        "socket.getaddrinfo('localhost', 80); socket.socket().close()\n"
        "def no(act):\n"
        "    try: act()\n"
        "    except OSError: return\n"
        "    print('may', act)\n"
        "no(lambda: open(sys.argv[2] + '/secret'))\n"
        "no(lambda: open(sys.argv[2] + '/new', 'w'))\n"
        "no(lambda: open('/etc/passwd'))\n"
        "no(lambda: os.kill(os.getppid(), 0))\n"
        "no(lambda: os.execv('/bin/true', ['true']))\n"
        "no(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))\n"
        "print('done')"
    )
    command = fenced_python(code, str(own), str(other), read=[own], write=[own], network=True)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("done\n", "")
