"""Questions to the user's own files: each goes through a real daemon, and its answer and its citation are scored.

The data is a folder with `files/` and `questions.jsonl`, a line each: {"id", "lang", "question", "answer_any": [...],
"file"}; where `answer_any` is null, no file has the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.client import Client
from assistant.errors import AssistantError
from assistant.events import Failed, Question, Reply, ToolStarted
from bench.form import DATA, Home, argument_parser, median, percentile, report
from bench.utterances import MODEL

_SAID = {"en": "According to my files, {question}", "zh": "根据我的文件，{question}"}
_GAP = re.compile(r"[\s,，'’]+")
_INDEX_S = 300


@dataclass(frozen=True)
class Item:
    """One question, and what is right."""

    id: str
    lang: str
    question: str
    answers: tuple[str, ...]
    """Any of them is right; none: the files do not say."""
    file: str


@dataclass(frozen=True)
class Answered:
    """What was said to an item."""

    item: Item
    said: str
    data: Mapping[str, Any]
    seconds: float
    problem: str = ""

    @property
    def found(self) -> bool:
        """Whether the assistant claims an answer."""
        return bool(self.data.get("found"))

    @property
    def answered(self) -> bool:
        """Whether a right answer stands in what was said."""
        said = _plain(self.said)
        return self.found and any(_plain(answer) in said for answer in self.item.answers)

    @property
    def cited(self) -> bool:
        """Whether the right file is named."""
        return self.found and _plain(self.item.file) in _plain(self.said)

    @property
    def right(self) -> bool:
        """Whether all of it is."""
        return self.answered and self.cited if self.item.answers else not self.found and not self.problem


def main() -> None:
    """Measure and report."""
    options = _arguments()
    data = options.data or DATA / "documents"
    items = read_items(data / "questions.jsonl")
    settings: dict[str, object] = {
        "engine.model": options.model,
        "skills.documents.settings.folders": [str((data / "files").absolute())],
    }
    with Home(settings, start=False) as home:
        home.run("models", "pull", "--yes", options.model)
        home.start()
        index_s, answered = asyncio.run(_measure(home, items, quiet=options.json))
    if not options.json:
        _print_answers(answered, everything=options.all)
    figures, notes = summarize(answered, index_s)
    report("documents", figures, notes, _groups(answered), only_json=options.json)


def read_items(file: Path) -> list[Item]:
    """The items of a JSON-lines file. Raises ValueError naming the line that is none; OSError."""
    items = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                row = json.loads(line)
                answers = tuple(map(str, row["answer_any"] or ()))
                items.append(Item(str(row["id"]), row["lang"], row["question"], answers, row.get("file") or ""))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file}, line {number}: no item ({error})") from error
    return items


def summarize(
    answered: Sequence[Answered], index_s: float | None
) -> tuple[dict[str, float | int | None], dict[str, str]]:
    """The figures, and why some are None."""
    there = [one for one in answered if one.item.answers]
    absent = [one for one in answered if not one.item.answers]
    seconds = [one.seconds for one in answered]
    figures: dict[str, float | int | None] = {
        "n": len(answered),
        "answered_right": _share([one.answered for one in there]),
        "cited": _share([one.cited for one in there]),
        "right_and_cited": _share([one.right for one in there]),
        "unanswerable_right": _share([one.right for one in absent]),
        "index_s": index_s,
        "question_p50_s": median(seconds),
        "question_p95_s": percentile(seconds, 0.95),
    }
    notes = {name: "the data has no such item" for name, value in figures.items() if value is None}
    if index_s is None:
        notes["index_s"] = f"the files were not all read after {_INDEX_S} s"
    if failed := [one for one in answered if one.problem]:
        notes["n"] = f"{len(failed)} questions failed and count as wrong, the first with: {failed[0].problem}"
    return figures, notes


def _arguments() -> argparse.Namespace:
    parser = argument_parser("documents", __doc__ or "")
    parser.add_argument("--model", default=MODEL, help="a name of `assistant models list`; pulled where it is missing")
    parser.add_argument("--all", action="store_true", help="print every answer, not the wrong ones alone")
    return parser.parse_args()


async def _measure(home: Home, items: Sequence[Item], *, quiet: bool) -> tuple[float | None, list[Answered]]:
    answered = []
    async with home.client() as client:
        index_s = await _indexed(client)
        await _ask(client, items[0])  # loads the model
        for number, item in enumerate(items, 1):
            answered.append(await _ask(client, item))
            if not quiet and sys.stderr.isatty():
                print(f"\r{number}/{len(items)}", end="", file=sys.stderr, flush=True)
    if not quiet and sys.stderr.isatty():
        print(file=sys.stderr)
    return index_s, answered


async def _indexed(client: Client) -> float | None:
    """Seconds until a search says that nothing is left to be read."""
    started = time.monotonic()
    while time.monotonic() < started + _INDEX_S:
        said, _, problem = await _said(client, "search my files for zyzzyva", "en")
        if problem or "still being read" not in said:
            return time.monotonic() - started
        await asyncio.sleep(0.2)
    return None


async def _ask(client: Client, item: Item) -> Answered:
    started = time.monotonic()
    language = item.lang if item.lang in _SAID else "en"
    said, data, problem = await _said(client, _SAID[language].format(question=item.question), language)
    return Answered(item, said, data, time.monotonic() - started, problem)


async def _said(client: Client, text: str, language: str) -> tuple[str, Mapping[str, Any], str]:
    """The reply of one turn, its data, and what went wrong."""
    said, problem, tool = "", "", ""
    data: Mapping[str, Any] = {}
    try:
        async for event in client.turn(text, session="bench", surface="api", language=language):
            if isinstance(event, ToolStarted):
                tool = event.tool
            elif isinstance(event, Reply):
                said, data = event.text, event.data or {}
            elif isinstance(event, Failed | Question):
                problem = event.message if isinstance(event, Failed) else event.text
    except AssistantError as error:
        problem = str(error)
    if not tool.startswith("documents."):
        problem = problem or f"{tool or 'no tool'} was taken for it"
    return said, data, problem


def _groups(answered: Sequence[Answered]) -> list[tuple[object, ...]]:
    """Right answers by language and by kind of file."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for one in answered:
        groups[f"lang {one.item.lang}"].append(one.right)
        groups[f"file {Path(one.item.file).suffix}" if one.item.answers else "not in the files"].append(one.right)
    rows: list[tuple[object, ...]] = [("group", "n", "right")]
    return rows + [(name, len(right), _share(right)) for name, right in sorted(groups.items())]


def _print_answers(answered: Sequence[Answered], *, everything: bool) -> None:
    for one in answered:
        if everything or not one.right:
            mark = "right" if one.right else "WRONG"
            wanted = " | ".join(one.item.answers) or "not in the files"
            said = one.said or one.problem
            print(f"{mark} {one.item.id} {one.item.question}\n   {said}\n   wanted: {wanted} {one.item.file}")


def _plain(text: str) -> str:
    """Text as answers are compared: width and case made alike, without spaces and commas."""
    return _GAP.sub("", unicodedata.normalize("NFKC", text).casefold())


def _share(values: Sequence[bool]) -> float | None:
    return sum(values) / len(values) if values else None


if __name__ == "__main__":
    main()
