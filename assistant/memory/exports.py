"""Exports of the profile: written where the user wants them, remembered, and what is forgotten goes from them too.

A path is noted before its file is written: whatever a crash leaves of an export is known. A file that was changed by
hand or is not there any more can't be mended; the user is told of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from assistant.errors import AssistantError, Conflict, Rejected
from assistant.failpoint import failpoint
from assistant.knowledge import Fact
from assistant.memory.document import Called, Entry, document, parsed
from assistant.memory.evidence import EvidenceBook, utc
from assistant.memory.facts import FactBook
from assistant.memory.readable import read, written
from assistant.store import Database, transaction
from assistant.whole import write_whole

_log = logging.getLogger(__name__)
Form = Literal["json", "markdown"]


@dataclass(frozen=True)
class Export:
    """A file that was written."""

    file: Path
    form: Form
    at: datetime


class Exports:
    """The table `profile_exports` and its files."""

    def __init__(self, db: Database, evidence: EvidenceBook, facts: FactBook) -> None:
        self._db = db
        self._evidence = evidence
        self._facts = facts
        self._one = asyncio.Lock()
        """What is being written holds what is being forgotten: one after the other."""

    def text(self, form: Form, language: str, now: datetime) -> str:
        """The profile as a text: all of it as JSON, what holds now as Markdown."""
        if form == "json":
            return document(self._db, self._evidence, self._facts, now).text()
        return written(self._facts.current(), language)

    async def write(self, file: Path, form: Form, language: str, now: datetime) -> None:
        """Write it to `file`, for its owner alone, and remember where.

        Raises Rejected for a path that leads nowhere, Conflict where a file of somebody else lies, AssistantError.
        """
        file = _resolved(file)
        async with self._one:
            if file.exists() and file not in {one.file for one in self.listed()}:
                raise Conflict("memory.export_exists", file=str(file))
            text = self.text(form, language, now)
            with transaction(self._db) as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO profile_exports (file, form, at) VALUES (?, ?, ?)",
                    (str(file), form, utc(now)),
                )
            failpoint("profile.exporting")
            try:
                await asyncio.to_thread(partial(write_whole, edge="profile.export"), file, text.encode())
            except OSError as error:
                raise AssistantError("memory.unwritable", file=str(file), problem=error.strerror or "") from error

    async def remove(self, file: Path) -> bool:
        """Remove an export and its file; False where it is none, or its file is not there."""
        async with self._one:
            known = file in {one.file for one in self.listed()}
            there = known and file.exists()
            if known:
                file.unlink(missing_ok=True)
                with transaction(self._db) as connection:
                    connection.execute("DELETE FROM profile_exports WHERE file = ?", (str(file),))
        return there

    def sweep(self) -> None:
        """Remove what a crash left of exports that were being written; for a start."""
        for one in self.listed():
            _remove_parts(one.file)

    def listed(self) -> list[Export]:
        """All that were written, oldest first."""
        rows = self._db.conn.execute("SELECT file, form, at FROM profile_exports ORDER BY at, rowid")
        return [Export(Path(row["file"]), row["form"], datetime.fromisoformat(row["at"])) for row in rows]

    async def forget(self, facts: Sequence[Fact], needles: Sequence[str], since: datetime) -> list[str]:
        """Take facts, and the words that hold a needle, out of all exports; the files that may still hold them.

        An export that was made before `since` never held them.
        """
        async with self._one:
            exports = self.listed()
            left = await asyncio.to_thread(_mended, exports, facts, needles) if exports else []
        return [str(one.file) for one in left if one.at >= since]


def _mended(exports: Sequence[Export], facts: Sequence[Fact], needles: Sequence[str]) -> list[Export]:
    """Mend each; those that can't be."""
    left = []
    for one in exports:
        _remove_parts(one.file)
        try:
            before = one.file.read_bytes().decode()
            after = _without_json(before, facts, needles) if one.form == "json" else _without_markdown(before, facts)
            if after != before:
                write_whole(one.file, after.encode(), edge="profile.mended")
        except (OSError, UnicodeDecodeError, Rejected) as error:
            _log.warning("%s can't be mended: %s", one.file, error)
            left.append(one)
    return left


