"""What is read out of single turns: the project's own labelled ones (`bench/data/memory/turns.jsonl`)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Protocol

from assistant.knowledge import Fact
from assistant.memory.kinds import kinds
from assistant.store.index import fold
from bench.form import DATA
from bench.memory.home import NOW, Workshop

Label = dict[str, Any]
OF_THE_MODEL = ("extract_schema_valid", "extract_asked", "extract_s")
FIGURES = ("extract_precision", "extract_recall_en", "extract_recall_zh", "extract_kind", *OF_THE_MODEL)


class Read(Protocol):
    """What is compared with a label."""

    @property
    def subject(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def text(self) -> str: ...


async def measured(shop: Workshop, most: int = 0) -> dict[str, float | int | None]:
    """Precision over all turns, recall by language: a fact counts where one of its key strings is in value or topic.

    Each turn is said to an empty profile, and read there as the product does. `extract_kind` is the share of the right
    ones that are of a kind which their label names; the seconds are those of a turn that the model was asked about.
    """
    turns = lines("turns.jsonl")
    kept, right, of_kind, asked, well_formed, seconds = 0, 0, 0, 0, 0, 0.0
    wanted, found = {"en": 0, "zh": 0}, {"en": 0, "zh": 0}
    for turn in turns[: most or None]:
        with shop.home(shop.model) as home:
            home.hear(turn["id"], turn["text"], turn["lang"], NOW)
            if home.profile.reader is not None:
                began = time.monotonic()
                await home.profile.reader.settle()
                seconds += time.monotonic() - began
                asked += home.profile.reader.tally.asked
                well_formed += home.profile.reader.tally.well_formed
            read = home.profile.facts()
        meant = [[label for label in turn["facts"] if is_meant(label, one)] for one in read]
        kept += len(read)
        right += sum(map(bool, meant))
        of_kind += sum(any(fits(label, one) for label in labels) for one, labels in zip(read, meant, strict=True))
        for label in turn["facts"]:
            if not label.get("optional"):
                wanted[turn["lang"]] += 1
                found[turn["lang"]] += any(is_meant(label, one) for one in read)
    return {
        "extract_precision": right / kept if kept else None,
        "extract_recall_en": found["en"] / wanted["en"],
        "extract_recall_zh": found["zh"] / wanted["zh"],
        "extract_kind": of_kind / right if right else None,
        "extract_schema_valid": well_formed / asked if asked else None,
        "extract_asked": asked if shop.model else None,
        "extract_s": seconds / asked if asked else None,
    }


def is_meant(label: Label, read: Read) -> bool:
    """Whether what was read is the labelled fact: its value, and whose it is."""
    held = fold(f"{read.value} {read.topic}")
    own = [label["subject"], *label.get("subject_also", [])]
    whose = not read.subject if "user" in own else True
    others = [fold(one) for one in own if one != "user"]
    named = any(one in fold(f"{read.subject} {read.topic} {read.text}") for one in others) or not others
    return (whose or named) and any(fold(key) in held for key in label["value"])


def fits(label: Label, read: Fact) -> bool:
    """Whether it is of a kind that the label takes."""
    return kinds().predicates[read.predicate].kind in label["kinds"]


def lines(file: str) -> Sequence[dict[str, Any]]:
    """The objects of one of the project's own sets."""
    return [json.loads(line) for line in (DATA / "memory" / file).read_text(encoding="utf-8").splitlines()]
