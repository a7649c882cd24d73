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
_MARKS = ' ,，.。、;；:："“”'
_LONGEST_VALUE = 120
_WORD = re.compile(r"(?<!\?P)<([a-z]+)>")  # a part, not a group that is named
_QUOTED = re.compile(
    r"[\"“”«»「」『』](?:[^\"“”«»「」『』]{12,})[\"“”«»「」『』]|^(?:>|from:|subject:|发件人|主题).*$",
    re.I | re.M | re.S,
)
_SENTENCE = re.compile(r"(?<!\b(?:St|Dr|Mr|Ms|No))(?<!\bMrs)[.!](?=\s|$)|[?？！!。；;\n]+|…+")
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
    also: str
    """The predicate of what its group `also` gives."""
    whole: bool
    """The value is a list, or holds a comma: nothing is cut off its end."""


@dataclass(frozen=True)
class Told:
    """A clause that tells something, without what leads to it."""

    text: str
    read: tuple[Statement, ...]
    """What the rules read in it."""


def statements(text: str, language: str) -> list[Statement]:
    """What `text` states, in its order; of two readings of one clause the first pattern that fits."""
    found: dict[tuple[str, str, str, str], Statement] = {}
    for clause in told(text, language):
        for one in clause.read:
            found.setdefault((one.predicate, one.subject, one.topic, one.value.casefold()), one)
    return list(found.values())


def told(text: str, language: str) -> list[Told]:
    """The clauses of `text` that tell something: no question, no supposition, no quotation, nothing for others."""
    tongue = _tongue(language)
    found: list[Told] = []
    if len(text) > _LONGEST:
        return []
    handed = _guard("handed", tongue).search(text)
    own = text[: handed.start()] if handed else text
    for parts, whole in _clauses(_QUOTED.sub(" ", own), tongue):
        read = [Told(clause, _in_clause(clause, tongue)) for clause in parts]
        over = () if any(clause.read for clause in read) or not whole else _in_clause(whole, tongue)
        found += [Told(whole, over)] if over else read
    return found


def lasting(clause: str, predicate: str, language: str) -> bool:
    """Whether a clause says what stays: no words of the moment, but for what stays all the same."""
    return predicate in _KEPT_WHEN_PASSING or not _guard("passing", _tongue(language)).search(clause)


def requests(clause: str, language: str) -> bool:
    """Whether a clause asks the assistant to do something this once."""
    tongue = _tongue(language)
    return bool(_guard("requests", tongue).search(clause)) and not _guard("standing", tongue).search(clause)


def about_user(clause: str, language: str) -> bool:
    """Whether a clause speaks of the user."""
    return bool(_guard("own", _tongue(language)).search(clause))


def about_own(clause: str, language: str) -> bool:
    """Whether a clause speaks of the user, or of somebody of theirs."""
    return about_user(clause, language) or bool(_relations(_tongue(language)).search(clause))


def about_others(clause: str, language: str) -> bool:
    """Whether somebody else is the subject of a clause."""
    tongue = _tongue(language)
    return bool(_guard("others", tongue).search(clause) or _somebody(tongue).match(clause))


def negates(clause: str, language: str) -> bool:
    """Whether a clause says that something is not so."""
    return bool(_guard("negates", _tongue(language)).search(clause))


def related(text: str, language: str) -> list[str]:
    """The words in `text` for somebody of the user's: `sister`, 姐姐."""
    return list(dict.fromkeys(found.lower() for found in _relations(_tongue(language)).findall(text)))


def is_value(said: str, language: str) -> bool:
    """Whether words can be the value of a fact."""
    return 0 < len(said) <= _LONGEST_VALUE and not _guard("empty", _tongue(language)).fullmatch(said)


def _tongue(language: str) -> str:
    return language if language in _data() else "en"


def _clauses(text: str, language: str) -> Iterator[tuple[list[str], str]]:
    """The clauses of each sentence that tell something, and the whole of it, for a value that was cut in two."""
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
        telling = [one for part in parts[: -1 if asks else None] if (one := _told(part, language))]
        if telling:
            yield telling, sentence if len(parts) > 1 and not asks else ""


def _told(part: str, language: str) -> str:
    """A clause without what leads to it; empty where it asks."""
    lead = _lead(language).match(part)
    clause = part[lead.end() :] if lead else part
    if language == "en" and _GOES_ON.match(clause):
        clause = f"I {clause}"
    return "" if len(clause) > _LONGEST_CLAUSE or _guard("asks", language).search(clause) else clause


def _in_clause(clause: str, language: str) -> tuple[Statement, ...]:
    for pattern in _patterns(language):
        match = pattern.words.fullmatch(clause)
        if match is None or (pattern.only is not None and not pattern.only.search(clause)):
            continue
        groups = match.groupdict()
        said = groups.get("value") or groups.get("value2") or ""
        value = said.strip(_MARKS) if pattern.whole else _trimmed(said, language)
        if len(value) > _LONGEST_VALUE or _guard("empty", language).fullmatch(value):
            continue
        if not value and not pattern.ends:  # "I quit my job": whichever it was
            continue
        if not lasting(clause, pattern.predicate, language):
            continue
        one = Statement(
            predicate=pattern.predicate,
            subject=_subject(groups.get("subject") or "", language),
            topic=(groups.get("topic") or pattern.topic).strip().casefold(),
            value=value,
            text=clause.strip(),
            language=language,
            ends=pattern.ends,
        )
        other = _trimmed(groups.get("also") or "", language)
        if not other:
            return (one,)
        # Each with words of its own, so that one can be forgotten without the other.
        second = one.model_copy(update={"predicate": pattern.also, "value": other, "text": other})
        return one.model_copy(update={"text": value}), second
    return ()


def _trimmed(value: str, language: str) -> str:
    return _guard("tail", language).sub("", value.strip()).strip(_MARKS)


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
            also=entry.get("also", ""),
            whole=bool(entry.get("whole")),
        )
        for entry in data["patterns"]
    )


def _flags(entry: Mapping[str, Any]) -> re.RegexFlag:
    return re.RegexFlag(0) if entry.get("cased") else re.IGNORECASE


@cache
def _guard(name: str, language: str) -> re.Pattern[str]:
    return re.compile("|".join(_data()[language]["guards"][name]), re.I)


@cache
def _somebody(language: str) -> re.Pattern[str]:
    """Somebody of the user's at the beginning of a clause."""
    parts = _data()[language]["parts"]
    whose = "(?:(?:my|our) )?(?:[a-z]+ )?" if language == "en" else "(?:我们?|咱们?)?家?的?"
    return re.compile(rf"{whose}{parts['rel']}" + (r"\b" if language == "en" else ""), re.I)


@cache
def _relations(language: str) -> re.Pattern[str]:
    around = r"\b{}\b" if language == "en" else "{}"
    return re.compile(around.format(_data()[language]["parts"]["rel"]), re.I)


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