def _remove_parts(file: Path) -> None:
    """What a crash left beside it."""
    for part in file.parent.glob(f".{_literal(file.name[:40])}.*.tmp"):
        part.unlink(missing_ok=True)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _without_json(text: str, facts: Sequence[Fact], needles: Sequence[str]) -> str:
    """A document without these facts and their words; what those said besides stays in words of its own."""
    gone = {fact.id for fact in facts}
    sought = {needle.casefold() for needle in needles}
    if not _may_hold(text, gone | sought):
        return text
    found = parsed(text)
    stated = {source for fact in found.facts if fact.id in gone for source in fact.evidence}
    said = {
        one.source
        for one in found.evidence
        if one.source in stated or any(needle in one.text.casefold() for needle in sought)
    }
    if not said and not any(fact.id in gone for fact in found.facts):
        return text
    kept = [fact for fact in found.facts if fact.id not in gone]
    besides: dict[str, list[str]] = {}
    for fact in kept:
        for source in said.intersection(fact.evidence):
            besides.setdefault(source, []).append(fact.text)
    evidence = []
    for one in found.evidence:
        if one.source not in said:
            evidence.append(one)
        elif one.source in besides:
            rest = ". ".join(dict.fromkeys(besides[one.source]))
            evidence.append(one.model_copy(update={"text": rest, "unread": False}))
    kept = [one.model_copy(update={"superseded_by": None}) if one.superseded_by in gone else one for one in kept]
    changes = [_without_ids(one, gone) for one in found.changes if one.fact not in gone]
    return found.model_copy(
        update={
            "evidence": tuple(evidence),
            "facts": tuple(kept),
            "changes": tuple(changes),
            "names": _names_left(found.names, kept, sought),
            "apart": tuple(pair for pair in found.apart if gone.isdisjoint(pair) and not _holds(pair, sought)),
        }
    ).text()


def _names_left(names: Sequence[Called], kept: Sequence[Fact], sought: set[str]) -> tuple[Called, ...]:
    known = {fact.subject for fact in kept}
    return tuple(one for one in names if one.subject in known and not _holds((one.name, one.subject), sought))


def _holds(texts: Sequence[str], sought: set[str]) -> bool:
    return any(needle in text.casefold() for needle in sought for text in texts)


def _may_hold(text: str, sought: set[str]) -> bool:
    """Whether some of it stands there, in one of the spellings of JSON: it is read through only then."""
    folded = text.casefold()
    spelled = (json.dumps(one, ensure_ascii=plain)[1:-1].casefold() for one in sought for plain in (False, True))
    return any(one in folded for one in spelled)


def _without_ids(entry: Entry, gone: set[str]) -> Entry:
    """What is folded goes with what it was folded into: a night's entry names nothing else that is gone."""
    if entry.before.get("superseded_by") not in gone:
        return entry
    return entry.model_copy(update={"before": entry.before | {"superseded_by": None}})


def _without_markdown(text: str, facts: Sequence[Fact]) -> str:
    """The text without the lines that say so. Raises Rejected where a line is not one of ours."""
    gone = {(fact.predicate, fact.subject, fact.topic, fact.value) for fact in facts}
    numbers = {
        line.number
        for line in read(text)
        if (line.said.predicate, line.said.subject, line.said.topic, line.said.value) in gone
    }
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines, start=1) if number not in numbers)


def _resolved(file: Path) -> Path:
    """Through links. Raises Rejected for what is no place for a file."""
    try:
        if not file.is_absolute() or file.is_dir() or not file.parent.is_dir():
            raise Rejected("memory.no_place", file=str(file))
        return file.resolve()
    except (OSError, ValueError):
        raise Rejected("memory.no_place", file=str(file)) from None
