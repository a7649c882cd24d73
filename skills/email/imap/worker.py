"""The process of one account: owns its connections to the server and fills its replica. Started by `keeper`.

Lines of JSON: what the daemon wants comes in, what is new goes out. It ends with its input. Mails of strangers are
parsed here, behind the fence that `skillkit.fenced_python` puts up: its own folder and the network, and no more.
"""

from __future__ import annotations

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from pydantic import SecretStr

from assistant.skillkit import Account, Credential, LoginProblem, NotConfigured, SkillFailed, login, quirks

from ..provider import READ_LIMIT
from .folders import listed
from .idle import Watch
from .push import Push
from .record import Recorder
from .replica import Replica, write_status
from .session import Session
from .sync import Sync, changed_status, retry_after

_PATIENCE_S = 60.0
_PIECE = 4_000_000
_LASTING_S = 30.0
_FEW = 3
"""Tries that still count once a connection has done all there was to do: a bad line is no bad server."""
_SOON_S = 5.0
_NICE = 5


@dataclass
class Orders:
    """What the daemon says, as the one thread that uses the connection takes it."""

    wanted: Queue[dict[str, Any]] = field(default_factory=Queue)
    going: threading.Event = field(default_factory=threading.Event)
    """Cleared while a person waits for an answer of the assistant: the computer has few cores."""
    credential: Queue[dict[str, Any]] = field(default_factory=Queue)
    ended: threading.Event = field(default_factory=threading.Event)


