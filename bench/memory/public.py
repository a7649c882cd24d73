"""The public sets, from a folder in the layout of the development data: measured with, never shipped or trained on.

LoCoMo (Maharana et al. 2024) with the corrections of dial481/locomo-audit, PrefEval (Zhao et al. 2025), BEAM (Tavakoli
et al. 2025), MemDaily (Zhang et al. 2024).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TURN = re.compile(r"D:?(\d+):0*(\d+)")
_OPTIONS = 4
_INDEX = re.compile(r"\s*->->.*$", re.DOTALL)


@dataclass(frozen=True)
class Said:
    """One turn of a set."""

    name: str
    text: str
    speaker: str = ""
    thread: str = ""


@dataclass(frozen=True)
class Asked:
    """A question, and the names of the turns that answer it."""

    query: str
    answers: tuple[str, ...]
    kind: str = ""


@dataclass(frozen=True)
class Talk:
    """Turns and the questions about them."""

    turns: list[Said]
    questions: list[Asked] = field(default_factory=list)


def locomo(folder: Path) -> list[Talk]:
    """Conversations between two people; the evidence as it was corrected. Categories 1 to 5 as `kind`."""
    file = next(iter(sorted(folder.glob("locomo*.json"))), None)
    if file is None:
        return []
    corrected: dict[tuple[str, str], list[str]] = {}
    for corrections in sorted(folder.glob("corrections*.json")):
        for one in _read(corrections):
            corrected[one["question_id"].rsplit("_", 1)[0], one["question"]] = one["correct_evidence"]
    return [_locomo_talk(number, entry, corrected) for number, entry in enumerate(_read(file))]


def _locomo_talk(number: int, entry: dict[str, Any], corrected: dict[tuple[str, str], list[str]]) -> Talk:
    asked = {one["question"] for one in entry["qa"]}
    fitting = Counter(name for name, question in corrected if question in asked).most_common(1)
    name = fitting[0][0] if fitting else ""
    conversation = entry["conversation"]
    turns = []
    for session in sorted(int(key[8:]) for key in conversation if re.fullmatch(r"session_\d+", key)):
        for turn in conversation[f"session_{session}"]:
            picture = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
            turns.append(
                Said(_turn_name(turn["dia_id"]), turn["text"] + picture, turn["speaker"], f"{number}:{session}")
            )
    known = {turn.name for turn in turns}
    questions = []
    for one in entry["qa"]:
        evidence = corrected.get((name, one["question"]), one.get("evidence") or [])
        found = [f"D{a}:{b}" for text in evidence for a, b in _TURN.findall(str(text))]
        answers = tuple(turn for turn in dict.fromkeys(found) if turn in known)
        if answers:
            questions.append(Asked(one["question"], answers, str(one["category"])))
    return Talk(turns, questions)


def _turn_name(text: str) -> str:
    found = _TURN.search(text)
    return f"D{found[1]}:{found[2]}" if found else text


@dataclass(frozen=True)
class Preference:
    """A preference, what is asked later, and a topic."""

    text: str
    question: str
    topic: str


def prefeval(folder: Path, turns: int) -> tuple[list[Preference], list[Said]]:
    """All preferences, and the first `turns` messages of the user's of the chats to bury each in."""
    preferences = [
        Preference(one["preference"], one["question"], file.stem)
        for file in sorted((folder / "explicit_preference").glob("*.json"))
        for one in _read(file)
    ]
    chats = folder / "filtered_inter_turns.json"
    if not preferences or not chats.is_file():
        return [], []
    said = [
        Said(f"c{number}:{place}", message["content"], thread=f"c{number}")
        for number, chat in enumerate(_read(chats))
        for place, message in enumerate(chat["conversation"])
        if message["role"] == "user"
    ]
    return preferences, said[:turns]


@dataclass(frozen=True)
class Choice:
    """A preference, a question that it bears on, and four answers of which the first keeps to it."""

    preference: str
    question: str
    options: tuple[str, ...]


def prefeval_choices(folder: Path) -> list[Choice]:
    """The questions of all topics that have four answers, topic by topic."""
    return [
        Choice(one["preference"], one["question"], tuple(one["classification_task_options"]))
        for file in sorted((folder / "mcq_options").glob("*.json"))
        for one in _read(file)
        if len(one["classification_task_options"]) == _OPTIONS
    ]


def beam(folder: Path) -> list[tuple[Talk, dict[str, list[dict[str, Any]]]]]:
    """Chats of a user with an assistant, the user's messages alone, and the probing questions as they are."""
    found = []
    for chat in sorted(folder.glob("*/chat.json"), key=lambda file: file.parent.name):
        turns = [
            Said(str(message["id"]), _INDEX.sub("", message["content"]), thread=str(place))
            for place, batch in enumerate(_read(chat))
            for pair in batch["turns"]
            for message in pair
            if message["role"] == "user"
        ]
        questions = chat.with_name("probing_questions.json")
        if questions.is_file():
            found.append((Talk(turns), _read(questions)))
    return found


def ids(tree: object) -> list[str]:
    """All numbers in a tree of lists and mappings, as names of turns."""
    if isinstance(tree, dict):
        return [one for part in tree.values() for one in ids(part)]
    if isinstance(tree, list):
        return [one for part in tree for one in ids(part)]
    return [str(tree)] if isinstance(tree, int) else []


def memdaily(folder: Path) -> Iterator[Talk]:
    """Chinese messages of everyday life, a trajectory each, and their questions."""
    for file in sorted(folder.glob("*.json")):
        for one in _read(file):
            turns = [Said(str(message["mid"]), message["message"]) for message in one["message_list"]]
            questions = [
                Asked(asked["question"], tuple(map(str, asked["target_step_id"])), file.stem)
                for asked in one["question_list"]
                if asked["target_step_id"]
            ]
            yield Talk(turns, questions)


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
