"""Facts over time: what a statement does to what is known, and that it can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.knowledge import Fact, Statement
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook, plain
from assistant.memory.kinds import kinds
from assistant.store import Database, open_database, transaction

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


class Book:
    """A book of facts to which things are said on days of a year."""

    def __init__(self) -> None:
        self.db: Database = open_database(":memory:")
        self.evidence = EvidenceBook(self.db)
        self.facts = FactBook(self.db, kinds())
        self.now = START

    def say(self, day: int, predicate: str, value: str, *, batch: str = "", ends: bool = False, **more: str) -> str:
        """State it as said on a day; what was done with it."""
        self.now += timedelta(seconds=1)
        at = START + timedelta(days=day)
        said = Statement(
            predicate=predicate, value=value, text=f"{predicate} {value}", language="en", ends=ends, **more
        )
        source = batch or f"turn:{self.now.isoformat()}"
        with transaction(self.db):
            number = self.evidence.append(said.text, source=source, origin="said", language="en", at=at)
            number = number or self.evidence.numbered(source)
            assert number is not None
            done = self.facts.state(said, evidence=number, origin="said", at=at, now=self.now, batch=source)
        return done[1] if done else ""

    def take_back(self, batch: str) -> list[str]:
        """Take a batch back; the values that went."""
        with transaction(self.db):
            return [fact.value for fact in self.facts.take_back(batch)]

    def newest(self) -> str:
        return self.facts.changes(1)[0].batch

    def known(self, day: int | None = None, *, history: bool = False) -> list[str]:
        at = None if day is None else START + timedelta(days=day)
        return [fact.value for fact in self.facts.current(as_of=at, history=history)]


@pytest.fixture
def book() -> Book:
    return Book()


def test_a_new_home_takes_the_place_of_the_old_one_which_stays_in_history(book: Book) -> None:
    assert book.say(0, "home", "Hamburg") == "added"
    assert book.say(10, "home", "Berlin") == "superseded"
    assert book.known() == ["Berlin"]
    old, new = book.facts.current(history=True)
    assert (old.value, old.superseded_by, old.valid_to) == ("Hamburg", new.id, START + timedelta(days=10))
    assert new.valid_to is None


def test_two_subjects_and_two_topics_each_have_a_value_of_their_own(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    book.say(1, "home", "Paris", subject="sister")
    book.say(2, "favourite", "green", topic="colour")
    book.say(3, "favourite", "tea", topic="drink")
    assert book.known() == ["Hamburg", "Paris", "green", "tea"]


def test_what_may_have_many_values_keeps_them_all(book: Book) -> None:
    assert [book.say(day, "speaks", tongue) for day, tongue in enumerate(("French", "Chinese"))] == ["added", "added"]
    assert book.known() == ["French", "Chinese"]


def test_what_is_told_late_held_until_what_is_known_already(book: Book) -> None:
    book.say(10, "home", "Berlin")
    assert book.say(3, "home", "Hamburg") == "added"
    assert book.known() == ["Berlin"]
    assert book.known(5) == ["Hamburg"]
    assert book.known(11) == ["Berlin"]
    late = book.facts.current(history=True)[1]
    assert (late.valid_from, late.valid_to) == (START + timedelta(days=3), START + timedelta(days=10))


def test_what_is_told_late_between_two_that_are_known_never_ends_before_it_began(book: Book) -> None:
    book.say(1, "home", "Berlin")
    book.say(9, "home", "berlin.")
    book.say(5, "home", "Hamburg")
    assert book.known() == ["Berlin"]
    assert all(one.valid_to is None or one.valid_to >= one.valid_from for one in book.facts.current(history=True))


def test_saying_it_again_confirms_it_and_makes_it_surer(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    first = book.facts.current()[0]
    assert book.say(4, "home", " hamburg. ") == "confirmed"
    [fact] = book.facts.current()
    assert (fact.id, fact.evidences) == (first.id, 2)
    assert first.confidence < fact.confidence < 1
    assert (fact.valid_from, fact.last_confirmed_at) == (START, START + timedelta(days=4))
    assert book.say(2, "home", "Hamburg") == "confirmed"
    assert book.facts.current()[0].last_confirmed_at == START + timedelta(days=4)


def test_hearing_that_it_was_so_earlier_moves_its_beginning(book: Book) -> None:
    book.say(5, "home", "Hamburg")
    book.say(2, "home", "Hamburg")
    assert book.known(3) == ["Hamburg"]


def test_what_ends_holds_no_more_but_did(book: Book) -> None:
    book.say(0, "employer", "Siemens")
    assert book.say(5, "employer", "siemens", ends=True) == "ended"
    assert book.known() == []
    assert book.known(4) == ["Siemens"]
    assert book.say(6, "employer", "Bosch", ends=True) == ""
    assert book.say(7, "employer", "Siemens") == "added"
    assert book.known() == ["Siemens"]


def test_an_ending_that_names_nothing_ends_whichever_holds_of_that_subject_alone(book: Book) -> None:
    book.say(0, "employer", "Siemens")
    book.say(0, "employer", "Bosch", subject="Anna")
    assert book.say(5, "employer", "", ends=True) == "ended"
    assert book.known() == ["Bosch"]


@pytest.mark.parametrize(
    ("first", "then"),
    [("likes", "dislikes"), ("dislikes", "likes"), ("avoids", "likes"), ("prefers", "avoids"), ("likes", "avoids")],
)
def test_what_speaks_against_it_takes_its_place_for_the_same_thing_alone(book: Book, first: str, then: str) -> None:
    book.say(0, first, "coffee")
    book.say(0, first, "tea")
    assert book.say(1, then, "the coffee") == "superseded"
    assert [(one.predicate, plain(one.value)) for one in book.facts.current()] == [(first, "tea"), (then, "coffee")]


def test_as_of_a_moment_is_what_held_then_both_ends_included_once(book: Book) -> None:
    for day, town in ((0, "Hamburg"), (10, "Berlin"), (20, "Rome")):
        book.say(day, "home", town)
    held = {day: book.known(day) for day in (-1, 0, 9, 10, 19, 20, 30)}
    assert held == {-1: [], 0: ["Hamburg"], 9: ["Hamburg"], 10: ["Berlin"], 19: ["Berlin"], 20: ["Rome"], 30: ["Rome"]}
    assert book.known(history=True) == ["Hamburg", "Berlin", "Rome"]


def test_the_history_tells_each_change_the_newest_first(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    book.say(1, "home", "Hamburg")
    book.say(2, "home", "Berlin")
    with transaction(book.db):
        book.facts.pin(book.facts.current()[0].id, True, "pin:1", book.now)
    assert [one.what for one in book.facts.changes(9)] == ["pinned", "added", "superseded", "confirmed", "added"]
    assert book.facts.current()[0].pinned
    book.take_back("pin:1")
    assert not book.facts.current()[0].pinned


def test_several_statements_of_one_breath_go_together(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    for predicate, value in (("home", "Berlin"), ("home", "Rome"), ("speaks", "Italian"), ("speaks", "italian")):
        book.say(1, predicate, value, batch="turn:b")
    assert book.known() == ["Rome", "Italian"]
    assert sorted(book.take_back("turn:b")) == ["Berlin", "Italian", "Rome"]
    assert book.known() == ["Hamburg"]


def test_taking_back_what_was_replaced_meanwhile_does_not_bring_back_what_it_had_replaced(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    book.say(1, "home", "Berlin", batch="turn:b")
    book.say(2, "home", "Rome")
    book.take_back("turn:b")
    assert book.known() == ["Rome"]
    assert book.known(1) == ["Hamburg"]
    book.take_back(book.newest())
    assert book.known() == ["Hamburg"]


def test_an_ending_that_is_told_late_does_not_end_what_was_said_since(book: Book) -> None:
    book.say(5, "employer", "Siemens")
    assert book.say(3, "employer", "Siemens", ends=True) == ""
    assert book.known() == ["Siemens"]


def test_a_batch_that_is_not_there_takes_nothing_back(book: Book) -> None:
    book.say(0, "home", "Hamburg")
    assert book.take_back("turn:nobody") == []
    assert book.known() == ["Hamburg"]


PREDICATES = ("home", "likes", "dislikes", "avoids", "prefers", "favourite", "employer", "speaks")
STATEMENTS = st.tuples(
    st.integers(0, 30),
    st.sampled_from(PREDICATES),
    st.sampled_from(("tea", "Tea.", "coffee", "Rome", "罗马")),
    st.booleans(),
    st.sampled_from(("", "Anna")),
)


def shown(facts: list[Fact]) -> list[tuple[object, ...]]:
    return sorted(tuple(fact.model_dump().items()) for fact in facts)


@given(st.lists(st.lists(STATEMENTS, min_size=1, max_size=3), min_size=1, max_size=7))
def test_taking_back_batch_after_batch_restores_each_state_exactly(
    turns: list[list[tuple[int, str, str, bool, str]]],
) -> None:
    book, states = Book(), []
    for number, turn in enumerate(turns):
        states.append(shown(book.facts.current(history=True)))
        for day, predicate, value, ends, subject in turn:
            book.say(day, predicate, value, batch=f"turn:{number}", ends=ends, subject=subject)
    for number in reversed(range(len(turns))):
        book.take_back(f"turn:{number}")
        assert shown(book.facts.current(history=True)) == states[number]
    assert book.facts.changes(99) == []


@given(st.lists(STATEMENTS, max_size=12))
def test_at_no_time_does_a_subject_live_in_two_places_or_time_run_backwards(
    said: list[tuple[int, str, str, bool, str]],
) -> None:
    book = Book()
    for day, predicate, value, ends, subject in said:
        book.say(day, predicate, value, ends=ends, subject=subject)
    current = [(one.subject, one.predicate) for one in book.facts.current() if kinds().predicates[one.predicate].one]
    assert len(current) == len(set(current))
    for fact in book.facts.current(history=True):
        assert fact.valid_to is None or fact.valid_from <= fact.valid_to
