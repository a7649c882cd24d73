"""Checks the licence of everything that `pip install` of this package brings: GPL and AGPL fail, LGPL is fine."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

_TROVE = "License :: "
_REFUSED = re.compile(r"(?<![A-Za-z])A?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
_TEXTS = {
    "GNU AFFERO GENERAL PUBLIC LICENSE": "AGPL",
    "GNU LESSER GENERAL PUBLIC LICENSE": "LGPL",
    "GNU GENERAL PUBLIC LICENSE": "GPL",
    "Redistribution and use in source and binary forms": "BSD",
    "Permission is hereby granted, free of charge": "MIT",
    "Apache License": "Apache-2.0",
    "Mozilla Public License": "MPL-2.0",
}
"""What a licence's own text is known by, the strictest first."""
_LESSER = re.compile(r"LGPL|Lesser General Public|Library or Lesser", re.IGNORECASE)


def main() -> int:
    """Print every distribution with its licence; 1 where one is refused or unknown."""
    own = re.search(r'^name = "(.+)"$', Path("pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert own
    bad = 0
    for name in sorted(run_time(own[1])):
        licence = licence_of(metadata.distribution(name))
        refused = not acceptable(licence)
        bad += refused
        if refused:
            print(f"{name}: {licence or 'no licence is stated'}  <- not acceptable")
    print(f"licences: {bad} of the run-time distributions are not acceptable" if bad else "licences: all acceptable")
    return 1 if bad else 0


def run_time(root: str) -> set[str]:
    """Canonical names of all installed distributions that `root` needs, itself left out."""
    found: set[str] = set()
    waiting = [(root, frozenset[str]())]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for one in _needs(name, extras):
            if one not in seen:
                seen.add(one)
                found.add(one[0])
                waiting.append(one)
    return found


def _needs(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield re.sub(r"[-_.]+", "-", requirement.name).lower(), frozenset(requirement.extras)


def licence_of(distribution: metadata.Distribution) -> str:
    """The licence expression, else the classifiers, else the first line of the free text, else what the file says."""
    fields = distribution.metadata
    if "License-Expression" in fields:
        return fields["License-Expression"]
    classifiers = [text.removeprefix(_TROVE) for text in fields.get_all("Classifier") or () if text.startswith(_TROVE)]
    free = fields["License"].strip().splitlines() if "License" in fields else []
    return "; ".join(classifiers) or (free[0] if free else "") or _of_the_file(distribution)


def _of_the_file(distribution: metadata.Distribution) -> str:
    """The licence whose text lies beside the metadata; empty where none is known by it."""
    for file in distribution.files or ():
        if "dist-info" in str(file) and re.search(r"COPYING|LICEN[CS]E", file.name, re.IGNORECASE):
            text = " ".join(file.read_text(encoding="utf-8").split())
            return next((name for mark, name in _TEXTS.items() if mark in text), "")
    return ""


def acceptable(licence: str) -> bool:
    """Whether one of the licences offered is stated and is no GPL or AGPL."""
    offers = re.split(r"\bOR\b|;", licence)
    return any(offer.strip() and not _REFUSED.search(_LESSER.sub("", offer)) for offer in offers)


if __name__ == "__main__":
    sys.exit(main())
