"""What the gate speaks of, in words for people: arguments, tools and sources are developers' names until then.

Pure; the words lie in the catalogues, a tool's (`does.<tool>`) in its skill's. What has none is called by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.knowledge import Habit
from assistant.locale import Catalogue
from assistant.models import Language, Observation

_CLOCK = re.compile(r"T\d\d:\d\d")
_MAIL = re.compile(r"email \S+ from (\S+)")


def worded(data: Mapping[str, str], catalogue: Catalogue, language: Language, described: str) -> dict[str, str]:
    """A verdict's data, ready for its sentence; `described` is what the tool says of itself."""
    told = dict(data)
    if tool := data.get("tool"):
        told["tool"] = deed(tool, catalogue, language, described)
    if arguments := data.get("arguments"):
        names = [argument(name, catalogue, language) for name in arguments.split(", ")]
        told["arguments"] = catalogue.text(language, "safety.all", all=list(dict.fromkeys(names)))
    if read_in := data.get("source"):
        told["source"] = source(read_in, catalogue, language)
    return told


def deed(tool: str, catalogue: Catalogue, language: Language, described: str) -> str:
    """What a tool does: "answer a mail"."""
    skill, _, name = tool.partition(".")
    key = f"{skill}.does.{name}"
    if catalogue.has(key):
        return catalogue.text(language, key)
    plain = described.strip().rstrip(".")
    return plain[:1].lower() + plain[1:] if plain else tool


def argument(name: str, catalogue: Catalogue, language: Language) -> str:
    """What an argument is called: "recipient"."""
    key = f"safety.argument.{name}"
    return catalogue.text(language, key) if catalogue.has(key) else name.replace("_", " ")


def habit(one: Habit, catalogue: Catalogue, language: Language, described: str) -> str:
    """A habit as the user is told it, with how it is known."""
    about = catalogue.text(language, "memory.habit.about", about=one.about) if one.about else ""
    parts = [catalogue.text(language, f"memory.habit.view.{part}") for part in one.view.split(".") if part != "always"]
    value = one.value.removeprefix("T") if _CLOCK.fullmatch(one.value) else one.value
    if value.startswith("["):
        value = catalogue.text(language, "safety.all", all=json.loads(value))
    return catalogue.text(
        language,
        "memory.habit.told",
        deed=deed(one.tool, catalogue, language, described) + about + "".join(parts),
        argument=argument(one.slot, catalogue, language),
        value=value,
        times=one.times,
        of=one.of,
    )


def source(text: str, catalogue: Catalogue, language: Language) -> str:
    """Where something was read: "a mail from anna@example.org", "your calendar"."""
    parts = dict.fromkeys(_source(part, catalogue, language) for part in text.split("; ") if part)
    return catalogue.text(language, "safety.all", all=list(parts))


def shown(value: Any, seen: Sequence[Observation]) -> str:
    """An argument's value as it will be given, each thing on a line; one that was found by its id with its name."""
    return "\n".join(_named(str(one), seen) for one in (value if isinstance(value, list) else [value]))


def _named(value: str, seen: Sequence[Observation]) -> str:
    for item in (item for one in seen if isinstance(one.data, dict) for item in one.data.get("items", ())):
        if isinstance(item, dict) and value in (item[field] for field in item if field.endswith("_id")):
            name = str(item.get("label") or item.get("subject") or item.get("title") or "")
            return f"“{name}” ({value})" if name else value
    return value


def _source(text: str, catalogue: Catalogue, language: Language) -> str:
    if mail := _MAIL.fullmatch(text):
        return catalogue.text(language, "safety.source.mail_from", address=mail[1])
    skill, dot, _ = text.partition(".")
    for name in (text.replace(" ", "_"), f"in_{skill}" if dot else ""):
        if name and catalogue.has(f"safety.source.{name}"):
            return catalogue.text(language, f"safety.source.{name}")
    return text
