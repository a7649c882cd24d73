"""The bench that kills the daemon sees what does not fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.clock import FrozenClock
from assistant.memory.keeper import KeptProfile
from assistant.skillkit.context import Calm
from assistant.store import Database, open_database
from bench.memory.home import NOW
from bench.memory.killing import Deed, Torment, _compare, _settle
from bench.memory.sound import faults
from bench.memory.standin import StandIn

TAMPERINGS: dict[str, Callable[[Database, Path], object]] = {
    "a fact without words": lambda db, _: db.conn.execute("DELETE FROM fact_evidence"),
    "the word index": lambda db, _: db.conn.execute(
        "INSERT INTO evidence_words (evidence_words, rowid, words, singles, concepts)"
        " SELECT 'delete', id, words, singles, concepts FROM evidence"
    ),
    "a vector of nothing": lambda db, _: db.conn.executescript("DELETE FROM evidence; DELETE FROM vectors_gone"),
    "vectors that were not emptied": lambda db, _: db.conn.execute("INSERT INTO vectors_gone VALUES (1)"),
    "a fact that was never added": lambda db, _: db.conn.execute("DELETE FROM profile_changes"),
    "a fact in the place of which nothing is": lambda db, _: db.conn.execute("UPDATE facts SET superseded_by = 'no'"),
    "is half made": lambda _, folder: (folder / ".profile.json.x.tmp").write_bytes(b""),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_does_not_fit_is_found(what: str, tmp_path: Path) -> None:
    db = open_database(tmp_path / "a.db")
    profile = KeptProfile(db, FrozenClock(NOW), tmp_path / "profile", StandIn(), Calm())
    profile.remember("I like figs", "op:1", language="en")
    asyncio.run(profile.settle())
    assert faults(db, profile, tmp_path / "profile", [tmp_path]) == []
    TAMPERINGS[what](db, tmp_path)
    assert any(what in one for one in faults(db, profile, tmp_path / "profile", [tmp_path]))


def test_what_was_cut_off_is_there_wholly_or_not_at_all() -> None:
    found = Torment()
    _settle(Deed(there=("figs", "dates")), {"figs": ["there"], "dates": ["there"]}, found)
    _settle(Deed(there=("mint",), past=("tea",)), {"tea": ["there"]}, found)
    assert found.expected == {"figs": "there", "dates": "there", "mint": "gone", "tea": "there"}
    assert not found.inconsistent
    _settle(Deed(there=("kale", "leek")), {"kale": ["there"]}, found)
    assert len(found.inconsistent) == 1


def test_what_was_confirmed_and_is_not_there_is_lost_and_twice_is_doubled() -> None:
    found = Torment()
    _settle(Deed(there=("figs",), acked=True), {}, found)
    _compare("figs", found.expected["figs"], [], found)
    _compare("dates", "there", ["there", "past"], found)
    _compare("kale", "gone", [], found)
    assert (len(found.lost), len(found.doubled)) == (1, 1)
