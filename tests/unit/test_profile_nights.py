"""Nights: what says the same is put together, once, and the whole of it can be taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.clock import FrozenClock
from assistant.knowledge import Statement
from assistant.memory import nightly
from assistant.memory.consolidating import Night, Nights
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.kinds import kinds
from assistant.memory.likeness import kind_of, near
from assistant.memory.nightly import night_of
from assistant.models import Person
from assistant.skillkit.context import Calm
from assistant.store import Database, open_database, transaction

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
TABLES = ("facts", "fact_evidence", "profile_changes", "subject_names")


class Book:
    """Facts that are stated one after the other, and the nights over them."""

    def __init__(self, people: Sequence[Person] = ()) -> None:
        self.db: Database = open_database(":memory:")
        self.evidence = EvidenceBook(self.db)
        self.facts = FactBook(self.db, kinds())
        self.nights = Nights(self.db, self.facts, kinds(), FrozenClock(START), Calm(), lambda: people)
        self.count = 0

    def say(self, predicate: str, value: str, subject: str = "", topic: str = "", *, ends: bool = False) -> str:
        """State it; the batch it was stated in."""
        self.count += 1
        at = START + timedelta(days=self.count)
        source = f"turn:{self.count}"
        said = Statement(
            predicate=predicate,
            value=value,
            subject=subject,
            topic=topic,
            text=f"{subject} {predicate} {topic} {value}",
            language="en",
            ends=ends,
        )
        with transaction(self.db):
            number = self.evidence.append(said.text, source=source, origin="said", language="en", at=at)
            assert number is not None
            self.facts.state(said, evidence=number, origin="said", at=at, now=at, batch=source)
        return source

    def night(self) -> Night:
        return asyncio.run(self.nights.consolidate())

    def undo(self, batch: str) -> None:
        with transaction(self.db):
            if batch.startswith("night:"):
                self.nights.take_back(batch)
            else:
                self.facts.take_back(batch)

    def known(self) -> list[tuple[str, str]]:
        return [(fact.subject, fact.value) for fact in self.facts.current()]

    def pin(self, value: str) -> None:
        fact = next(one for one in self.facts.current() if one.value == value)
        with transaction(self.db):
            self.facts.pin(fact.id, True, "pin:1", START)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return {name: sorted(map(tuple, self.db.conn.execute(f"SELECT * FROM {name}"))) for name in TABLES}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cats", "a cat"),
        ("the Cat", "cat"),
        ("strawberries", "strawberry"),
        ("green boxes", "green box"),
        ("一只猫", "猫"),
        ("花生", "花生了"),
        ("貓", "猫"),
        ("ＡＢＣ １２", "abc 12"),
        ("all kinds of cheese", "cheese"),
        ("很辣的菜", "辣的菜"),
    ],
)
def test_values_that_differ_in_form_alone_are_near(one: str, other: str) -> None:
    assert near(one) == near(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C"),
        ("C#", "C++"),
        ("size 38", "size 39"),
        ("1.5", "15"),
        ("-5", "5"),
        ("Reeves", "Reeve"),
        ("not cheese", "cheese"),
        ("不吃肉", "吃肉"),
        ("Paris", "Pari"),
        ("glass", "glas"),
        ("my sister", "my brother"),
        ("一家人", "人"),
    ],
)
def test_values_that_may_mean_two_things_are_not(one: str, other: str) -> None:
    assert near(one) != near(other)


def test_what_stands_before_or_after_the_head_makes_a_kind_of_it() -> None:
    assert kind_of("roasted peanuts", "peanuts")
    assert kind_of("meat from factories", "meat")
    assert kind_of("红烧牛肉", "牛肉")
    assert not kind_of("peanuts", "roasted peanuts")
    assert not kind_of("peanut butter", "peanut")
    assert not kind_of("gluten-free bread", "bread")
    assert not kind_of("无糖可乐", "可乐")
    assert not kind_of("nuts", "nuts")


def test_near_duplicates_are_folded_and_count_together() -> None:
    book = Book()
    book.say("likes", "cats")
    book.say("likes", "the cat")
    book.say("likes", "dogs")
    assert book.night().folded == 1
    assert book.known() == [("", "cats"), ("", "dogs")]
    [cats, _] = book.facts.current()
    assert cats.evidences == 2
    assert cats.confidence > 0.9
    assert cats.last_confirmed_at == START + timedelta(days=2)
    assert [fact.folded for fact in book.facts.current(history=True)] == [False, True, False]
    assert book.facts.current(as_of=START + timedelta(days=9))[0].value == "cats"


def test_what_was_folded_confirms_and_ends_what_it_was_folded_into() -> None:
    book = Book()
    book.say("likes", "cats")
    book.say("likes", "cat")
    book.night()
    book.say("likes", "cat")
    assert [fact.evidences for fact in book.facts.current()] == [3]
    book.say("likes", "cat", ends=True)
    assert book.known() == []


def test_a_narrower_value_goes_where_the_wider_one_says_it_too_and_nowhere_else() -> None:
    book = Book()
    for predicate in ("allergy", "likes"):
        book.say(predicate, "brazil nuts")
        book.say(predicate, "nuts")
    assert book.night().folded == 1
    assert book.known() == [("", "nuts"), ("", "brazil nuts"), ("", "nuts")]
    assert book.facts.current()[0].evidences == 1


def test_a_sister_who_has_a_name_is_one_person_with_her_name() -> None:
    book = Book()
    book.say("home", "Bonn", subject="sister")
    book.say("likes", "tea", subject="姐姐")
    book.say("allergy", "nuts", subject="Klara")
    book.say("relation", "Klara", topic="sister")
    assert book.night().joined == 2
    assert book.known() == [("Klara", "Bonn"), ("Klara", "tea"), ("Klara", "nuts"), ("", "Klara")]
    book.say("home", "Rome", subject="sister")
    assert ("Klara", "Rome") in book.known()
    assert ("Klara", "Bonn") not in book.known()


@pytest.mark.parametrize(
    "more",
    [
        ("relation", "Mia", "", "sister"),
        ("home", "Rome", "Klara", ""),
        ("likes", "tea", "妹妹", ""),
    ],
)
def test_two_sisters_and_two_homes_are_never_joined(more: tuple[str, str, str, str]) -> None:
    book = Book()
    book.say("home", "Bonn", subject="sister")
    book.say("likes", "tea", subject="姐姐")
    if more[0] == "relation":
        book.say(*more)
    book.say("relation", "Klara", topic="sister")
    book.say(*more)
    book.night()
    assert ("sister", "Bonn") in book.known()


def test_a_friend_who_has_a_name_is_not_every_friend() -> None:
    book = Book()
    book.say("likes", "tea", subject="friend")
    book.say("relation", "Bob", topic="friend")
    assert book.night().joined == 0


def test_a_first_name_is_the_one_contact_who_has_it() -> None:
    klara = Person(name="Klara Meyer", aliases=("my sister",))
    book = Book([klara, Person(name="Bob One"), Person(name="Bob Two")])
    for name in ("Klara", "sister", "Bob"):
        book.say("likes", "tea", subject=name)
    book.night()
    assert sorted(book.known()) == [("Bob", "tea"), ("Klara Meyer", "tea")]


def test_pinned_facts_stay_as_they_are() -> None:
    book = Book()
    book.say("likes", "cats")
    book.say("likes", "the cat")
    book.say("home", "Bonn", subject="sister")
    book.say("relation", "Klara", topic="sister")
    for value in ("the cat", "Bonn"):
        book.pin(value)
    book.night()
    assert ("", "the cat") in book.known()
    assert ("", "cats") not in book.known()
    assert ("sister", "Bonn") in book.known()


def test_a_night_that_would_fold_much_of_what_is_known_does_nothing() -> None:
    book = Book()
    for thing in ("lamp", "chair", "stove", "window"):
        book.say("likes", thing)
        book.say("likes", f"{thing}s")
    before = book.rows()
    assert book.night() == Night(refused=4)
    assert book.rows() == before


def test_what_was_taken_apart_is_not_put_together_again() -> None:
    book = Book()
    book.say("likes", "cats")
    book.say("likes", "cat")
    book.say("likes", "tea", subject="sister")
    book.say("relation", "Klara", topic="sister")
    done = book.night()
    assert (done.folded, done.joined) == (1, 1)
    book.undo(done.batch)
    assert book.night() == Night()


def test_taking_back_what_another_was_folded_into_leaves_the_other() -> None:
    book = Book()
    first = book.say("likes", "cats")
    second = book.say("likes", "cat")
    done = book.night()
    book.undo(first)
    assert book.known() == [("", "cat")]
    book.undo(done.batch)
    assert book.known() == [("", "cat")]
    book.undo(second)
    assert book.known() == []


def test_what_changed_since_a_night_is_left_as_it_is() -> None:
    book = Book()
    book.say("favourite", "tea", topic="drink", subject="sister")
    book.say("likes", "cats")
    book.say("likes", "cat")
    done = book.night()
    book.say("likes", "cats", ends=True)
    book.undo(done.batch)
    assert ("", "cat") not in book.known()


def test_a_night_begins_at_three() -> None:
    assert night_of(datetime(2026, 3, 2, 2, 59, tzinfo=UTC)) == "2026-03-01"
    assert night_of(datetime(2026, 3, 2, 3, 0, tzinfo=UTC)) == "2026-03-02"


async def test_there_is_one_night_a_day_and_none_while_somebody_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "_FIRST_S", 0.0)
    monkeypatch.setattr(nightly, "_EVERY_S", 0.0)
    book, calm = Book(), asyncio.Event()

    class Busy(Calm):
        async def wait(self) -> None:
            await calm.wait()

    book.nights.quiet = Busy()
    book.say("likes", "cats")
    book.say("likes", "cat")
    work = asyncio.create_task(nightly.keep_nightly(book.db, book.nights))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(book.known()) == 2
    calm.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert book.known() == [("", "cats")]
    book.say("likes", "dogs")
    book.say("likes", "dog")
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(book.known()) == 3
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


WORDS = st.sampled_from(["cat", "cats", "the cat", "a black cat", "nuts", "brazil nuts", "nut", "猫", "一只猫", "黑猫"])
SAID = st.tuples(
    st.sampled_from(["likes", "allergy", "avoids", "speaks", "home"]),
    WORDS,
    st.sampled_from(["", "sister", "姐姐", "Klara", "brother", "Klara Meyer"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAID, max_size=14), st.lists(st.sampled_from(["sister", "brother"]), max_size=2), st.integers(0, 3))
def test_a_night_is_done_once_and_taken_back_to_the_row(
    said: list[tuple[str, str, str]], related: list[str], pins: int
) -> None:
    book = Book([Person(name="Klara Meyer")])
    for predicate, value, subject in said:
        book.say(predicate, value, subject)
    for topic in related:
        book.say("relation", "Klara", topic=topic)
    for _, value in book.known()[:pins]:
        book.pin(value)
    before = book.rows()
    pinned = [fact for fact in book.facts.current() if fact.pinned]
    done = book.night()
    after = book.rows()
    assert {fact.id: fact.value for fact in book.facts.current()}.items() >= {
        fact.id: fact.value for fact in pinned
    }.items()
    assert book.night().batch == ""
    assert book.rows() == after
    if done.batch:
        book.undo(done.batch)
    assert book.rows() == before
