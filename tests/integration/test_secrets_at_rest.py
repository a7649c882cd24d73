"""What real use leaves on the disk and in the system's tables: the user's alone, no secret, forgotten for good."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from ruamel.yaml import YAML

from assistant.clock import FrozenClock
from assistant.conversation.sessions import Sessions
from assistant.models import Turn
from assistant.store import open_database
from assistant.store.index import SqlIndex
from assistant.store.scrub import scrub
from tests.support.daemons import ROOT, Daemon
from tests.support.talk import NOW

CANARIES = ("Canary-Passw0rd/Äö+1", "canaryTOKEN_abcdefghijklmnopqrstuvwxyz0123456789")
"""What is put in as secrets; every file, log, command line and environment is searched for them."""


@dataclass
class Indexed:
    """A document of the search index."""

    id: str
    text: str
    stamp: str
    fields: dict[str, str | int | bool] = field(default_factory=dict)


def everything_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def ours(daemon: Daemon) -> list[psutil.Process]:
    assert daemon.process is not None
    process = psutil.Process(daemon.process.pid)
    return [process, *process.children(recursive=True)]


def spellings(secret: str) -> set[bytes]:
    return {secret.encode(), json.dumps(secret)[1:-1].encode(), secret.encode("utf-16-le"), repr(secret)[1:-1].encode()}


@pytest.fixture
def used(tmp_path: Path, small_model: Path) -> Daemon:
    """A daemon that has done a bit of everything, with a model, secrets, a failing mail server and a failing skill."""
    base = tmp_path / "home"
    daemon = Daemon(base)
    for name in [name for name in daemon._environment if name.startswith("ASSISTANT__")]:
        del daemon._environment[name]
    daemon._environment |= {
        "ASSISTANT_MODELS": str(small_model.parent),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "GITHUB_TOKEN": CANARIES[1],
    }
    mailbox = base / "data" / "mail"
    mailbox.mkdir(mode=0o700)
    for part in ("cur", "new", "tmp"):
        (mailbox / part).mkdir(mode=0o700)
    config = {
        "engine": {"model": small_model.stem, "max_output_tokens": 16},
        "notify": {"desktop": False},
        "server": {"tcp": True},
        "logging": {"level": "debug"},
        "approvals": {"hold_s": 0},
        "outbox": {"retry_s": [0.1], "settle_s": 0.1},
        "skills": {
            "email": {
                "settings": {
                    "mailbox": str(mailbox),
                    "address": "mei@example.org",
                    "smtp_host": "127.0.0.1",
                    "smtp_port": 9,
                    "smtp_user": "mei",
                    "smtp_password": "email.smtp",
                }
            }
        },
    }  # fmt: skip
    with daemon.paths.config_file.open("w", encoding="utf-8") as out:
        YAML().dump(config, out)
    daemon.paths.config_file.chmod(0o600)

    command = [sys.executable, "-m", "assistant", "account", "secret", "email.smtp"]
    given = CANARIES[0].encode() + b"\n"
    subprocess.run(command, cwd=ROOT, env=daemon._environment, input=given, capture_output=True, timeout=60, check=True)
    return daemon


def work(daemon: Daemon) -> None:
    """Mixed work: templates, the model, notes, a mail that can't leave, an error, an undo, a plan, a program."""
    for text in (
        "remind me tomorrow at 9 to call the clinic",
        "make a note that the spare key is with Lan",
        "add milk to my shopping list",
        "put lunch with nobody on Friday at 12 in my calendar",
        "what's new in my inbox?",
        "undo",
    ):
        daemon.say(text, session="mixed")
    events = daemon.say("send an email to r1@there.example with the subject S saying that it is here", session="mixed")
    approval = next(event["approval"] for event in events if event["type"] == "approval-wanted")
    with daemon.client() as client:
        wake_worker(daemon, client)
        yes = {"decision": "approve", "bound_to": approval["bound_to"]}  # type: ignore[index]
        client.post(f"/v1/approvals/{approval['id']}", json=yes)  # type: ignore[index]
        client.get("/v1/skills")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not attempts(daemon):
        time.sleep(0.1)
    assert attempts(daemon), "the mail was never tried, so its password was never used"
    assert daemon.process is not None
    time.sleep(0.5)


