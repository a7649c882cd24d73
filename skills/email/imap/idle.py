"""Waits for news of the inbox on a connection of its own (IDLE, RFC 2177). What the news is, others look at.

A server may hang up after half an hour (§3), and a computer that slept has a line that only looks alive: IDLE is asked
anew well before, and after a sleep the line is dropped.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from assistant.skillkit import Account, Credential, LoginProblem, login

from .session import Session
from .sync import now_running, retry_after

if TYPE_CHECKING:
    from imapclient import IMAPClient

_REISSUE_S = 25 * 60.0
_LOOK_S = 20.0
_ASLEEP_S = 90.0
_EMPTY = 3
_PATIENCE_S = 30.0


class Watch:
    """Use as `with Watch(account, credential, call):`; `call` runs in another thread at any sign of change."""

    def __init__(self, account: Account, credential: Credential, call: Callable[[], None]) -> None:
        self._account = account
        self._credential = credential
        self._call = call
        self._ended = threading.Event()
        self._tries = 0
        self._client: IMAPClient | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        client = self._client
        if client is not None:
            with suppress(Exception):
                client.shutdown()
        self._thread.join(timeout=0.5)  # it may be in the middle of a login: it ends by itself

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._watch()
            except Exception as error:  # a lost line: whatever it was, a new one is tried
                self._call()  # the other connection looks whether it is lost as well
                if isinstance(error, LoginProblem) and error.refused:
                    return  # it is there that a new credential is asked for
            finally:
                self._drop()
            self._tries += 1
            self._ended.wait(retry_after(self._tries, least=5, most=600, random=random.random))

    def _watch(self) -> None:
        self._client = client = login.imap(self._account, self._credential, timeout=_PATIENCE_S)
        Session(client).select("INBOX", readonly=True)
        self._call()  # what came while nobody watched
        while not self._ended.is_set():
            client.idle()
            begun = last = now_running()
            empty = 0
            self._tries = 0
            while not self._ended.is_set() and now_running() - begun < _REISSUE_S:
                said = client.idle_check(timeout=_LOOK_S)
                now = now_running()
                if now - last > _LOOK_S + _ASLEEP_S:
                    raise OSError("the computer slept")
                # Something can be read, and there is nothing: the end, unless it was a record of TLS itself.
                empty = empty + 1 if not said and now - last < _LOOK_S / 2 else 0
                if empty > _EMPTY:
                    raise OSError("the line is closed")
                last = now
                if any(len(one) > 1 and one[1] in (b"EXISTS", b"EXPUNGE", b"FETCH", b"VANISHED") for one in said) or (
                    any(one and one[0] in (b"VANISHED", b"BYE") for one in said)
                ):
                    self._call()
            client.idle_done()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                client.shutdown()
