"""The examples that teach the model other languages: each names a tool, and each value stands in its sentence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from assistant.conversation.claims import claims_a_deed
from assistant.conversation.examples import read_rows
from assistant.conversation.filling import sayable
from assistant.models import UserContext
from assistant.resources import bundled
from assistant.skillkit.loader import Skills
from tests.support.talk import talking

LANGUAGES = {"en", "zh", "de", "fr", "es", "ja"}
FLAGS = {"read", "unread", "flagged", "unflagged"}
ANSWERS = {"accept", "decline", "tentative"}
PROGRAM = Path(__file__).parents[2] / "assistant"
ROWS = [
    (file.parent.name, row)
    for file in sorted(bundled("skills").glob("*/examples.more.jsonl"))
    for row in read_rows(file)
]
SPOKEN = read_rows(PROGRAM / "conversation" / "examples.jsonl")


def calls(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(row.get("calls") or [{"tool": row["tool"], "args": row.get("args", {})}])


def values() -> Iterator[tuple[str, str, str, Any]]:
    """Text, tool, argument, value."""
    for _, row in ROWS:
        for call in calls(row):
            for name, value in (call.get("args") or {}).items():
                yield row["text"], call["tool"], name, value


@pytest.fixture
async def skills(tmp_path: Path) -> Skills:
    async with talking(tmp_path / "home", UserContext(name="Mei Lin", email="mei@example.org")) as talk:
        return talk.services.skills


async def test_every_row_gives_a_tool_only_what_a_person_can_say(skills: Skills) -> None:
    tools = {tool.name: set(sayable(tool, skills)) for tool in skills.tools()}
    wrong = [
        (row["text"], call["tool"], sorted(set(call.get("args") or {}) - tools.get(call["tool"], set())))
        for _, row in ROWS
        for call in calls(row)
        if call["tool"] not in tools or not set(call.get("args") or {}) <= tools[call["tool"]]
    ]
    assert not wrong, "\n".join(map(str, wrong))


async def test_every_tool_is_asked_for_in_every_language(skills: Skills) -> None:
    spoken: dict[str, set[str]] = defaultdict(set)
    for _, row in ROWS:
        for call in calls(row):
            spoken[call["tool"]].add(row["lang"])
    bundled_skills = {path.name for path in bundled("skills").iterdir() if (path / "examples.more.jsonl").is_file()}
    wanted = {tool.name for tool in skills.tools() if tool.skill in bundled_skills}
    assert wanted
    assert not {name: LANGUAGES - spoken[name] for name in wanted if spoken[name] != LANGUAGES}


def test_every_value_stands_in_its_sentence() -> None:
    wrong = []
    for text, tool, name, value in values():
        said = text.casefold()
        if isinstance(value, bool) and value:
            continue
        if name in ("flag", "answer"):
            fits = value in (FLAGS if name == "flag" else ANSWERS)
        else:
            parts = re.split(r"\s*[,，、]\s*", value) if isinstance(value, str) else []
            fits = bool(parts) and all(part and part.casefold() in said for part in parts)
        if not fits:
            wrong.append((text, tool, name, value))
    assert not wrong, "\n".join(map(str, wrong))


def test_a_row_has_its_skill_a_known_language_and_one_form() -> None:
    for skill, row in ROWS:
        assert row["lang"] in LANGUAGES, row
        assert ("tool" in row) != ("calls" in row), row
        assert set(row) <= {"text", "lang", "tool", "args", "calls"}, row
        assert skill in {call["tool"].partition(".")[0] for call in calls(row)}, row


def test_what_no_tool_does_is_answered_in_every_language() -> None:
    spoken = Counter(row["lang"] for row in SPOKEN)
    assert set(spoken) == LANGUAGES
    assert min(spoken.values()) >= 14
    assert all(set(row) == {"text", "lang", "say"} and row["say"].strip() for row in SPOKEN)
    assert not [row["say"] for row in SPOKEN if claims_a_deed(row["say"])]


def test_no_sentence_comes_twice() -> None:
    texts = Counter(row["text"].casefold() for row in [*SPOKEN, *(row for _, row in ROWS)])
    assert not [text for text, times in texts.items() if times > 1]
