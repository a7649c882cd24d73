"""What a sentence states of the user and of theirs, by rule. Believes the user's own words only, and keeps nothing.

The rules are data (`profile/statements.yaml`). A clause that asks, supposes, jokes about it or quotes states nothing:
better to miss a fact than to keep a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ruamel.yaml import YAML

from assistant.knowledge import Statement
from assistant.resources import bundled

_LONGEST = 2_000
"""Characters of a turn that are read: what is longer was pasted."""
_LONGEST_CLAUSE = 240
_LONGEST_VALUE = 120
_WORD = re.compile(r"(?<!\?P)<([a-z]+)>")  # a part, not a group that is named
_QUOTED = re.compile(
    r"[\"“”«»「」『』](?:[^\"“”«»「」『』]{12,})[\"“”«»「」『』]|^(?:>|from:|subject:|发件人|主题).*$",
    re.I | re.M | re.S,
)
_SENTENCE = re.compile(r"[.!](?=\s|$)|[?？！!。；;\n]+|…+")
_GOES_ON = re.compile(r"(?:prefer|avoid|like|love|hate|dislike|enjoy|refuse|don't|do not|never|only|always)\b", re.I)
"""What goes on with the subject of the clause before."""
_KEPT_WHEN_PASSING = frozenset(
    {"home", "employer", "birthday", "device", "document", "called", "name", "routine", "diet"}
)


@dataclass(frozen=True)
class _Pattern:
    predicate: str
    words: re.Pattern[str]
    topic: str
    ends: bool
    only: re.Pattern[str] | None


def statements(text: str, language: str) -> list[Statement]:
    """What `text` states, in its order; of two readings of one clause the first pattern that fits."""
    tongue = language if language in _data() else "en"
    found: dict[tuple[str, str, str, str], Statement] = {}
    if len(text) > _LONGEST:
        return []
    handed = _guard("handed", tongue).search(text)
    own = text[: handed.start()] if handed else text
    for clauses in _clauses(_QUOTED.sub(" ", own), tongue):
        *parts, whole = clauses
        read = [_in_clause(clause, tongue) for clause in parts]
        for one in filter(None, read if any(read) else [_in_clause(whole, tongue)]):
            found.setdefault((one.predicate, one.subject, one.topic, one.value.casefold()), one)
    return list(found.values())


def _clauses(text: str, language: str) -> Iterator[list[str]]:
    """The clauses of each sentence that tell something, last the whole of it, for a value that was cut in two."""
    start = 0
    ends = [(match.start(), match.group()) for match in _SENTENCE.finditer(text)] + [(len(text), "")]
    for end, mark in ends:
        sentence = text[start:end].strip()
        start = end + len(mark)
        asks = "?" in mark or "？" in mark
        if not sentence or len(sentence) > _LONGEST_CLAUSE * 2:
            continue
        parts = [part.strip(" ,，、:：-–—") for part in _guard("clause", language).split(sentence)]
        if _guard("supposes", language).search(sentence):
            continue
        told = [one for part in parts[: -1 if asks else None] if (one := _told(part, language))]
        if told:
            yield [*told, "" if asks else sentence] if len(parts) > 1 else told


def _told(part: str, language: str) -> str:
    """A clause without what leads to it; empty where it asks."""
    lead = _lead(language).match(part)
    told = part[lead.end() :] if lead else part
    if language == "en" and _GOES_ON.match(told):
        told = f"I {told}"
    return "" if len(told) > _LONGEST_CLAUSE or _guard("asks", language).search(told) else told


def _in_clause(clause: str, language: str) -> Statement | None:
    for pattern in _patterns(language):
        match = pattern.words.fullmatch(clause)
        if match is None or (pattern.only is not None and not pattern.only.search(clause)):
            continue
        groups = match.groupdict()
        value = _trimmed(groups.get("value") or groups.get("value2") or "", language)
        if len(value) > _LONGEST_VALUE or _guard("empty", language).fullmatch(value):
            continue
        if not value and not pattern.ends:  # "I quit my job": whichever it was
            continue
        if _guard("passing", language).search(clause) and pattern.predicate not in _KEPT_WHEN_PASSING:
            continue
        return Statement(
            predicate=pattern.predicate,
            subject=_subject(groups.get("subject") or "", language),
            topic=(groups.get("topic") or pattern.topic).strip().casefold(),
            value=value,
            text=clause.strip(),
            language=language,
            ends=pattern.ends,
        )
    return None


def _trimmed(value: str, language: str) -> str:
    return _guard("tail", language).sub("", value.strip()).strip(' ,，.。、;；:："“”')


def _subject(said: str, language: str) -> str:
    """Whose it is, without "my": `sister`, `姐姐`, `Anna`."""
    bare = (
        re.sub(r"^(?:my|our) ", "", said, flags=re.I) if language != "zh" else re.sub(r"^(?:我|咱)们?家?的?", "", said)
    )
    return bare.strip()


@cache
def _data() -> Mapping[str, Mapping[str, Any]]:
    loaded: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(
        (bundled("profile") / "statements.yaml").read_text(encoding="utf-8")
    )
    return loaded


@cache
def _patterns(language: str) -> tuple[_Pattern, ...]:
    """Compiled at the first use: a tenth of a second that no start should pay."""
    data = _data()[language]
    return tuple(
        _Pattern(
            predicate=entry["is"],
            words=re.compile(_filled(entry["re"], data["parts"]) + data["parts"].get("end", ""), _flags(entry)),
            topic=entry.get("topic", ""),
            ends=bool(entry.get("ends")),
            only=re.compile(entry["only"], re.I) if "only" in entry else None,
        )
        for entry in data["patterns"]
    )


def _flags(entry: Mapping[str, Any]) -> re.RegexFlag:
    return re.RegexFlag(0) if entry.get("cased") else re.IGNORECASE


@cache
def _guard(name: str, language: str) -> re.Pattern[str]:
    return re.compile("|".join(_data()[language]["guards"][name]), re.I)


@cache
def _lead(language: str) -> re.Pattern[str]:
    return re.compile(_data()[language]["lead"], re.I)


def _filled(pattern: str, parts: Mapping[str, str]) -> str:
    """`pattern` with `<name>` replaced by the part of that name; parts may hold parts."""
    while True:
        filled = _WORD.sub(lambda found: parts[found[1]], pattern)
        if filled == pattern:
            return filled
        pattern = filled
