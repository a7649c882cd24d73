"""The parts of the profile beside each other: what pauses one pauses all, what one forgets all forget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assistant.clock import FrozenClock
from assistant.engine.scripted import ScriptedModel
from assistant.knowledge import Deed
from assistant.memory.keeper import KeptProfile
from assistant.models import Turn
from assistant.skillkit.context import Calm
from assistant.store import open_database
from tests.support.profiles import NoEmbedder

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNREAD = "my desk by the river is where I am so into chess"


class Record:
    """A record of deeds."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def do(self, at: datetime, **args: str) -> None:
        name = f"op-{len(self.deeds)}"
        self.deeds.append(Deed(what="meant", operation=name, at=at, tool="notes.add", args=args))
        self.deeds.append(Deed(what="done", operation=name, at=at))

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        return self.deeds[number : number + limit], min(number + limit, len(self.deeds))


def made(folder: Path, **more: Any) -> tuple[KeptProfile, FrozenClock]:
    clock = FrozenClock(START)
    return KeptProfile(open_database(":memory:"), clock, folder, NoEmbedder(), Calm(), **more), clock


def column(profile: KeptProfile, query: str) -> list[str]:
    return sorted(str(row[0]) for row in profile._db.conn.execute(query))


def test_in_a_pause_the_model_reads_nothing_and_afterwards_what_was_said_before(tmp_path: Path) -> None:
    profile, _ = made(tmp_path, model=ScriptedModel(lambda _: "likes(me) = chess"))
    profile.heard(Turn(id="1", text=UNREAD, session="s"), "en")
    profile.hands.pause()
    profile.remember("my uncle by the lake is who I am so fond of", "op:1", language="en")
    asyncio.run(profile.settle())
    assert [one.predicate for one in profile.facts()] == ["said"]
    profile.hands.resume()
    asyncio.run(profile.settle())
    assert {one.value for one in profile.facts() if one.predicate == "likes"} == {"chess"}
    assert column(profile, "SELECT evidence FROM evidence_unread") == []


def test_what_is_done_in_a_pause_is_no_habit_whenever_the_record_is_read(tmp_path: Path) -> None:
    record = Record()
    profile, clock = made(tmp_path, deeds=record)
    profile.hands.pause(START + timedelta(days=10))
    for day in range(20):
        record.do(START + timedelta(days=day, hours=1), list="before" if day < 10 else "after", text=f"note {day}")
    clock.at = START + timedelta(days=30)
    assert profile.hands.paused() is None
    profile.hands.pause()
    assert {one.value for one in profile.habits.listed()} == {"after"}


def test_a_barred_topic_is_no_habit(tmp_path: Path) -> None:
    record = Record()
    profile, _ = made(tmp_path, deeds=record)
    for day in range(6):
        record.do(START + timedelta(days=day), list="zanzibar", text=f"note {day}")
    assert profile.habits.listed()
    profile.hands.bar("Zanzibar")
    assert not profile.habits.listed()


def test_a_pause_after_one_that_is_over_begins_anew(tmp_path: Path) -> None:
    profile, clock = made(tmp_path)
    profile.hands.pause(START + timedelta(hours=1))
    clock.at = START + timedelta(days=2)
    assert profile.hands.pause().since == clock.at
    assert profile.hands.resume()
    assert not profile.hands.resume()


def test_what_nights_know_of_a_name_goes_with_the_last_that_is_known_of_them(tmp_path: Path) -> None:
    profile, _ = made(tmp_path)
    for number, said in enumerate(("my sister is called Klara", "my sister lives in Kiel", "Klara lives in Kiel")):
        profile.take_in(said, f"turn:{number}", language="en", at=START)
    profile._db.conn.execute("INSERT INTO subject_names VALUES ('klara', 'sister', 'night:1')")
    known = profile.facts()
    profile._db.conn.execute("INSERT INTO kept_apart VALUES (?, 'x')", (known[0].id,))
    asyncio.run(profile.forget([one.id for one in known]))
    assert column(profile, "SELECT name FROM subject_names") == []
    assert column(profile, "SELECT one FROM kept_apart") == []


def test_letters_beyond_ascii_are_found_in_either_case(tmp_path: Path) -> None:
    record = Record()
    profile, _ = made(tmp_path, deeds=record)
    profile.take_in("I live in Zürich", "turn:1", language="en", at=START)
    profile.take_in("IS ZÜRICH FAR?", "turn:2", language="en", at=START)
    profile.take_in("is Basel far?", "turn:3", language="en", at=START)
    record.do(START, list="ZÜRICH", text="x")
    profile.habits.catch_up()
    asyncio.run(profile.forget([profile.facts()[0].id]))
    assert column(profile, "SELECT text FROM evidence") == ["is Basel far?"]
    assert column(profile, "SELECT value FROM habit_uses") == []


def test_a_mark_alone_forgets_no_names(tmp_path: Path) -> None:
    profile, _ = made(tmp_path)
    profile.take_in("my sister lives in Kiel", "turn:1", language="en", at=START)
    profile._db.conn.execute("INSERT INTO subject_names VALUES ('klara', 'sister', 'night:1')")
    profile.take_in("I like ？？", "turn:2", language="en", at=START)
    asyncio.run(profile.forget([one.id for one in profile.facts() if not one.subject]))
    assert column(profile, "SELECT name FROM subject_names") == ["klara"]


def test_an_import_is_not_read_again_and_a_correction_is_not_read(tmp_path: Path) -> None:
    profile, _ = made(tmp_path / "a")
    profile.take_in("I like tea", "turn:1", language="en", at=START)
    profile.edit(profile.facts()[0].id, "coffee", language="en")
    other, _ = made(tmp_path / "b")
    other.hands.take_text(profile.hands.text("json", "en"))
    assert len(column(profile, "SELECT evidence FROM evidence_unread")) == 1
    assert len(column(other, "SELECT evidence FROM evidence_unread")) == 1
    profile._db.conn.execute("DELETE FROM evidence_unread")
    third, _ = made(tmp_path / "c")
    third.hands.take_text(profile.hands.text("json", "en"))
    assert column(third, "SELECT evidence FROM evidence_unread") == []


def test_a_secret_is_neither_edited_in_nor_imported(tmp_path: Path) -> None:
    profile, _ = made(tmp_path / "a")
    profile.take_in("I like tea", "turn:1", language="en", at=START)
    text = profile.hands.text("markdown", "en").replace("tea", "my password is hunter2")
    other, _ = made(tmp_path / "b")
    assert other.hands.take_text(text).left_out == 1
    assert not other.facts()


def test_markdown_of_what_is_known_confirms_nothing(tmp_path: Path) -> None:
    profile, clock = made(tmp_path)
    profile.take_in("I like tea", "turn:1", language="en", at=START)
    clock.at = START + timedelta(days=3)
    before = profile.facts()
    assert not any(profile.hands.take_text(profile.hands.text("markdown", "en")).model_dump().values())
    assert profile.facts() == before
