"""Names: a table of whom spoken names mean, and properties that hold for any text."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.conversation.people import known, plain
from assistant.models import Person, UserContext
from assistant.values import match_names

_TABLE = YAML(typ="safe").load((Path(__file__).parent / "names.yaml").read_text(encoding="utf-8"))
PEOPLE: dict[str, list[str]] = _TABLE["people"]
KEYS, NAMES = list(PEOPLE), list(PEOPLE.values())


@pytest.mark.parametrize(("said", "meant"), [*_TABLE["english"].items(), *_TABLE["chinese"].items()])
def test_a_spoken_name_means_the_people_it_may_mean(said: str, meant: str) -> None:
    assert ("; ".join(KEYS[index] for index in match_names(said, NAMES)) or "-") == meant


@pytest.mark.parametrize(
    ("said", "people", "meant"),
    [
        ("Anna", [["Anna Berg"], ["Anna Koch"]], [0, 1]),
        ("Anna", [["Anna Berg"], ["Anna"]], [1]),
        ("王伟", [["王伟"], ["汪伟"]], [0]),
        ("汪卫", [["王伟"], ["汪伟"]], [0, 1]),
        ("Li Na", [["李娜"], ["李那"], ["Lina Meyer"]], [0, 1]),
        ("欧阳小红", [["Xiaohong Ouyang"]], [0]),
        ("Ann", [["Anna"], ["Hanna"]], [0]),
        ("Zeng Li", [["曾丽"]], [0]),
    ],
)
def test_the_surest_kind_of_match_wins_and_equals_are_all_returned(
    said: str, people: list[list[str]], meant: list[int]
) -> None:
    assert match_names(said, people) == meant


@given(st.text(max_size=80), st.lists(st.lists(st.text(max_size=20), max_size=3), max_size=4))
@settings(max_examples=150, deadline=None)
def test_no_names_at_all_make_it_stumble(said: str, people: list[list[str]]) -> None:
    found = match_names(said, people)
    assert found == sorted(set(found))
    assert all(0 <= index < len(people) for index in found)


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=60, deadline=None)
def test_every_name_and_alias_finds_its_person(names: list[str], data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(names))
    assert NAMES.index(names) in match_names(said, NAMES)


@given(st.integers(0x4E00, 0x9FA5).map(chr), st.integers(0x4E00, 0x9FA5).map(chr))
@settings(max_examples=80, deadline=None)
def test_any_chinese_name_is_found_by_its_pinyin(family: str, given_name: str) -> None:
    from pypinyin import lazy_pinyin

    said = " ".join(lazy_pinyin([family, given_name]))
    assert match_names(said, [[family + given_name]]) == [0] or len(said.replace(" ", "")) < 4 or not said.isascii()


USER = UserContext(
    contacts=(
        Person(name="林岚", aliases=("Lan", "我姐姐", "sister"), email="lan@example.cn"),
        Person(name="Bob Miller", aliases=("Bob",), email="bob@example.com"),
    )
)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("my sister's", ["林岚"]),
        ("我的姐姐", ["林岚"]),
        ("给林兰", ["林岚"]),
        ("to Bop Miller", ["Bob Miller"]),
        ("bob@example.com", ["Bob Miller"]),
        ("BOB@example.com", ["Bob Miller"]),
        ("bop@example.com", []),
        ("Tom", []),
    ],
)
def test_contacts_are_known_behind_possessives_and_by_their_address(said: str, names: list[str]) -> None:
    assert [person.name for person in known(said, USER)] == names


@pytest.mark.parametrize("name", ["Tom", "Theo", "Myra", "Forster", "Tony", "Ourania", "Frommer"])
def test_a_name_that_begins_like_a_preposition_stays_whole(name: str) -> None:
    assert plain(name) == name


def test_english_names_never_load_the_pinyin_tables() -> None:
    import subprocess

    code = (
        "import sys; from assistant.values import match_names\n"
        "assert match_names('Bop', [['Bob'], ['Anna']]) == [0]\n"
        "assert 'pypinyin' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
