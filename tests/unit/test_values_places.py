"""Places: a table of what cities and airports are called, and what holds for every one of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from assistant.values import places
from assistant.values.places import airports

YAML_FILE = YAML(typ="safe")
TABLE = YAML_FILE.load((Path(__file__).parent / "places.yaml").read_text(encoding="utf-8"))
CITIES = YAML_FILE.load(Path(places.__file__).with_name("places.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("said", "codes"), [*TABLE["english"].items(), *TABLE["chinese"].items()])
def test_a_place_means_its_airports(said: str, codes: str) -> None:
    assert (" ".join(airports(said)) or "-") == codes


def test_every_airport_of_the_table_is_one() -> None:
    import airportsdata

    known = airportsdata.load("IATA")
    unknown = {code for key, city in CITIES.items() for code in city.get("airports", [key]) if code not in known}
    assert not unknown


def test_there_are_150_cities_and_each_has_a_chinese_name_or_is_one_airport() -> None:
    assert len(CITIES) >= 150
    for key, city in CITIES.items():
        assert any(re.search(r"[\u4e00-\u9fff]", name) for name in city["names"]) or len(city["names"]) <= 2, key


def test_no_name_stands_for_two_cities() -> None:
    names = [name for city in CITIES.values() for name in city["names"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("key", list(CITIES))
def test_every_name_in_the_table_is_found_in_any_case(key: str) -> None:
    expected = tuple(CITIES[key].get("airports", [key]))
    for name in CITIES[key]["names"]:
        for said in (
            name,
            name.upper(),
            name.lower(),
            f" {name} ",
            f"{name} Airport" if name.isascii() else f"{name}机场",
        ):
            assert airports(said) == expected, said


@given(st.text(max_size=100))
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_makes_it_stumble(said: str) -> None:
    for code in airports(said):
        assert re.fullmatch("[A-Z0-9]{3}", code)


def test_importing_places_reads_no_table() -> None:
    code = "import sys, assistant.values.places; assert not {'airportsdata', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