class Worker:
    """The work, in one thread; a second waits for news (`idle`), the first of the process reads orders."""

    def __init__(self, account: Account, folder: Path, orders: Orders, say: Callable[[dict[str, Any]], None]) -> None:
        self._account = account
        self._folder = folder
        self._orders = orders
        self._say = say
        self._quirks = quirks(account)
        poll = os.environ.get("ASSISTANT_MAIL_POLL_S")
        self._poll_s = float(poll) if poll else float(self._quirks.poll_s)
        for left in folder.glob("whole-*.eml"):  # of one that was killed before it was read
            left.unlink(missing_ok=True)
        self._replica = Replica(folder)
        self._recorder = Recorder(self._replica)
        self._refused: Credential | None = None
        self._session: Session | None = None
        self._changed = -1
        self._tries = 0

    def run(self) -> None:
        """Work until the input ends."""
        while not self._orders.ended.is_set():
            try:
                self._connected()
                problem, wait = "", 1.0
            except LoginProblem as error:
                problem, wait = self._login_failed(error)
            except SkillFailed as error:  # no secret is kept, or no certificates
                self._state("needs_login", problem=error.code)
                problem, wait = error.code, 10.0
            except Exception as error:
                problem, wait = "unreachable", self._back_off(1, 300)
                self._say({"is": "log", "text": f"{type(error).__name__}: {error}"[:300]})
                if isinstance(error, OSError) and "full" in str(error):
                    problem = "disk_full"
                self._state("offline", problem=problem)
            self._close()
            self._news()
            self._pause(wait, hurry=problem == "unreachable")

    def _login_failed(self, error: LoginProblem) -> tuple[str, float]:
        if error.passing:
            slow = error.reason in ("too_many", "throttled")
            self._state("offline", problem=error.reason)
            return error.reason, self._back_off(900, 4 * 3600) if slow else self._back_off(1, 300)
        if error.refused:
            self._state("needs_login", problem=error.reason)
            return error.reason, 5.0  # the credential is asked for before a next try: the refused one is not used again
        self._state("offline", problem=error.reason)
        return error.reason, self._back_off(60, 900)

    def _connected(self) -> None:
        """One connection's life. Raises what ends it."""
        credential = self._credential()
        try:
            client = login.imap(self._account, credential, timeout=_PATIENCE_S)
        except LoginProblem as error:
            if error.refused:  # a certificate that has run out is no fault of the password
                self._refused = credential
            raise
        self._refused = None
        self._session = session = Session(client)
        self._recorder.folders(listed(session))
        self._state("syncing")
        watch = Watch(self._account, credential, lambda: self._orders.wanted.put({"do": "inbox"}))
        with watch if self._may_idle(session) else nullcontext():
            full, began = 0.0, time.monotonic()
            while not self._orders.ended.is_set():
                everything = time.monotonic() - full > self._poll_s
                self._round(session, everything=everything)
                if everything:
                    full = time.monotonic()
                    self._tries = min(self._tries, _FEW)
                if time.monotonic() - began > _LASTING_S:  # one that is cut again and again is tried more rarely
                    self._tries = 0
                self._state("idle")
                self._await_orders(max(0.05, self._poll_s - (time.monotonic() - full)))
                session.noop()

    def _may_idle(self, session: Session) -> bool:
        return "IDLE" in session.has and self._quirks.idle and self._quirks.connections > 1

    def _round(self, session: Session, *, everything: bool) -> None:
        """Push, then look: at the inbox, at folders that have got something, and (`everything`) at all others."""
        push = Push(session, self._recorder)
        push.all()
        self._news()
        sync = Sync(session, self._recorder, breathe=self._breathe, progress=self._progress)
        if everything:
            self._recorder.folders(listed(session))
        for place in self._replica.places():
            if not place.there:
                continue
            if place.rank == 0 or place.id in push.touched or (everything and self._has_changed(session, place)):
                sync.folder(place)
                self._news()
            self._breathe()
        if everything:
            self._recorder.end_round()
            self._news()

    def _has_changed(self, session: Session, place: Any) -> bool:
        if not place.filled:
            return True
        return changed_status(place, session.status(place.name), len(self._recorder.known(place)))

    # --- orders of the daemon ---

    def _await_orders(self, patience: float) -> None:
        """Until something is wanted, or the time is up."""
        try:
            self._orders.wanted.put(self._orders.wanted.get(timeout=patience))
        except Empty:
            return
        self._breathe()

    def _breathe(self) -> None:
        """Between two batches: do what is wanted now; wait while a person is being answered."""
        self._news()
        while not self._orders.ended.is_set():
            while not self._orders.wanted.empty():
                self._obey(self._orders.wanted.get())
            if self._orders.going.wait(timeout=0.05):
                break
        if self._orders.ended.is_set():
            raise EOFError

    def _obey(self, order: dict[str, Any]) -> None:
        session = self._session
        assert session is not None
        if order["do"] == "push":
            push = Push(session, self._recorder)
            if push.all():
                self._news()
        elif order["do"] == "whole":
            self._say({"is": "answer", "id": order["id"], **self._whole(session, int(order["message"]))})
        elif order["do"] == "seek":
            self._say({"is": "answer", "id": order["id"], "found": self._seek(session, str(order["message_id"]))})

    def _whole(self, session: Session, message: int) -> dict[str, Any]:
        """The rest of a message, into a file of its own."""
        row = self._replica.row(message)
        if row is None or row.uid is None:
            return {"problem": "gone"}
        place = self._replica.place_of(row.home)
        selected = session.select(place.name)
        if selected.uidvalidity != place.uidvalidity:
            return {"problem": "gone"}
        file = self._folder / f"whole-{message}.eml"
        start = 0
        with os.fdopen(os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as stream:
            while start < min(row.size, READ_LIMIT):
                piece = session.body(row.uid, start, _PIECE)
                if not piece:
                    break
                stream.write(piece)
                start += len(piece)
        if start < min(row.size, READ_LIMIT):
            file.unlink()
            return {"problem": "gone"}
        return {"file": file.name}

    def _seek(self, session: Session, message_id: str) -> bool:
        """Whether a mail of this Message-ID is in the inbox, in Sent, or wherever the server keeps everything."""
        sync = Sync(session, self._recorder, breathe=lambda: None, progress=lambda done, total: None)
        for place in self._replica.places():
            if place.there and (place.role in ("inbox", "sent") or place.rank == 2):
                session.select(place.name)
                if session.search_id(message_id):
                    return True
                sync.folder(place)
        self._news()
        return bool(self._replica.find("message_id = ? AND uid IS NOT NULL AND hidden != 2", message_id))

    # --- the rest ---

    def _credential(self) -> Credential:
        """What to log in with now, from the daemon. Raises EOFError when it has ended; LoginProblem for none."""
        refused = self._refused
        secret = refused.secret.get_secret_value() if refused else ""
        self._say({"is": "want", "refused": secret, "kind": refused.kind if refused else ""})
        while not self._orders.ended.is_set():
            with suppress(Empty):
                told = self._orders.credential.get(timeout=0.5)
                if told.get("problem"):
                    raise NotConfigured(str(told["problem"]))
                return Credential(user=told["user"], kind=told["kind"], secret=SecretStr(told["secret"]))
        raise EOFError

    def _news(self) -> None:
        """Tell the daemon, if the replica has changed."""
        change = int(self._replica.rows("SELECT value FROM meta WHERE key = 'change'")[0][0])
        if change != self._changed:
            self._changed = change
            self._say({"is": "changed"})

    def _progress(self, done: int, total: int) -> None:
        self._state("syncing", done, total)

    def _state(self, state: str, done: int = 0, total: int = 0, problem: str = "") -> None:
        if state == "idle":
            done = total = int(self._replica.rows("SELECT count(*) FROM messages WHERE hidden = 0")[0][0])
        write_status(self._folder, state, done, total, problem)
        self._say({"is": "state", "state": state, "done": done, "total": total, "problem": problem})

    def _back_off(self, least: float, most: float) -> float:
        self._tries += 1
        return retry_after(self._tries - 1, least=least, most=most, random=random.random)

    def _pause(self, seconds: float, *, hurry: bool = False) -> None:
        """Wait; the daemon may say that it is worth trying again now. Whoever waits for an answer gets none.

        With `hurry` what a person does now is a reason to try soon.
        """
        until = time.monotonic() + seconds
        while not self._orders.ended.is_set() and time.monotonic() < until:
            with suppress(Empty):
                order = self._orders.wanted.get(timeout=min(0.5, max(until - time.monotonic(), 0.01)))
                if "id" in order:
                    self._say({"is": "answer", "id": order["id"], "problem": "offline"})
                elif order["do"] == "again":
                    return
                elif order["do"] == "push" and hurry:
                    until = min(until, time.monotonic() + _SOON_S)

    def _close(self) -> None:
        if self._session is not None:
            self._session.abandon()
            self._session = None


def main() -> None:
    """Arguments: the replica's folder. The first line of the input is the account."""
    with suppress(OSError):
        os.nice(_NICE)
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # what a library prints belongs to no answer
    lock = threading.Lock()

    def say(line: dict[str, Any]) -> None:
        with lock, suppress(OSError, ValueError):
            output.write(json.dumps(line) + "\n")
            output.flush()

    account = Account.model_validate_json(sys.stdin.readline())
    orders = Orders()
    orders.going.set()
    worker = Worker(account, Path(sys.argv[2]), orders, say)
    thread = threading.Thread(target=_working, args=(worker, say), daemon=True)
    thread.start()
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "credential":
            orders.credential.put(order)
        elif order["do"] == "hold":
            orders.going.clear() if order["on"] else orders.going.set()
        else:
            orders.wanted.put(order)
    orders.ended.set()
    orders.going.set()
    thread.join(timeout=2)
    os._exit(0)


def _working(worker: Worker, say: Callable[[dict[str, Any]], None]) -> None:
    try:
        worker.run()
    except Exception as error:
        say({"is": "log", "text": f"the mail worker failed: {type(error).__name__}: {error}"[:300]})
    os._exit(1)
