"""A profile as Markdown, to be read by people: what holds now, a sentence a line, under the headings of the kinds.

A line can be read back: its sentence is that of a kind's predicate (`profile/kinds.yaml`), said the other way round.
Where the sentence alone would be understood otherwise, a comment that no reader sees says what is meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache

from assistant.errors import Rejected
from assistant.knowledge import Fact, Statement
from assistant.memory.kinds import Kinds, kinds

_TITLES = {"en": "What the assistant knows about you", "zh": "助手对您的了解"}
_LINE = re.compile(r"- (?P<told>.*?)(?: \*\((?P<day>\d{4}-\d\d-\d\d)\)\*)?(?: <!-- (?P<meant>\{.*\}) -->)?")
_PART = re.compile(r"\\\{(subject|topic|value)\\\}")


@dataclass(frozen=True)
class Line:
    """One fact of a Markdown text."""

    number: int
    """From 1."""
    text: str
    said: Statement
    day: date | None
    """When it was last said; None where the line doesn't tell."""


def written(facts: Iterable[Fact], language: str) -> str:
    """The text, in English or Chinese."""
    known = kinds()
    lines = [f"# {_TITLES[language]}"]
    for kind, titles in known.titles.items():
        of_kind = [fact for fact in facts if fact.kind == kind]
        if of_kind:
            lines += ["", f"## {titles[language]}", *(_line(fact, language, known) for fact in of_kind)]
    return "\n".join(lines) + "\n"


def read(text: str) -> Iterator[Line]:
    """The facts of a text, in its order. Raises Rejected naming the first line that is none of ours."""
    known = kinds()
    headings = {title: (kind, tongue) for kind, titles in known.titles.items() for tongue, title in titles.items()}
    under: tuple[str, str] | None = None
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if number == 1:
            if line.strip() not in {f"# {title}" for title in _TITLES.values()}:
                raise Rejected("memory.import_foreign")
        elif line.startswith("## "):
            under = headings.get(line[3:].strip())
            if under is None:
                raise Rejected("memory.import_line", line=number)
        elif line.strip():
            found = _read_line(line.rstrip(), under, known) if under else None
            if found is None:
                raise Rejected("memory.import_line", line=number)
            yield Line(number, line.rstrip(), *found)


def _line(fact: Fact, language: str, known: Kinds) -> str:
    said = Statement(
        predicate=fact.predicate, subject=fact.subject, topic=fact.topic, value=fact.value, text="", language=language
    )
    told = _told(said, language, known)
    day = f" *({fact.last_confirmed_at.date().isoformat()})*"
    plain = f"- {told}{day}"
    found = _read_line(plain, (fact.kind, language), known)
    if found is not None and _meaning(found[0]) == _meaning(said):
        return plain
    meant = json.dumps(_meaning(said), ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
    return plain + f" <!-- {meant} -->"


def _read_line(line: str, under: tuple[str, str], known: Kinds) -> tuple[Statement, date | None] | None:
    kind, language = under
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    told = match["told"]
    said = _meant(match["meant"], language) if match["meant"] else _understood(told, kind, language)
    if said is None or not said.value.strip() or known.predicates[said.predicate].kind != kind:
        return None
    if match["meant"] and _told(said, language, known) != told:
        return None  # one of the two was changed: it can't be known which of them is right
    try:
        day = date.fromisoformat(match["day"]) if match["day"] else None
    except ValueError:
        return None
    return said.model_copy(update={"text": told}), day


def _told(said: Statement, language: str, known: Kinds) -> str:
    """Its sentence, word for word as it can be read back."""
    predicate = known.predicates[said.predicate]
    form = (predicate.told_of_others.get(language) if said.subject else None) or predicate.told[language]
    return _one_line(form.format(subject=said.subject, topic=said.topic, value=said.value))


def _understood(told: str, kind: str, language: str) -> Statement | None:
    for predicate, form in _forms(kind, language):
        if found := form.fullmatch(told):
            parts = found.groupdict()
            return Statement(
                predicate=predicate,
                subject=parts.get("subject", ""),
                topic=parts.get("topic", ""),
                value=parts["value"],
                text=told,
                language=language,
            )
    return None


@cache
def _forms(kind: str, language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The sentences of a kind as patterns: of others first, and the longest first, which say more."""
    forms = [
        (name, form)
        for name, one in kinds().predicates.items()
        if one.kind == kind
        for form in (one.told[language], one.told_of_others.get(language, ""))
        if form
    ]
    forms.sort(key=lambda entry: -len(_PART.sub("", re.escape(entry[1]))))
    return tuple((name, re.compile(_PART.sub(r"(?P<\1>.+?)", re.escape(form)))) for name, form in forms)


def _meant(text: str, language: str) -> Statement | None:
    try:
        meant = json.loads(text)
    except ValueError:
        return None
    if not isinstance(meant, dict) or meant.keys() != {"is", "of", "topic", "value"}:
        return None
    if not all(isinstance(one, str) for one in meant.values()) or meant["is"] not in kinds().predicates:
        return None
    return Statement(
        predicate=meant["is"],
        subject=meant["of"],
        topic=meant["topic"],
        value=meant["value"],
        text="",
        language=language,
    )


def _meaning(said: Statement) -> dict[str, str]:
    return {"is": said.predicate, "of": said.subject, "topic": said.topic, "value": said.value}


def _one_line(text: str) -> str:
    return re.sub(r"[\r\n]+", " ", text)
