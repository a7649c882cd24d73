"""Which time zone a place is in: names in both languages, and the zones' own cities. Knows no time."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ruamel.yaml import YAML

from assistant.skillkit import Language


@dataclass(frozen=True)
class Several:
    """A country with more than one time: cities to choose from."""

    cities: tuple[str, ...]


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = YAML(typ="safe").load((Path(__file__).parent / "places.yaml").read_text(encoding="utf-8"))
    return table


@cache
def _names() -> dict[str, str]:
    names: dict[str, str] = {}
    for zone in sorted(available_timezones()):
        if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/", "US/", "SystemV/")):
            names.setdefault(plain(zone.rsplit("/", 1)[-1]), zone)
    for zone, words in _table()["zones"].items():
        names |= {plain(word): zone for word in (*words, zone.rsplit("/", 1)[-1], zone)}
    return names


def plain(place: str) -> str:
    """`" New_York "` → `"new york"`, `"Zürich"` → `"zurich"`, 北京市 → 北京."""
    text = unicodedata.normalize("NFKD", place.casefold()).replace("_", " ")
    text = unicodedata.normalize("NFC", "".join(letter for letter in text if not unicodedata.combining(letter)))
    text = re.sub(r"^(?:the city of|city of|in)\s|[\s.,!?。，！？]+$", "", " ".join(text.split()))
    return re.sub(r"(?<=[\u3400-\u9fff]{2})(?:市|城市)$", "", text)


def find_zone(place: str, language: Language) -> ZoneInfo | Several | None:
    """The zone of a city, a country or an IANA name; cities to choose from; None for an unknown place."""
    known = {zone.casefold(): zone for zone in available_timezones()}
    exact = known.get(place.strip().casefold().replace(" ", "_"))
    if exact:
        return ZoneInfo(exact)
    name = plain(place)
    for country in _table()["several"]:
        if name in map(plain, country["names"]):
            return Several(tuple(country[language]))
    # "Berlin, Germany" is found by its city.
    for part in (name, name.split(",")[0].strip()):
        if part in _names():
            return ZoneInfo(_names()[part])
    return None