def wake_worker(daemon: Daemon, client: httpx.Client) -> None:
    """A turn that needs the model; stopped once its process has begun, as a busy machine answers slowly."""
    with client.stream("POST", "/v1/turns", json={"text": "tell me something about rivers"}) as answer:
        turn = json.loads(next(answer.iter_lines()))["turn"]
        deadline = time.monotonic() + 60
        while not any("assistant.engine.worker" in process.cmdline() for process in ours(daemon)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(2)  # it has locked itself down before it says hello
        with daemon.client() as other:
            other.post(f"/v1/turns/{turn}/cancel", json={})


def attempts(daemon: Daemon) -> int:
    with sqlite3.connect(f"file:{daemon.paths.database}?mode=ro", uri=True) as db:
        return int(db.execute("SELECT coalesce(max(attempts), 0) FROM operations").fetchone()[0])


def test_all_that_is_made_is_the_users_alone_and_holds_no_secret(used: Daemon) -> None:
    base = used.paths.config
    with used:
        work(used)
        processes = ours(used)
        assert len(processes) >= 2, "no worker runs"
        assert {resource.prlimit(process.pid, resource.RLIMIT_CORE) for process in processes} == {(0, 0)}
        open_to_others = [
            f"{oct(stat.S_IMODE(path.lstat().st_mode))} {path.relative_to(base)}"
            for path in everything_below(base)
            if not path.is_symlink() and path.lstat().st_mode & 0o077
            and path.name not in ("script.jsonl", "test.out", "home")  # the test's own
        ]  # fmt: skip
        assert not open_to_others
        assert {"assistant.db", "vault.json", "assistant.log", "assistant.sock", "server-token", "audit.head"} <= {
            path.name for path in everything_below(base)
        }
        for process in processes:
            told = {part: Path(f"/proc/{process.pid}/{part}").read_bytes() for part in ("environ", "cmdline")}
            for canary in CANARIES:
                inherited = process.pid == used.process.pid and canary == CANARIES[1]  # type: ignore[union-attr]
                for part, text in told.items():  # the daemon's own environment is what its starter gave it
                    assert inherited or not any(one in text for one in spellings(canary)), (process.name(), part)
    found = [
        str(path.relative_to(base))
        for path in everything_below(base)
        if path.is_file() and any(one in path.read_bytes() for canary in CANARIES for one in spellings(canary))
    ]
    assert not found
    key = (base / "data" / "vault.key").read_bytes().strip()
    assert [path.name for path in everything_below(base) if path.is_file() and key in path.read_bytes()] == [
        "vault.key"
    ]


def test_a_worker_leaves_no_core() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    command = [sys.executable, "-m", "assistant.engine.worker"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdout.read(4)  # it says hello once it is locked down
        assert resource.prlimit(worker.pid, resource.RLIMIT_CORE) == (0, 0)
        worker.stdin.close()


DUMPABLE = """
import ctypes
from assistant.hardening import lock_down
lock_down()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


@pytest.mark.parametrize(("debugger", "dumpable"), [("", "0"), ("1", "1")])
def test_a_debugger_gets_in_only_where_it_is_asked_for(debugger: str, dumpable: str) -> None:
    environment = os.environ | {"ASSISTANT_DEBUGGER": debugger}
    done = subprocess.run(
        [sys.executable, "-c", DUMPABLE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.strip() == dumpable


def test_a_crash_leaves_no_core_file(used: Daemon) -> None:
    with used:
        assert used.process is not None
        used.process.send_signal(signal.SIGSEGV)
        used.process.wait(20)
        used.start()
    assert not [path for folder in (ROOT, used.paths.config) for path in folder.glob("core*") if path.is_file()]


def test_forgotten_words_are_in_no_file_of_the_database(tmp_path: Path) -> None:
    file = tmp_path / "assistant.db"
    db = open_database(file)
    clock = FrozenClock(NOW)
    sessions = Sessions(db, clock)
    index = SqlIndex(db, "notes")
    for number in range(300):
        turn = Turn(id=f"t{number}", text=f"the zanzibar plan number {number}", session="s")
        sessions.keep(turn, "en", f"noted quokkaland {number}", "intent", 1, [])
    documents = [
        Indexed(id=f"d{n}", text=f"xylophonist meets zebrafinch {n}", stamp="1", fields={"t": "okapiville"})
        for n in range(300)
    ]

    async def fill_and_forget() -> None:
        await index.put(documents)
        await index.put([Indexed(id="kept", text="walrusbay stays", stamp="1")])
        clock.at += timedelta(days=400)
        assert sessions.forget(365) == 300
        await index.delete([document.id for document in documents])

    asyncio.run(fill_and_forget())
    words = (b"zanzibar", b"quokkaland", b"xylophonist", b"zebrafinch", b"okapiville")

    def found() -> set[bytes]:
        raw = b"".join(one.read_bytes() for one in tmp_path.iterdir())
        return {word for word in words if word in raw}

    assert found()  # the deletion alone leaves traces: otherwise this test would show nothing
    asyncio.run(scrub(db))
    assert not found()
    assert asyncio.run(index.search("walrusbay")) == ["kept"]
    db.close()
    assert not found()
