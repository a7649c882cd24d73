"""The profile in its user's hands: what is learned and what never, export and import, and how much there is."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

from assistant.errors import Rejected
from assistant.failpoint import failpoint
from assistant.knowledge import Pause, ProfileStats, Statement, Taken
from assistant.memory.bounds import Bounds
from assistant.memory.document import read_document
from assistant.memory.evidence import EvidenceBook
from assistant.memory.exports import Exports, Form
from assistant.memory.facts import FactBook
from assistant.memory.gates import secret
from assistant.memory.kinds import kinds
from assistant.memory.readable import read
from assistant.memory.taking import Taking
from assistant.ports import Clock
from assistant.store import Database, transaction

_LARGEST = 256_000_000
"""Bytes of an import: ten times what a talkative user says in a life."""


class Hands:
    """Part of `KeptProfile`."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        evidence: EvidenceBook,
        facts: FactBook,
        bounds: Bounds,
        *,
        folder: Path,
        fresh: Callable[[], None],
    ) -> None:
        """`folder` is for exports that name no file. `fresh` is called when there is something new."""
        self._db = db
        self._clock = clock
        self._evidence = evidence
        self._facts = facts
        self._folder = folder
        self._bounds = bounds
        self._fresh = fresh
        self.exports = Exports(db, evidence, facts)

    # --- what is learned ---------------------------------------------------------------------------------------

    def learns(self, text: str) -> bool:
        """Whether something may be learned from these words now."""
        return self._bounds.learns(text, self._clock.now())

    def bars(self, text: str) -> bool:
        """Whether they are of a topic that is never to be learned."""
        return self._bounds.bars(text)

    def topics(self) -> list[str]:
        """The topics that the user named; those of the settings are not theirs to take away in words."""
        return self._bounds.topics()

    def bar(self, topic: str) -> bool:
        """Learn nothing of a topic any more; False where that is so already. Raises Rejected for an empty one."""
        return self._bounds.bar(topic, self._clock.now())

    def unbar(self, topic: str) -> bool:
        """Learn of a topic again; False where it was not barred."""
        return self._bounds.unbar(topic)

    def paused(self) -> Pause | None:
        """The pause, where there is one now."""
        return self._bounds.paused(self._clock.now())

    def pause(self, until: datetime | None = None) -> Pause:
        """Learn nothing until then, or until `resume`; what is asked to be remembered is. Raises Rejected."""
        return self._bounds.pause(until, self._clock.now())

    def resume(self) -> bool:
        """Learn again; False where there was no pause."""
        done = self._bounds.resume(self._clock.now())
        self._fresh()
        return done

    def stats(self) -> ProfileStats:
        """How much there is."""
        facts = self._facts.current()
        first = self._db.conn.execute("SELECT min(at) FROM evidence").fetchone()[0]
        return ProfileStats(
            facts=len(facts),
            past=len(self._facts.current(history=True)) - len(facts),
            evidence=sum(self._evidence.counts().values()),
            kinds=dict(Counter(fact.kind for fact in facts)),
            pinned=sum(fact.pinned for fact in facts),
            since=datetime.fromisoformat(first) if first else None,
            never=tuple(dict.fromkeys((*self._bounds.set, *self.topics()))),
            learns=self.learns(""),
            pause=self.paused(),
            exports=tuple(str(one.file) for one in self.exports.listed()),
        )

    # --- out and in --------------------------------------------------------------------------------------------

    def text(self, form: Form, language: str) -> str:
        """The profile as a text: all of it as JSON, what holds now as Markdown."""
        return self.exports.text(form, _tongue(language), self._clock.now())

    async def export(self, file: Path | None, form: Form, language: str) -> Path:
        """Write it to a file (None: one in the program's own folder); which one. Raises as `Exports.write`."""
        now = self._clock.now()
        if file is None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            ending = "json" if form == "json" else "md"
            file = (self._folder / f"profile-{now:%Y-%m-%d-%H%M%S}.{ending}").resolve()
        await self.exports.write(file, form, _tongue(language), now)
        return file

    async def remove_export(self, file: Path) -> bool:
        """Remove an export again; False where there is none."""
        return await self.exports.remove(file)

    async def take(self, file: Path) -> Taken:
        """Import a file that an export wrote. Raises Rejected, with nothing changed."""
        if not file.is_absolute():
            raise Rejected("memory.no_place", file=str(file))
        return self.take_text(await asyncio.to_thread(_read, file))

    def take_text(self, text: str) -> Taken:
        """Import the text of an export. Raises Rejected, with nothing changed."""
        batch = f"import:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:16]}"
        taken = (
            self._take_json(text, batch) if text.lstrip("\ufeff \r\n\t")[:1] == "{" else self._take_lines(text, batch)
        )
        self._fresh()
        return taken

    def take_back(self, batch: str) -> None:
        """The words that an import brought go with it, but for those that state what is known. In a transaction."""
        rows = self._db.conn.execute("SELECT evidence FROM profile_imports WHERE batch = ?", (batch,)).fetchall()
        numbers = [int(row["evidence"]) for row in rows]
        stating = self._facts.read_in(numbers)
        self._evidence.delete(number for number in numbers if number not in stating)
        self._db.conn.execute("DELETE FROM subject_names WHERE subject NOT IN (SELECT subject FROM facts)")

    def _take_json(self, text: str, batch: str) -> Taken:
        found = read_document(text.lstrip("\ufeff"), kinds())
        with transaction(self._db):
            now, bars = self._clock.now(), self._leaves_out
            taking = Taking(self._db, self._evidence, self._facts, kinds(), bars=bars, batch=batch, now=now)
            taken = taking.take(found)
            failpoint("profile.imported")
        return taken

    def _leaves_out(self, text: str) -> bool:
        return self.bars(text) or secret(text)

    def _take_lines(self, text: str, batch: str) -> Taken:
        """Lines of Markdown: what the user states now, or on the day that the line tells."""
        lines, now = list(read(text)), self._clock.now()
        done = dict.fromkeys(("added", "confirmed", "superseded", "left_out"), 0)
        with transaction(self._db):
            for line in lines:
                at = now
                if line.day is not None:
                    at = min(now, datetime.combine(line.day, time(12), UTC))
                if self._leaves_out(line.said.text):
                    done["left_out"] += 1
                elif (what := self._state(line.said, line.text, at, now, batch)) is not None:
                    done["added"] += what != "confirmed"
                    done[what] += what != "added"
            failpoint("profile.imported")
        return Taken.model_validate(done)

    def _state(self, said: Statement, line: str, at: datetime, now: datetime, batch: str) -> str | None:
        """What became of a line; None where it was taken in before, or is known, as of that day or since."""
        about = self._facts.about(*self._facts.keys(said))
        if at < now and any(one.valid_to is None and one.last_confirmed_at.date() >= at.date() for one in about):
            return None
        number = self._evidence.append(
            said.text,
            source=f"import:{hashlib.sha256(line.encode()).hexdigest()[:16]}",
            origin="said",
            language=said.language,
            at=at,
        )
        if number is None:
            return None
        self._db.conn.execute("INSERT INTO profile_imports VALUES (?, ?)", (batch, number))
        self._evidence.leave_unread(number)
        done = self._facts.state(said, evidence=number, origin="said", at=at, now=now, batch=batch)
        return done[1] if done else None


def _read(file: Path) -> str:
    """The file's text. Raises Rejected."""
    try:
        if file.stat().st_size > _LARGEST:
            raise Rejected("memory.import_large", file=str(file))
        return file.read_bytes().decode()
    except (OSError, ValueError) as error:
        raise Rejected("memory.import_unreadable", file=str(file)) from error


def _tongue(language: str) -> str:
    return language if language in ("en", "zh") else "en"
