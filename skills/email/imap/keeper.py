"""The daemon's end of the workers: one process per account, started again when it dies, ended with the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
from pathlib import Path
from typing import Any

from assistant.skillkit import Account, Context, Credential, SkillFailed, fenced_python

from .replica import write_status

logger = logging.getLogger(__name__)
_START = (
    "import sys, types; post = types.ModuleType('post'); post.__path__ = [sys.argv[1]]; sys.modules['post'] = post;"
    " from post.imap.worker import main; main()"
)
_KEPT = ("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "LANG", "TMPDIR", "TEMP", "PYTHONPATH", "PYTHONHOME")
_MORE = ("VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "ASSISTANT_MAIL_POLL_S", "ASSISTANT_FAILPOINT")
_LINE_LIMIT = 1 << 20
_ANSWER_S = 30.0
_LEAST_S, _MOST_S = 1.0, 300.0
_WELL_S = 60.0


class Keeper:
    """One account's worker. `run` it as a task; the rest is called in the loop, `ask` and `wake` from any thread."""

    def __init__(self, name: str, account: Account, folder: Path, ctx: Context) -> None:
        self.name = name
        self.account = account
        self.folder = folder
        self.state: dict[str, Any] = {}
        self.changed = asyncio.Event()
        """Set whenever the replica may hold something new."""
        self._ctx = ctx
        self._loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._held = False
        self._refused: str = ""

    @property
    def pid(self) -> int | None:
        """The worker that runs now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Keep the worker running until this is cancelled."""
        tries = 0
        while True:
            began = self._loop.time()
            try:
                await self._serve()
            except Exception as error:  # whatever is wrong with this account, the others go on
                logger.warning("the mail worker of %s failed: %s: %s", self.name, type(error).__name__, error)
            tries = 0 if self._loop.time() - began > _WELL_S else tries + 1
            if tries > 2:
                write_status(self.folder, "offline", 0, 0, "worker_died")
            pause = min(_MOST_S, _LEAST_S * 2.0 ** min(tries, 9)) * (0.75 + random.random() / 2)
            logger.warning("the mail worker of %s ended; it is started again in %.0f s", self.name, pause)
            await asyncio.sleep(pause)

    def wake(self) -> None:
        """There is something to push. From any thread."""
        self._loop.call_soon_threadsafe(self._send, {"do": "push"})

    def hold(self, on: bool) -> None:
        """Whether the worker shall wait: a person is being answered."""
        if on != self._held:
            self._held = on
            self._send({"do": "hold", "on": on})

    def ask(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Ask from a thread that may wait; None where no answer comes in time."""
        asked = asyncio.run_coroutine_threadsafe(self.asked(order), self._loop)
        try:
            return asked.result(_ANSWER_S + 5)
        except TimeoutError:
            return None

    async def asked(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Ask; None where no answer comes in time."""
        if self.pid is None:
            return None
        self._number += 1
        number = self._number
        future: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._asked[number] = future
        self._send({**order, "id": number})
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    async def _serve(self) -> None:
        """One worker's life."""
        own = Path(__file__).parents[1]
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = [self.account.ca_file.expanduser()] if self.account.ca_file else []
        self._process = process = await asyncio.create_subprocess_exec(
            *fenced_python(
                _START, str(own), str(self.folder), read=[own, *authority], write=[self.folder], network=True
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in (*_KEPT, *_MORE) if name in os.environ},
            limit=_LINE_LIMIT,
        )
        self._write(self.account.model_dump_json())
        if self._held:
            self._send({"do": "hold", "on": True})
        errors = asyncio.create_task(_last_words(process))
        try:
            assert process.stdout is not None
            with contextlib.suppress(ValueError):  # a line beyond all measure, or no JSON: no worker of ours
                while line := await process.stdout.readline():
                    await self._heard(json.loads(line))
        finally:
            for future in self._asked.values():
                if not future.done():
                    future.set_result({"problem": "worker_died"})
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await process.wait()
            words = await errors
            if words:
                logger.warning("the mail worker of %s said: %s", self.name, words)
            self.changed.set()

    async def _heard(self, line: dict[str, Any]) -> None:
        kind = line.get("is")
        if kind == "changed":
            self.changed.set()
        elif kind == "state":
            self.state = line
        elif kind == "answer":
            future = self._asked.get(int(line["id"]))
            if future is not None and not future.done():
                future.set_result(line)
        elif kind == "want":
            self._send({"do": "credential", **await self._credential(str(line["refused"]), str(line["kind"]))})
        elif kind == "log":
            logger.info("mail account %s: %s", self.name, line.get("text"))

    async def _credential(self, refused: str, kind: str) -> dict[str, Any]:
        """What to log in with; never again what the server has turned down."""
        from pydantic import SecretStr

        before = None
        if refused:
            before = Credential(
                user=self.account.login, kind="bearer" if kind == "bearer" else "password", secret=SecretStr(refused)
            )
        try:
            found = await self._ctx.accounts.credential(self.name, refused=before)
        except SkillFailed as error:
            return {"problem": error.code}
        except KeyError:
            return {"problem": "accounts.no_secret"}
        return {"user": found.user, "kind": found.kind, "secret": found.secret.get_secret_value()}

    def _send(self, order: dict[str, Any]) -> None:
        self._write(json.dumps(order))

    def _write(self, line: str) -> None:
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                process.stdin.write(line.encode() + b"\n")


async def _last_words(process: asyncio.subprocess.Process) -> str:
    """The end of what it wrote to its standard error."""
    assert process.stderr is not None
    kept = b""
    while piece := await process.stderr.read(4096):
        kept = (kept + piece)[-2000:]
    return kept.decode("utf-8", "replace").strip()
