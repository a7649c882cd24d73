"""What is read out of single turns: the project's own labelled ones (`bench/data/memory/turns.jsonl`)."""

from __future__ import annotations

import json
from typing import Any

from assistant.knowledge import Statement
from assistant.memory.stating import statements
from assistant.store.index import fold
from bench.form import DATA


def measured() -> dict[str, float | int | None]:
    """Precision over all turns, recall by language: a fact counts where one of its key strings is in value or text."""
    turns = [json.loads(line) for line in (DATA / "memory" / "turns.jsonl").read_text(encoding="utf-8").splitlines()]
    kept, right = 0, 0
    wanted = {"en": 0, "zh": 0}
    found = {"en": 0, "zh": 0}
    for turn in turns:
        read = statements(turn["text"], turn["lang"])
        kept += len(read)
        right += sum(any(_is(label, one) for label in turn["facts"]) for one in read)
        for label in turn["facts"]:
            if not label.get("optional"):
                wanted[turn["lang"]] += 1
                found[turn["lang"]] += any(_is(label, one) for one in read)
    return {
        "extract_precision": right / kept if kept else None,
        "extract_recall_en": found["en"] / wanted["en"],
        "extract_recall_zh": found["zh"] / wanted["zh"],
    }


def _is(label: dict[str, Any], read: Statement) -> bool:
    """Whether what was read is the labelled fact: its value, and whose it is."""
    held = fold(f"{read.value} {read.topic}")
    own = [label["subject"], *label.get("subject_also", [])]
    whose = not read.subject if "user" in own else True
    others = [fold(one) for one in own if one != "user"]
    named = any(one in fold(f"{read.subject} {read.topic} {read.text}") for one in others) or not others
    return (whose or named) and any(fold(key) in held for key in label["value"])
