"""Things a person asks for, and how often each really happened, by the files and the database alone."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from assistant.client import Client
from assistant.events import ApprovalWanted, Failed, ReceiptIssued, Reply
from assistant.paths import Paths
from bench.outbox import count

KINDS = ("reminder", "note", "event", "mail")
_SAYINGS = {
    "reminder": "remind me tomorrow at 9 to call number{0}x",
    "note": "add item{0}x to my shopping list",
    "event": "put meeting{0}x in my calendar tomorrow at 3 pm",
    "mail": "send an email to r{0}@there.example with the subject Number {0} saying that it is here",
}


@dataclass
class Wish:
    """One of them, said once."""

    kind: str
    number: int
    acked: bool = False
    """The assistant said that it is done (of a mail: the yes was recorded)."""
    refused: str = ""
    """The sentence with which it said that it could not."""
    begun: bool = False

    @property
    def text(self) -> str:
        """What is said."""
        return _SAYINGS[self.kind].format(self.number)

    @property
    def session(self) -> str:
        """A conversation of its own."""
        return f"wish-{self.number}"

    def happened(self, paths: Paths, mailboxes: Path | None = None) -> int:
        """How often it is there."""
        if self.kind == "mail":
            return count(mailboxes, f"r{self.number}@there.example") if mailboxes else 0
        if self.kind == "reminder":
            return sum(f"number{self.number}x" in payload for payload in _payloads(paths))
        folder = paths.data / "skill-data" / ("notes" if self.kind == "note" else "calendar")
        name = f"item{self.number}x" if self.kind == "note" else f"SUMMARY:meeting{self.number}x"
        files = folder.rglob("*.md" if self.kind == "note" else "*.ics")
        return sum(file.read_text(encoding="utf-8").count(name) for file in files)

    def recorded(self, paths: Paths) -> bool:
        """Whether the conversation that it was said in is kept with its answer."""
        return bool(rows(paths, "SELECT 1 FROM turns WHERE session = ?", self.session))


def draw(dice: random.Random, number: int) -> Wish:
    """A wish of any kind."""
    return Wish(dice.choice(KINDS), number)


async def say(client: Client, wish: Wish) -> None:
    """Say it, and yes where that is asked. Raises what the client raises when the daemon goes away."""
    approval = None
    wish.begun = True
    async for event in client.turn(wish.text, session=wish.session, surface="api"):
        if isinstance(event, ApprovalWanted):
            approval = event.approval
        elif isinstance(event, Failed):
            wish.refused = event.message
        elif isinstance(event, Reply) and wish.kind != "mail":
            wish.acked = True
    if approval is None:
        return
    async for event in client.decide(approval.id, approve=True, bound_to=approval.bound_to):
        if isinstance(event, ReceiptIssued):
            wish.acked = True
        elif isinstance(event, Failed):
            wish.refused = event.message


def rows(paths: Paths, query: str, *values: object) -> list[tuple[object, ...]]:
    """What the database says; nothing where it has no such table yet."""
    with contextlib.closing(sqlite3.connect(paths.database, timeout=30)) as connection:
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return []


def _payloads(paths: Paths) -> list[str]:
    return [json.dumps(json.loads(str(payload))) for (payload,) in rows(paths, "SELECT payload FROM schedules")]
