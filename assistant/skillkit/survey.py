"""What the skills from elsewhere may do and what they did, as data: `assistant skills audit` shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from assistant.paths import Paths
from assistant.sandbox import machine
from assistant.skillkit.consent import Consents
from assistant.skillkit.external import ExternalSkill
from assistant.skillkit.loader import Known, Skills
from assistant.skillkit.problems import Fault
from assistant.skillkit.tally import KIND
from assistant.skillkit.wire import clean

CRASH = "skill_crash"
_NEWEST = 20_000
"""Entries of the audit that are looked through."""
_PINS = {"skillkit.no_consent": "none", "skillkit.asks_more": "more"}


class Entry(Protocol):
    """One of the audit's."""

    @property
    def kind(self) -> str: ...
    @property
    def data(self) -> dict[str, Any]: ...


class Entries(Protocol):
    """The audit, as much as is needed of it."""

    def entries(self, limit: int = 100) -> Sequence[Entry]:
        """The newest."""
        ...


def survey(skills: Skills, paths: Paths, audit: Entries) -> list[dict[str, Any]]:
    """One mapping for each skill that is not bundled."""
    foreign = [(name, known) for name, known in sorted(skills.known.items()) if not known.bundled]
    if not foreign:
        return []
    for skill in skills.loaded.values():
        if isinstance(skill, ExternalSkill):
            skill.host.cage.flush()
    entries = audit.entries(limit=_NEWEST)
    consents = Consents(paths)
    return [
        _one(skills, consents, known, [one for one in entries if one.data.get("skill") == name], name)
        for name, known in foreign
    ]


def _one(skills: Skills, consents: Consents, known: Known, entries: Iterable[Entry], name: str) -> dict[str, Any]:
    network = _network(one.data for one in entries if one.kind == KIND)
    crashes = sum(1 for one in entries if one.kind == CRASH)
    here = machine.look()
    manifest = known.manifest
    told = {
        "name": name,
        "version": clean(manifest.version, 40),
        "folder": str(known.folder),
        "enabled": known.enabled,
        "loaded": name in skills.loaded,
        "contained": here.kind,
        "machine": asdict(here),
        "pin": _pin(consents, known),
        "permissions": manifest.permissions.model_dump(mode="json"),
        "effects": {f"{name}.{tool}": declared.effect for tool, declared in manifest.tools.items()},
        "reached": [one for one in network if not one["refused"]],
        "refused": [one for one in network if one["refused"]],
        "crashes": crashes,
    }
    return told | {"warnings": _warnings(known, told)}


def _pin(consents: Consents, known: Known) -> str:
    """`same`, `changed`, `more` (asks for more than was said yes to) or `none` (no yes)."""
    try:
        consents.check(known.manifest, known.folder)
    except Fault as fault:
        return _PINS.get(fault.code, "changed")
    return "same"


def _network(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for one in found:
        key = (str(one["place"]), str(one["refused"]))
        total = sums.setdefault(key, {"place": key[0], "refused": key[1], "connections": 0, "sent": 0, "received": 0})
        for count in ("connections", "sent", "received"):
            total[count] += int(one[count])
    return sorted(sums.values(), key=lambda one: -one["connections"])


def _warnings(known: Known, told: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person should look at twice: a key below `skillkit.warning` and its data."""
    wanted = known.manifest.permissions
    found: list[dict[str, Any]] = []
    for entry in wanted.files:
        bare = entry.removeprefix("rw:")
        if bare.rstrip("/") in ("", "~", str(Path.home())):
            found.append({"key": "whole_home", "entry": clean(entry, 200)})
        elif entry != bare:
            found.append({"key": "writes", "entry": clean(entry, 200)})
    found += [{"key": "any_host", "entry": clean(one, 200)} for one in wanted.network if one.startswith("*")]
    found += [{"key": "secret", "entry": clean(one, 200)} for one in wanted.secrets]
    found += [
        {"key": effect, "tool": tool} for tool, effect in told["effects"].items() if effect in ("outward", "money")
    ]
    if told["contained"] == "none":
        found.append({"key": "uncontained"})
    if refused := sum(one["connections"] for one in told["refused"]):
        found.append({"key": "refused", "count": refused})
    if told["crashes"]:
        found.append({"key": "crashed", "count": told["crashes"]})
    return found
