"""A process killed at every state edge and at random, with a real SMTP server: each approved mail arrives once.

Example run: python -m pytest tests/integration/test_safety_kills.py -v
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safety_outbox_child import states

from assistant.clock import SystemClock
from assistant.models import OutboxState
from assistant.safety.audit import Audit
from assistant.store import open_database

ROOT = Path(__file__).parent.parent.parent
CHILD = Path(__file__).with_name("safety_outbox_child.py")


@contextlib.contextmanager
def server(folder: Path, *fates: str, seed: int = 1) -> Iterator[int]:
    """The server that drops connections, in a process of its own; its port."""
    command = [sys.executable, "-m", "bench.chaos_smtp", str(folder), str(seed), *fates]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def child(folder: Path, port: int, mails: int, *more: str, failpoint: str = "") -> "subprocess.Popen[bytes]":
    environment = os.environ | {"ASSISTANT_FAILPOINT": f"{failpoint}:kill" if failpoint else ""}
    command = [sys.executable, str(CHILD), str(folder), str(port), str(mails), *more]
    return subprocess.Popen(command, cwd=ROOT, env=environment)


def arrived(folder: Path, mails: int) -> list[int]:
    """How often each mail has arrived."""
    time.sleep(0.5)  # what the server has queued
    return [len(list((folder / f"r{number}@there.example" / "new").glob("*"))) for number in range(mails)]


def audit_is_whole(folder: Path) -> bool:
    return Audit(open_database(folder / "assistant.db"), SystemClock("UTC")).verify().ok


EDGES = [
    ("approval.change.before", ["taken"]),
    ("approval.approved.after", ["taken"]),
    ("approval.used.after", ["taken"]),
    ("outbox.proposed-approved.before", ["taken"]),
    ("outbox.proposed-approved.after", ["taken"]),
    ("outbox.approved-sending.before", ["taken"]),
    ("outbox.approved-sending.after", ["taken"]),
    ("outbox.committed", ["taken"]),
    ("outbox.sending-done.before", ["taken"]),
    ("outbox.sending-done.after", ["taken"]),
    ("outbox.sending-approved.before", ["later"]),
    ("outbox.sending-approved.after", ["before"]),
    ("outbox.sending-unknown.before", ["in"]),
    ("outbox.sending-unknown.before", ["after_taken"]),
    ("outbox.sending-unknown.after", ["after_refused"]),
    ("outbox.looked", ["after_taken"]),
    ("outbox.unknown-done.before", ["after_taken"]),
    ("outbox.unknown-done.after", ["after_taken"]),
    ("outbox.unknown-approved.before", ["after_refused"]),
    ("outbox.unknown-approved.after", ["after_refused"]),
]


@pytest.mark.parametrize(("failpoint", "fates"), EDGES, ids=[f"{name}-{fates[0]}" for name, fates in EDGES])
def test_killed_at_an_edge_the_mail_still_arrives_once(tmp_path: Path, failpoint: str, fates: list[str]) -> None:
    with server(tmp_path, *fates) as port:
        assert child(tmp_path, port, 1, failpoint=failpoint).wait(60) == -signal.SIGKILL
        assert child(tmp_path, port, 1).wait(60) == 0
        assert arrived(tmp_path, 1) == [1]
    assert set(states(tmp_path).values()) == {OutboxState.DONE}
    assert audit_is_whole(tmp_path)


def test_an_undone_mail_stays_undone_though_killed_at_once(tmp_path: Path) -> None:
    with server(tmp_path, "taken") as port:
        killed = child(tmp_path, port, 1, "--cancel", failpoint="outbox.approved-cancelled.after")
        assert killed.wait(60) == -signal.SIGKILL
        assert child(tmp_path, port, 1).wait(60) == 0
        assert arrived(tmp_path, 1) == [0]
    assert set(states(tmp_path).values()) == {OutboxState.CANCELLED}


def test_killed_at_random_moments_no_mail_is_lost_and_none_arrives_twice(tmp_path: Path) -> None:
    kills, mails = int(os.environ.get("ASSISTANT_KILLS", "8")), 10
    dice = random.Random(3)
    with server(tmp_path, seed=3) as port:
        for kill in range(kills):
            process = child(tmp_path, port, min(mails * (kill + 1), kills * mails))
            time.sleep(dice.uniform(0.3, 1.6))
            process.kill()
            process.wait()
        assert child(tmp_path, port, kills * mails).wait(100) == 0
        assert arrived(tmp_path, kills * mails) == [1] * (kills * mails)
    assert set(states(tmp_path).values()) == {OutboxState.DONE}
    assert audit_is_whole(tmp_path)
