"""A profile as one JSON document (docs/profile-format.md): everything that is kept, so that nothing is lost by it.

Written from the tables, read with a check of each field. What is done with one that was read is known to `taking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, ValidationError

from assistant.errors import Rejected
from assistant.knowledge import Evidence, Fact, What
from assistant.memory.evidence import EvidenceBook, utc
from assistant.memory.facts import FactBook
from assistant.memory.kinds import Kinds
from assistant.models import Value
from assistant.store import Database

FORMAT: Literal["assistant-profile"] = "assistant-profile"
VERSION: Literal[1] = 1
_ALL = 2**62


class Words(Evidence):
    """A piece of evidence; its number is this computer's own and does not travel."""

    id: int = Field(default=0, exclude=True)
    unread: bool = False
    """Whether the model has yet to read it."""


class Known(Fact):
    """A fact, with the sources of the words that state it."""

    evidences: int = Field(default=0, exclude=True)
    review_at: datetime | None = Field(default=None, exclude=True)
    evidence: tuple[str, ...] = ()


class Entry(Value):
    """One entry of the history; `before` is how the fact was, as far as that was changed.

    Of a night's: each column with what it held before and since, and the sources of the words that were counted for it.
    """

    batch: str
    at: datetime
    what: What
    fact: str
    before: dict[str, Any] = Field(default_factory=dict)


class Called(Value):
    """Another name of somebody, as a night found out."""

    name: str
    subject: str
    """What facts call them."""
    batch: str


class Document(Value):
    """A whole profile."""

    format: Literal["assistant-profile"] = FORMAT
    version: Literal[1] = VERSION
    exported_at: datetime
    evidence: tuple[Words, ...] = ()
    facts: tuple[Known, ...] = ()
    changes: tuple[Entry, ...] = ()
    names: tuple[Called, ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    """Facts, or names, that are never put together."""

    def text(self) -> str:
        """As it is written to a file."""
        return self.model_dump_json(indent=1) + "\n"


def document(db: Database, evidence: EvidenceBook, facts: FactBook, now: datetime) -> Document:
    """All that is kept now."""
    said = evidence.after(0, _ALL)
    sources = {one.id: one.source for one in said}
    links: dict[str, list[str]] = {}
    for row in db.conn.execute("SELECT fact, evidence FROM fact_evidence ORDER BY fact, evidence"):
        links.setdefault(row["fact"], []).append(sources[row["evidence"]])
    entries = db.conn.execute("SELECT batch, at, what, fact, before FROM profile_changes ORDER BY id")
    unread = {row[0] for row in db.conn.execute("SELECT evidence FROM evidence_unread")}
    return Document(
        exported_at=now,
        evidence=tuple(Words.model_validate(one.model_dump() | {"unread": one.id in unread}) for one in said),
        facts=tuple(
            Known.model_validate(one.model_dump() | {"evidence": links.get(one.id, [])})
            for one in facts.current(history=True)
        ),
        changes=tuple(
            Entry.model_validate({**row, "before": _carried(json.loads(row["before"]), sources)})
            for row in map(dict, entries)
        ),
        names=tuple(
            Called.model_validate(dict(row))
            for row in db.conn.execute("SELECT name, subject, batch FROM subject_names ORDER BY name")
        ),
        apart=tuple((row[0], row[1]) for row in db.conn.execute("SELECT one, other FROM kept_apart ORDER BY 1, 2")),
    )


def _carried(before: dict[str, Any], sources: dict[int, str]) -> dict[str, Any]:
    """With sources in the place of numbers, which are this computer's own."""
    if "grounded" not in before:
        return before
    return before | {"grounded": [sources[number] for number in before["grounded"] if number in sources]}


def read_document(text: str, kinds: Kinds) -> Document:
    """The document in a text. Raises Rejected with the first thing that is wrong in it."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise Rejected("memory.import_not_json") from None
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise Rejected("memory.import_foreign")
    if tree.get("version") != VERSION:
        raise Rejected("memory.import_version", version=str(tree.get("version"))[:20], known=VERSION)
    found = parsed(text)
    _check(found, kinds)
    return found


def parsed(text: str) -> Document:
    """The document in a text that we wrote: its fields are checked, and not whether they fit. Raises Rejected."""
    try:
        return Document.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Rejected("memory.import_broken", where=where, problem=first["msg"]) from error


def _check(found: Document, kinds: Kinds) -> None:
    """What the fields alone don't tell: that names are known and numbers lead somewhere. Raises Rejected."""
    unknown = [one.predicate for one in found.facts if one.predicate not in kinds.predicates]
    if unknown:
        raise Rejected("memory.import_unknown", predicate=unknown[0])
    _once("evidence", (one.source for one in found.evidence))
    _once("facts", (one.id for one in found.facts))
    for name, parts in (("evidence", found.evidence), ("facts", found.facts), ("changes", found.changes)):
        for number, part in enumerate(parts):
            if not _in_the_calendar(part):
                raise _wrong(f"{name}.{number}")
    sources, facts = {one.source for one in found.evidence}, {one.id for one in found.facts}
    for number, fact in enumerate(found.facts):
        if fact.origin == "heard" or not 0 <= fact.confidence <= 1 or not set(fact.evidence) <= sources:
            raise _wrong(f"facts.{number}")
    for number, entry in enumerate(found.changes):
        fits = _restores_night(entry) if "columns" in entry.before else entry.what == "added" or _restores(entry)
        if entry.fact not in facts or not fits:
            raise _wrong(f"changes.{number}")


def _in_the_calendar(part: Value) -> bool:
    """Whether its moments are some in UTC too: the first and the last day have times that are not."""
    try:
        for _, value in part:
            if isinstance(value, datetime):
                utc(value)
    except (OverflowError, ValueError):
        return False
    return True


def _once(where: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen or not name:
            raise _wrong(f"{where}.{number}")
        seen.add(name)


def _restores(entry: Entry) -> bool:
    """Whether what it was before can be put back: columns of a fact, as they are written."""
    before = dict(entry.before)
    if before.pop("id", None) != entry.fact:
        return False
    try:
        return _in_the_calendar(Before.model_validate(before))
    except ValidationError:
        return False


def _restores_night(entry: Entry) -> bool:
    try:
        night = NightBefore.model_validate(entry.before)
        for place in (0, 1):
            held = {name: values[place] for name, values in night.columns.items()}
            if not _in_the_calendar(NightColumns.model_validate(held)):
                return False
    except (ValidationError, IndexError):
        return False
    return entry.what in ("folded", "gained", "joined")


class NightBefore(Value):
    """What a night notes of a fact."""

    columns: dict[str, tuple[Any, Any]]
    grounded: tuple[str, ...] = ()


class Before(Value):
    """What of a fact changes (`facts.MUTABLE`)."""

    confidence: float | None = None
    observed_at: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    last_confirmed_at: datetime | None = None
    superseded_by: str | None = None
    pinned: bool | None = None


class NightColumns(Before):
    """What of a fact a night changes."""

    subject: str = ""
    key: str = ""
    folded: bool = False


def _wrong(where: str) -> Rejected:
    return Rejected("memory.import_broken", where=where, problem="does not fit the rest")
