"""A server that says no: a change is taken back and told, a new mail waits, told once, however the clock goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientError

from tests.support.mail import mail, module

DAY_S = 86_400.0


class Refusing:
    """A session whose server takes nothing."""

    has = frozenset({"MOVE", "UIDPLUS"})
    selected = ""
    uidvalidity = 1

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refuse(*_: Any, **__: Any) -> Any:
            self.asked += 1
            raise IMAPClientError(f"{name} failed: [OVERQUOTA] no room")

        return refuse


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = module("imap.store").ImapStore("work", tmp_path, None, lambda: None)
    with made._replica.writing() as db:
        db.execute("INSERT INTO folders (name, role, rank, uidvalidity, filled) VALUES ('Sent', 'sent', 1, 1, 1)")
    return made


def push(store: Any, session: Refusing) -> None:
    module("imap.push").Push(session, module("imap.record").Recorder(store._replica)).all()


def test_a_new_mail_that_is_refused_waits_and_is_told_once(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append("Sent", mail(subject="Kept", message_id="<1@x>"), frozenset({"seen"}))
    session = Refusing()
    now = time.time()
    told = []
    for day in range(6):
        monkeypatch.setattr(time, "time", lambda day=day: now + day * DAY_S)
        push(store, session)
        told += store.told()
    assert session.asked == 6
    assert told == [("waits", "Kept")]
    assert store.waiting() == 1
    assert store.find_by_message_id("<1@x>") is not None


def test_a_clock_that_was_a_year_ahead_holds_nothing_up(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append("Sent", mail(subject="Kept", message_id="<1@x>"), frozenset({"seen"}))
    session, now = Refusing(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 365 * DAY_S)
    push(store, session)
    push(store, session)
    assert session.asked == 1
    monkeypatch.setattr(time, "time", lambda: now)
    push(store, session)
    assert session.asked == 2
