"""The real command and the real daemon, as processes, in a folder of their own. No model: templates answer."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.terminal import readable

COMMAND = [sys.executable, "-m", "assistant"]
WORLD = """\
now: 2026-11-23T10:00
zone: Europe/Berlin
locale: en
user: {name: Mei Lin, home: Berlin, home_airport: BER}
contacts:
  - {name: 王伟, aliases: [Wang Wei], email: wangwei@example.cn}
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSISTANT", "LC_", "LANG"))}
    environment = kept | {
        "ASSISTANT_HOME": str(tmp_path / "home"),
        "ASSISTANT_MODELS": str(tmp_path / "models"),
        "ASSISTANT__NOTIFY__DESKTOP": "false",
        "LANG": "en_GB.UTF-8",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    yield environment
    lock = tmp_path / "home" / "run" / "daemon.lock"
    if lock.exists() and lock.read_text().strip().isdigit():
        subprocess.run([*COMMAND, "daemon", "stop"], env=environment, capture_output=True, timeout=60, check=False)


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    def call(*arguments: str, code: int = 0, input: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            input=input,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return call


def pid_of(run: Run) -> int:
    return int(json.loads(run("daemon", "status", "--json").stdout)["pid"])


def test_the_daemon_starts_tells_how_it_is_and_stops(run: Run, tmp_path: Path) -> None:
    assert "does not run" in run("daemon", "status", code=5).stderr
    assert "runs now" in run("daemon", "start").stdout
    assert "runs already" in run("daemon", "start").stdout
    socket = tmp_path / "home" / "run" / "assistant.sock"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert "Skills:" in run("daemon", "status").stdout
    second = run("daemon", "run", code=1)
    assert str(pid_of(run)) in second.stderr
    assert run("daemon", "restart").stdout.splitlines() == [f"The assistant runs now (process {pid_of(run)})."]
    assert "has stopped" in run("daemon", "stop").stdout
    assert "does not run" in run("daemon", "stop").stdout
    assert not socket.exists()


def test_ask_starts_the_daemon_and_survives_its_death(run: Run) -> None:
    assert "call the clinic" in run("ask", "remind me tomorrow at 9 to call the clinic").stdout
    pid = pid_of(run)
    os.kill(pid, signal.SIGKILL)
    assert "给妈妈打电话" in run("--language", "zh", "ask", "明天下午三点提醒我给妈妈打电话").stdout
    assert pid_of(run) != pid
    [told] = [json.loads(line) for line in run("ask", "what are my reminders?", "--json").stdout.splitlines()]
    assert "call the clinic" in told["reply"]  # what was promised before the death is still there
    assert "给妈妈打电话" in told["reply"]


def test_two_who_ask_at_once_start_one_daemon(environment: dict[str, str], run: Run, tmp_path: Path) -> None:
    asking = [
        subprocess.Popen(
            [*COMMAND, "ask", f"remind me tomorrow at {hour} to call number {hour}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hour in (9, 10, 11)
    ]
    said = [process.communicate(timeout=90) for process in asking]
    assert [process.returncode for process in asking] == [0, 0, 0], said
    assert all(f"call number {hour}" in out for hour, (out, _) in zip((9, 10, 11), said, strict=True))
    log = (tmp_path / "home" / "state" / "logs" / "assistant.log").read_text()
    assert log.count("ready after") == 1


def test_a_dry_run_can_be_repeated_and_does_nothing(run: Run, tmp_path: Path) -> None:
    world = tmp_path / "context.yaml"
    world.write_text(WORLD, encoding="utf-8")
    plans = [
        json.loads(
            run(
                "ask", "--dry-run", "--json", "--context", str(world), "remind me tomorrow at 9 to call the clinic"
            ).stdout
        )
        for _ in range(2)
    ]
    for plan in plans:
        plan.pop("ms")
    assert plans[0] == plans[1]
    call = plans[0]["calls"][0]
    assert (plans[0]["kind"], plans[0]["via"], call["tool"]) == ("call", "intent", "reminders.add")
    assert call["args"]["when"].startswith("2026-11-24T09:00")
    moved = run(
        "ask", "--dry-run", "--json", "--now", "2027-01-04T10:00", "明天早上九点提醒我开会", "--context", str(world)
    )
    assert json.loads(moved.stdout)["calls"][0]["args"]["when"].startswith("2027-01-05T09:00")
    assert "call the clinic" not in run("ask", "what are my reminders?").stdout


def test_a_reply_waits_for_its_yes_and_can_be_undone(run: Run) -> None:
    run("account", "add", "sample")
    run("config", "set", "approvals.hold_s", "600")
    asked = run("ask", "reply to my sister that Friday afternoon works", code=3)
    assert "Friday afternoon works" in asked.stdout
    found = re.search(r"assistant approvals approve (\w+)", asked.stderr)
    assert found is not None
    assert "lan@example.cn" in run("approvals", "show", found[1]).stdout
    approved = run("approvals", "approve", found[1])
    held = re.search(r"assistant outbox cancel (\w+)", approved.stdout)
    assert held is not None
    assert "held" in run("outbox", "list").stdout
    os.kill(pid_of(run), signal.SIGKILL)
    run("daemon", "start")
    assert "held" in run("outbox", "list").stdout  # a yes that was given is not lost
    run("outbox", "cancel", held[1])
    assert "cancelled" in run("outbox", "list").stdout
    run("approvals", "approve", found[1], code=1)  # used once
    assert "whole" in run("audit", "verify").stdout


def test_at_a_real_terminal_the_yes_is_given_in_place(environment: dict[str, str], run: Run) -> None:
    run("account", "add", "sample")
    run("config", "set", "approvals.hold_s", "600")
    run("daemon", "start")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--language", "zh", "ask", "回复姐姐说周五下午可以"],
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        shown = _read_until(master, "稍后")
        assert "周五下午可以" in shown
        os.write(master, b"y\n")
        shown += _read_until(master, "assistant outbox cancel")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert "暂存中" in run("--language", "zh", "outbox", "list").stdout


def test_a_wrong_setting_is_one_sentence_and_nothing_starts(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "home" / "config.yaml"
    file.parent.mkdir()
    file.write_text("assistant:\n  langage: zh\n")
    for command in (("daemon", "start"), ("daemon", "run")):
        assert f"{file}, line 2" in run(*command, code=1).stderr
    assert "langage" in run("ask", "hello", code=5).stderr
    report = json.loads(run("doctor", "--json", code=1).stdout)
    assert any("langage" in check["message"] for check in report["checks"] if check["state"] == "bad")


def test_a_folder_that_can_not_be_written_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    done = run("daemon", "start", code=1)
    assert str(tmp_path / "home") in done.stderr


def _read_until(master: int, wanted: str, seconds: float = 60) -> str:
    shown = b""
    until = time.monotonic() + seconds
    while wanted not in shown.decode(errors="replace"):
        assert time.monotonic() < until, shown.decode(errors="replace")
        if readable(master, 0.5):
            try:
                shown += os.read(master, 65536)
            except OSError:  # the terminal was closed
                assert wanted in shown.decode(errors="replace"), shown.decode(errors="replace")
    return shown.decode(errors="replace")
