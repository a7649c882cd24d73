"""Cities and airports by the names people use, English, Chinese and native, as IATA codes. Knows no routes or stations.

A name is itself or it is nothing: a flight to the wrong city is worse than a question. Hof is a town, HOF an airport.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

_TABLE = Path(__file__).with_name("places.yaml")
_MOST = 8
"""Of a name that more airports share than this (San Jose has fewer) nobody is meant."""
_AIRPORT = re.compile(r"^(?:the )|(?: (?:international )?airport| intl)$|(?:国际)?(?:机场|航站楼)$|(?<=..)市$")


def airports(said: str) -> tuple[str, ...]:
    """The IATA codes of the airports that a city's or an airport's name or code means, the largest first.

    `"London"` → `("LHR", "LGW", …)`, `"柏林"` → `("BER",)`, `"LHR"` → `("LHR",)`; empty where it is no place with an
    airport that we know.
    """
    if len(said) > 80:
        return ()
    for name in dict.fromkeys((_plain(said), _plain(said.split(",", 1)[0]), _plain(said.split("，", 1)[0]))):
        if not name:
            continue
        found = _cities().get(name) or (_code(name) if said.strip().isupper() else ())
        found = found or _rest_of_the_world()[0].get(name, ()) or _code(name)
        if found:
            return found
    return ()


def _code(name: str) -> tuple[str, ...]:
    if not re.fullmatch(r"[a-z]{3}", name):
        return ()
    code = name.upper()
    return _codes().get(code) or ((code,) if code in _rest_of_the_world()[1] else ())


def _plain(name: str) -> str:
    """Lower case, no accents or punctuation, without the word "airport"."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("ß", "ss")
    bare = "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))
    bare = re.sub(r"['’.]", "", unicodedata.normalize("NFC", bare))
    bare = re.sub(r"[\W_]+", " ", bare).strip()
    shorter = _AIRPORT.sub("", bare).strip()
    return _AIRPORT.sub("", shorter).strip() or bare


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, list[str]]]:
    from ruamel.yaml import YAML

    loaded: dict[str, dict[str, list[str]]] = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return loaded


@lru_cache(maxsize=1)
def _cities() -> dict[str, tuple[str, ...]]:
    return {
        _plain(name): tuple(entry.get("airports", [code]))
        for code, entry in _table().items()
        for name in entry["names"]
    }


@lru_cache(maxsize=1)
def _codes() -> dict[str, tuple[str, ...]]:
    """City codes; one that is an airport's too (SHA) means that airport."""
    return {
        code: tuple(entry["airports"]) if code not in entry.get("airports", [code]) else (code,)
        for code, entry in _table().items()
    }


@lru_cache(maxsize=1)
def _rest_of_the_world() -> tuple[dict[str, tuple[str, ...]], frozenset[str]]:
    """Airports of cities that our table has not, by city and by their own name; and every airport's code."""
    import airportsdata

    by_name: dict[str, set[str]] = {}
    known = airportsdata.load("IATA")
    for code, airport in known.items():
        for name in (airport["city"], airport["name"]):
            by_name.setdefault(_plain(name), set()).add(code)
    by_name.pop("", None)
    few = {name: tuple(sorted(codes)) for name, codes in by_name.items() if len(codes) <= _MOST}
    return few, frozenset(known)
