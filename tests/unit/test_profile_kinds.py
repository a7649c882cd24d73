"""The profile's data files: every kind has its words in both languages, and every rule names a predicate."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from ruamel.yaml import YAML

from assistant.knowledge import Fact
from assistant.memory.kinds import kinds
from assistant.resources import bundled

PREDICATES = kinds().predicates
NOW = datetime(2026, 11, 23, tzinfo=UTC)
PARTS = {"subject", "topic", "value"}
FORBIDDEN = re.compile(r"[一-鿿]")


def data(name: str) -> Any:
    return YAML(typ="safe").load((bundled("profile") / name).read_text(encoding="utf-8"))


def fields(form: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(form) if name is not None}


def fact(predicate: str, **more: str) -> Fact:
    given: dict[str, Any] = {"subject": "", "topic": "t0pic", "value": "v4lue", **more}
    return Fact(
        id="f", kind=PREDICATES[predicate].kind, predicate=predicate, text="x", language="en", confidence=0.9,
        origin="said", observed_at=NOW, valid_from=NOW, recorded_at=NOW, last_confirmed_at=NOW, **given,
    )  # fmt: skip


@pytest.mark.parametrize("name", PREDICATES)
def test_each_predicate_tells_its_value_in_both_languages(name: str) -> None:
    for forms in filter(None, (PREDICATES[name].told, PREDICATES[name].told_of_others)):
        assert set(forms) == {"en", "zh"}
        assert fields(forms["en"]) == fields(forms["zh"])
        assert "value" in fields(forms["en"]) <= PARTS
        assert FORBIDDEN.search(forms["zh"] + "您")
        assert not FORBIDDEN.search(forms["en"])
    assert "subject" not in fields(PREDICATES[name].told["en"])
    if PREDICATES[name].told_of_others:
        assert "subject" in fields(PREDICATES[name].told_of_others["en"])


@pytest.mark.parametrize("name", PREDICATES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_told_of_somebody_else_never_reads_as_if_it_were_the_user(name: str, language: str) -> None:
    mine = kinds().sentence(fact(name), language)
    theirs = kinds().sentence(fact(name, subject="Anna"), language)
    assert "v4lue" in mine.casefold()
    assert "v4lue" in theirs.casefold()
    if name in OF_OTHERS:
        assert "Anna" in theirs
        assert mine != theirs


@pytest.mark.parametrize("name", PREDICATES)
def test_each_predicate_is_of_a_kind_with_headings_and_behaves_as_the_file_says(name: str) -> None:
    one = PREDICATES[name]
    assert set(kinds().titles[one.kind]) == {"en", "zh"}
    assert isinstance(one.review, int)
    assert one.review >= 0
    assert isinstance(one.private, bool)
    assert isinstance(one.guides, bool)
    assert one.against <= PREDICATES.keys() - {name}


def test_a_key_that_the_file_should_not_have_is_an_error() -> None:
    allowed = {"one", "against", "asked", "review", "private", "covers", "guides", "en", "zh", "other"}
    tree = data("kinds.yaml")["kinds"]
    assert {key for kind in tree.values() for one in kind["predicates"].values() for key in one} <= allowed
    assert all(kind.keys() == {"title", "predicates"} for kind in tree.values())


def test_health_papers_and_accounts_never_leave_the_device() -> None:
    assert all(one.private for one in PREDICATES.values() if one.kind in ("health", "documents", "accounts"))


PATTERNS = [(language, entry) for language, rules in data("statements.yaml").items() for entry in rules["patterns"]]
OF_OTHERS = {
    entry[name] for _, entry in PATTERNS for name in ("is", "also") if "<who>" in entry["re"] and name in entry
}
"""Predicates that a rule may state of somebody else."""


@pytest.mark.parametrize(
    ("language", "entry"), PATTERNS, ids=[f"{lang}-{one['is']}-{n}" for n, (lang, one) in enumerate(PATTERNS)]
)
def test_each_rule_states_a_predicate_and_gives_it_a_value(language: str, entry: dict[str, Any]) -> None:
    assert entry.keys() <= {"is", "re", "topic", "ends", "only", "cased", "also", "whole"}
    assert {entry["is"], entry.get("also", entry["is"])} <= PREDICATES.keys()
    assert ("also" in entry) == ("(?P<also>" in entry["re"])
    gives = "<v>" in entry["re"] or "(?P<value" in entry["re"]
    assert gives or entry.get("ends")
    if "topic" in fields(PREDICATES[entry["is"]].told["en"]):
        assert "?P<topic>" in entry["re"] or "topic" in entry or entry["is"] == "size"
    parts = data("statements.yaml")[language]["parts"]
    assert set(re.findall(r"(?<!\?P)<([a-z]+)>", entry["re"])) <= parts.keys()


def test_what_a_rule_states_of_somebody_else_has_a_sentence_for_it() -> None:
    assert not [name for name in OF_OTHERS if not PREDICATES[name].told_of_others]


def test_both_languages_have_the_same_guards() -> None:
    guards = {language: set(rules["guards"]) for language, rules in data("statements.yaml").items()}
    assert guards["en"] == guards["zh"]


def test_the_folder_holds_no_python() -> None:
    assert not list(bundled("profile").rglob("*.py"))
