"""An SMTP server that drops connections before, in and after DATA. `python -m bench.chaos_smtp FOLDER SEED [FATE…]`.

Prints its port. Mail that it takes is queued and delivered a moment later, whatever becomes of the connection, into one
Maildir per recipient: FOLDER/<address>. Each connection's fate stands in FOLDER/fates. Fates given as arguments are
those of the first connections; all later ones are then taken.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

FATES = {
    "taken": 50,  # delivered, and said so
    "before": 10,  # dropped before DATA
    "in": 10,  # dropped while the mail comes in
    "after_refused": 10,  # dropped after the final dot; the mail is thrown away
    "after_taken": 15,  # dropped after the final dot; the mail is delivered all the same
    "later": 5,  # 451 after the final dot
}
_THINKS_S = 0.4  # at most, before it answers
_QUEUES_S = 0.3  # at most, before it delivers


class Chaos(SMTP):
    """One connection."""

    def __init__(self, handler: Handler) -> None:
        super().__init__(handler, enable_SMTPUTF8=True, hostname="localhost")
        self._handler = handler
        self.fate = handler.draw()

    async def smtp_DATA(self, arg: str) -> None:
        """Takes the mail, or its first line."""
        if self.fate != "in":
            await super().smtp_DATA(arg)
            return
        await self.push("354 go ahead")
        await self._reader.readline()
        self._handler.note("in")
        drop(self)


class Handler:
    """What happens to a mail."""

    def __init__(self, folder: Path, seed: int, fates: Sequence[str]) -> None:
        self._folder = folder
        self._given = itertools.chain(fates, itertools.repeat("taken")) if fates else None
        self._random = random.Random(seed)
        self._count = itertools.count()
        self._queue: set[asyncio.Task[None]] = set()

    def draw(self) -> str:
        """The fate of a connection."""
        if self._given is not None:
            return next(self._given)
        return self._random.choices(list(FATES), list(FATES.values()))[0]

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Every recipient is known here."""
        if server.fate == "before":
            self.note("before")
            drop(server)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        """The final dot has come."""
        fate = server.fate
        self.note(fate)
        if fate in ("taken", "after_taken"):
            task = asyncio.get_running_loop().create_task(self._deliver(envelope.content, list(envelope.rcpt_tos)))
            self._queue.add(task)
            task.add_done_callback(self._queue.discard)
        await asyncio.sleep(self._random.uniform(0, _THINKS_S))
        if fate.startswith("after"):
            drop(server)
        return "451 come back later" if fate == "later" else "250 queued"

    async def _deliver(self, content: Any, recipients: list[str]) -> None:
        await asyncio.sleep(self._random.uniform(0, _QUEUES_S))
        for recipient in recipients:
            maildir = self._folder / recipient
            for part in ("cur", "new", "tmp"):
                (maildir / part).mkdir(parents=True, exist_ok=True)
            name = f"{next(self._count)}.chaos"
            (maildir / "tmp" / name).write_bytes(content)
            (maildir / "tmp" / name).rename(maildir / "new" / name)

    def note(self, fate: str) -> None:
        with (self._folder / "fates").open("a", encoding="ascii") as out:
            out.write(f"{fate}\n")


def drop(server: Any) -> None:
    """Cut the connection, without a word."""
    if server.transport is not None:
        server.transport.abort()


async def serve(folder: Path, seed: int, fates: Sequence[str]) -> None:
    """Serve until killed."""
    handler = Handler(folder, seed, fates)
    server = await asyncio.get_running_loop().create_server(lambda: Chaos(handler), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
