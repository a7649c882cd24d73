"""Requests like the present one and the lines they should become, shown to the model: from the skills' own tables.

The tables (`examples.yaml` of each skill) are what its templates are tested with; here they teach the form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from assistant.conversation.filling import sayable
from assistant.conversation.prompt import call_line
from assistant.conversation.shortlist import Ranking
from assistant.conversation.spans import mask
from assistant.locale.catalogue import read_rows
from assistant.skillkit.loader import Skills

_SPAN_KINDS = {
    "date": ("when", "period"),
    "datetime": ("when", "period"),
    "duration": ("duration",),
    "money": ("amount",),
    "int": ("count", "amount"),
}


@dataclass(frozen=True)
class Example:
    """A request and what it becomes; `args` as the table has them, times in ISO."""

    text: str
    tool: str
    args: Mapping[str, Any]


class Examples:
    """All examples of the loaded skills."""

    def __init__(self, files: Iterable[Path], skills: Skills) -> None:
        self._files = tuple(files)
        self._skills = skills

    @cached_property
    def _all(self) -> list[Example]:
        """Read at the first request that needs the model, which takes seconds anyway: no start waits for it."""
        known = {tool.name for tool in self._skills.tools()}
        rows = [row for file in self._files for row in read_rows(file)]
        return [Example(row["text"], row["tool"], row.get("args", {})) for row in rows if row.get("tool") in known]

    @cached_property
    def _ranking(self) -> Ranking:
        return Ranking({str(number): [one.text] for number, one in enumerate(self._all)})

    def texts(self) -> dict[str, list[str]]:
        """The requests by tool."""
        by_tool: dict[str, list[str]] = {}
        for one in self._all:
            by_tool.setdefault(one.tool, []).append(one.text)
        return by_tool

    def like(self, text: str, tools: Collection[str], now: datetime, limit: int) -> list[tuple[str, str]]:
        """The nearest requests for one of `tools`, each of another tool, and their lines; the nearest last."""
        chosen: dict[str, Example] = {}
        for number in self._ranking.rank(text):
            one = self._all[int(number)]
            if one.tool in tools and one.text != text:
                chosen.setdefault(one.tool, one)
            if len(chosen) == limit:
                break
        return [(one.text, self._line(one, now)) for one in reversed(chosen.values())]

    def _line(self, example: Example, now: datetime) -> str:
        """The call with its times and amounts as they stand in the request."""
        names = sayable(self._skills.tool(example.tool), self._skills)
        masked = mask(example.text, now)
        used: set[int] = set()
        args: dict[str, Any] = {}
        for name, value in example.args.items():
            argument = names.get(name)
            if argument is None or name == "recurrence":
                continue
            kinds = _SPAN_KINDS.get(argument.type)
            if kinds is None:
                args[name] = value
                continue
            free = [index for kind in kinds for index in masked.of_kind(kind) if index not in used]
            if free:
                used.add(free[0])
                args[name] = masked.spans[free[0]].text
        return call_line(example.tool, args)
