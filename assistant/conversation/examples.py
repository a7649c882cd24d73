"""Requests like the present one and the lines they should become, shown to the model: from the skills' own tables.

`examples.jsonl` of a skill is what its templates are tested with, read with the sample user and now = 2026-11-23T10:00
(a Monday) in Europe/Berlin; `examples.more.jsonl` holds what no template knows, in six languages, with times in words.
One JSON object a line: `text`, `lang`, and `tool` with `args`, or several `calls`, or what to `say`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from assistant.conversation.filling import SLOTS_OF, sayable
from assistant.conversation.prompt import ACT, REPLY, call_line
from assistant.conversation.shortlist import Ranking, bags_of
from assistant.conversation.spans import mask
from assistant.kept import Kept
from assistant.skillkit.loader import Skills


@dataclass(frozen=True)
class Example:
    """A request and what it becomes: a call, `args` as the table has them (times in ISO or in words), or an answer."""

    text: str
    calls: Sequence[Mapping[str, Any]] = ()
    """`tool` and `args` of each."""
    reply: str = ""

    @cached_property
    def tools(self) -> set[str]:
        """What it calls."""
        return {call["tool"] for call in self.calls}


class Examples:
    """All examples of the loaded skills."""

    def __init__(self, files: Iterable[Path], skills: Skills, kept: Kept) -> None:
        self._files = tuple(files)
        self._skills = skills
        self._kept = kept

    @cached_property
    def _all(self) -> list[Example]:
        """Read at the first request that needs the model: no start waits for it."""
        known = {tool.name for tool in self._skills.tools()}
        found = [_example(row) for file in self._files for row in read_rows(file)]
        return [one for one in found if one.tools <= known and (one.calls or one.reply)]

    @cached_property
    def _ranking(self) -> Ranking:
        bags = bags_of("examples", [one.text for one in self._all], self._kept)
        return Ranking({str(number): bag for number, bag in enumerate(bags)})

    def by_tool(self) -> Mapping[str, Sequence[str]]:
        """Each tool's requests."""
        found: dict[str, list[str]] = {}
        for one in self._all:
            for tool in one.tools:
                found.setdefault(tool, []).append(one.text)
        return found

    def nearest(self, text: str) -> set[str]:
        """The tools of the nearest request."""
        ranked = self._ranking.rank(text)
        return self._all[int(ranked[0])].tools if ranked else set()

    def talks(self, text: str) -> bool:
        """Whether the nearest request of all is one that no tool serves."""
        ranked = self._ranking.rank(text)
        return bool(ranked) and bool(self._all[int(ranked[0])].reply)

    def like(self, text: str, tools: Collection[str], now: datetime, limit: int) -> list[tuple[str, str]]:
        """The nearest requests that use `tools` alone, and their lines; the nearest last."""
        chosen: dict[str, Example] = {}
        for number in self._ranking.rank(text):
            one = self._all[int(number)]
            if one.tools <= set(tools) and one.text != text:
                chosen.setdefault(one.reply or " ".join(sorted(one.tools)), one)
            if len(chosen) == limit:
                break
        return [(one.text, self._line(one, now)) for one in reversed(chosen.values())]

    def _line(self, example: Example, now: datetime) -> str:
        if example.reply:
            return f"{REPLY}{example.reply}"
        lines = (call_line(call["tool"], self._said(call, example.text, now)) for call in example.calls)
        return ACT + "\n".join(lines)

    def _said(self, call: Mapping[str, Any], text: str, now: datetime) -> dict[str, Any]:
        """The arguments with times and amounts as they stand in the request."""
        names = sayable(self._skills.tool(call["tool"]), self._skills)
        masked = mask(text, now)
        used: set[int] = set()
        args: dict[str, Any] = {}
        for name, value in call.get("args", {}).items():
            argument = names.get(name)
            if argument is None or name == "recurrence":
                continue
            kinds = SLOTS_OF.get(argument.type)
            if kinds is None or str(value) in text:
                args[name] = value
                continue
            free = [index for kind in kinds for index in masked.of_kind(kind) if index not in used]
            if free:
                used.add(free[0])
                args[name] = masked.spans[free[0]].text
        return args


def read_rows(file: Path) -> Sequence[Mapping[str, Any]]:
    """A table of examples, row by row."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _example(row: Mapping[str, Any]) -> Example:
    if "say" in row:
        return Example(row["text"], reply=row["say"])
    return Example(row["text"], row.get("calls") or ([row] if row.get("tool") else []))
