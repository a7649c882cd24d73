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
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

from pydantic_core import from_json, to_json

from assistant.errors import AssistantError, Conflict, Rejected
from assistant.failpoint import failpoint
from assistant.knowledge import Fact
from assistant.memory.document import Called, Document, Entry, Known, Words, document
from assistant.memory.evidence import EvidenceBook, utc
from assistant.memory.facts import FactBook
from assistant.memory.readable import read, written
from assistant.models import Value
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
    try:
        tree = from_json(text)
        if not _is_ours(tree):
            raise Rejected("memory.import_foreign")
        return to_json(tree, indent=1).decode() + "\n" if _prune(tree, gone, sought) else text
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Rejected("memory.import_not_json") from error


def _is_ours(tree: dict[str, Any]) -> bool:
    """Whether it has the fields of a document and no others: what was added by hand might hold what is forgotten."""
    return tree.keys() == _fields(Document) and all(
        one.keys() == fields
        for part, kind in (("evidence", Words), ("facts", Known), ("changes", Entry), ("names", Called))
        for fields in (_fields(kind),)
        for one in tree[part]
    )


@cache
def _fields(kind: type[Value]) -> frozenset[str]:
    """The names of those that are written."""
    return frozenset(name for name, field in kind.model_fields.items() if not field.exclude)


def _prune(tree: dict[str, Any], gone: set[str], sought: set[str]) -> bool:
    """Take these facts and their words out of a document; whether there was any of it."""
    kept = [fact for fact in tree["facts"] if fact["id"] not in gone]
    stated = {source for fact in tree["facts"] if fact["id"] in gone for source in fact["evidence"]}
    said = {one["source"] for one in tree["evidence"] if one["source"] in stated or _holds((one["text"],), sought)}
    if not said and len(kept) == len(tree["facts"]):
        return False
    besides: dict[str, list[str]] = {}
    for fact in kept:
        for source in said.intersection(fact["evidence"]):
            besides.setdefault(source, []).append(fact["text"])
        if fact["superseded_by"] in gone:
            fact["superseded_by"] = None
    for one in tree["evidence"]:
        if one["source"] in besides:
            one |= {"text": ". ".join(dict.fromkeys(besides[one["source"]])), "unread": False}
    changes = [entry for entry in tree["changes"] if entry["fact"] not in gone]
    for entry in changes:  # a night's names nothing that is gone: what is folded goes with what it was folded into
        if entry["before"].get("superseded_by") in gone:
            entry["before"]["superseded_by"] = None
    known = {fact["subject"] for fact in kept}
    tree |= {
        "evidence": [one for one in tree["evidence"] if one["source"] not in said or one["source"] in besides],
        "facts": kept,
        "changes": changes,
        "names": [one for one in tree["names"] if one["subject"] in known and not _holds(tuple(one.values()), sought)],
        "apart": [pair for pair in tree["apart"] if gone.isdisjoint(pair) and not _holds(pair, sought)],
    }
    return True


def _holds(texts: Sequence[str], sought: set[str]) -> bool:
    folded = "\0".join(texts).casefold()
    return any(needle in folded for needle in sought)


def _may_hold(text: str, sought: set[str]) -> bool:
    """Whether some of it stands there, in one of the spellings of JSON: it is read through only then."""
    folded = text.casefold()
    spelled = (json.dumps(one, ensure_ascii=plain)[1:-1].casefold() for one in sought for plain in (False, True))
    return any(one in folded for one in spelled)


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
