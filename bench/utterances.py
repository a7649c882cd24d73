"""What the assistant makes of commands in several languages: each goes through the daemon's dry run and is scored."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assistant.cli.userfile import read_user
from assistant.client import Client
from assistant.errors import AssistantError
from assistant.models import UserContext
from bench.form import DATA, SETTLE_S, Home, argument_parser, median, percentile, report
from bench.scoring import Contract, Score, score

MODEL = "qwen2.5-coder-1.5b-instruct"
TEMPLATES = "templates"
"""Stands for no model: no model of the catalogue is named so, so that the daemon finds none."""


@dataclass(frozen=True)
class Scored:
    """An item, what the assistant planned (None: it failed, see `problem`) and what was right about it."""

    item: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    score: Score
    problem: str = ""

    @property
    def via(self) -> str:
        """Who decided."""
        return str(self.plan["via"]) if self.plan else ""


def main() -> None:
    """Measure and report."""
    options = _arguments()
    items = chosen_items(options)
    user, now = read_world(options.context)
    scored = measure(options.model, items, now, user, quiet=options.json)
    if options.wrong and not options.json:
        _print_wrong(scored)
    figures, notes = summarize(scored)
    report("utterances", figures, notes, _group_rows(scored), only_json=options.json)


def measure(
    model: str, items: Sequence[Mapping[str, Any]], now: datetime, user: UserContext, *, quiet: bool
) -> list[Scored]:
    """What a daemon of its own makes of the items, in their order; the model is pulled where it is missing.

    TEMPLATES is no model: what no template decides stays undecided. Raises CalledProcessError where the model can't be
    had.
    """
    with Home({"engine.model": model}, start=False) as home:
        if model != TEMPLATES:
            home.run("models", "pull", "--yes", model)
        home.start()
        time.sleep(SETTLE_S)
        return asyncio.run(_score_all(home, items, now, user, quiet=quiet))


def add_item_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which items are scored, and in which world."""
    parser.add_argument("--context", type=Path, default=DATA / "context.yaml", help="the moment and the user")
    parser.add_argument("--limit", type=int, help="the first N items only")


def chosen_items(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The items that `--data` and `--limit` choose. Raises as `read_items` does."""
    return read_items(options.data or DATA / "utterances.jsonl")[: options.limit]


def read_world(context: Path) -> tuple[UserContext, datetime]:
    """The user and the moment of a context file, the moment in the user's zone where the file names none."""
    user, now = read_user(context)
    if now is None:
        raise SystemExit(f"{context} fixes no `now`")
    return user, now if now.tzinfo else now.replace(tzinfo=ZoneInfo(user.zone))


def read_items(file: Path) -> list[dict[str, Any]]:
    """The items of a JSON-lines file. Raises ValueError naming the line that is none; OSError."""
    items = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                item = json.loads(line)
                items.append({"tags": [], **item, "expect": dict(item["expect"]), "text": str(item["text"])})
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{file}, line {number}: no item ({error})") from error
    return items


def summarize(scored: Sequence[Scored]) -> tuple[dict[str, float | int | None], dict[str, str]]:
    """The figures of contracts/figures.md, and why some are None.

    `templates_exact` is the share of all items that the templates alone get right, `templates_precision` that of the
    items they decide; `prompt_tokens` is the 95th percentile, `uncached_tokens` the median.
    """

    def exact(chosen: Iterable[Scored]) -> float | None:
        return share([one.score.exact for one in chosen])

    def kind(name: str) -> list[Scored]:
        return [one for one in scored if one.item["expect"]["kind"] == name]

    by_template = [one for one in scored if one.via == "intent"]
    by_model = [one for one in scored if one.via == "model" and one.plan]
    prompts = [one.plan["prompt_tokens"] for one in by_model if one.plan and one.plan.get("prompt_tokens") is not None]
    uncached = [
        one.plan["uncached_tokens"] for one in by_model if one.plan and one.plan.get("uncached_tokens") is not None
    ]
    figures: dict[str, float | int | None] = {
        "n": len(scored),
        "exact": exact(scored),
        "exact_en": exact(one for one in scored if one.item["lang"] == "en"),
        "exact_zh": exact(one for one in scored if one.item["lang"] == "zh"),
        "exact_other": exact(one for one in scored if one.item["lang"] not in ("en", "zh")),
        "tool": share([one.score.tool for one in scored]),
        "args": share([one.score.args for one in scored if one.score.args is not None]),
        "exact_call": exact(kind("call")),
        "exact_reply": exact(kind("reply")),
        "exact_ask": exact(kind("ask")),
        "exact_refuse": exact(kind("refuse")),
        "templates_exact": sum(one.score.exact for one in by_template) / len(scored) if scored else None,
        "templates_precision": exact(by_template),
        "wrong_side_effects": sum(one.score.side_effect for one in scored),
        "template_p95_ms": percentile(template_ms(scored), 0.95),
        "model_median_s": median(model_seconds(scored)),
        "prompt_tokens": percentile(prompts, 0.95),
        "uncached_tokens": median(uncached),
    }
    reasons = {
        "templates_precision": "no item was decided by a template",
        "template_p95_ms": "no item was decided by a template",
        "model_median_s": "no item was decided by a model",
        "prompt_tokens": "no item was decided by a model",
        "uncached_tokens": "no item was decided by a model",
    }
    notes = {name: reasons.get(name, "the data has no such item") for name, value in figures.items() if value is None}
    if failed := [one for one in scored if one.plan is None]:
        notes["exact"] = f"{len(failed)} items failed and count as wrong, the first with: {failed[0].problem}"
    return figures, notes


def template_ms(scored: Sequence[Scored]) -> list[float]:
    """The milliseconds of each item that a template decided."""
    return [float(one.plan["ms"]) for one in scored if one.plan and one.via == "intent"]


def model_seconds(scored: Sequence[Scored]) -> list[float]:
    """The seconds of each item that a model was asked about and decided."""
    asked = [one.plan for one in scored if one.plan and one.via == "model" and one.plan.get("prompt_tokens")]
    return [float(plan["ms"]) / 1000 for plan in asked]


def groups(scored: Sequence[Scored]) -> dict[tuple[str, str], list[Scored]]:
    """The items of each skill, kind, language, way of deciding and tag: `("lang", "en")` and those in English."""
    found: dict[tuple[str, str], list[Scored]] = defaultdict(list)
    for one in scored:
        expect = one.item["expect"]
        calls = expect.get("calls") or (expect.get("any") or [[]])[0]
        tools = [call["tool"] for call in calls] or [expect.get("tool", "")]
        names = [("skill", tool.partition(".")[0]) for tool in dict.fromkeys(tools) if tool]
        names += [("kind", expect["kind"]), ("lang", one.item["lang"]), ("via", one.via or "failed")]
        for name in dict.fromkeys([*names, *(("tag", tag) for tag in one.item["tags"])]):
            found[name].append(one)
    return dict(sorted(found.items()))


def share(values: Sequence[bool]) -> float | None:
    """How many of the values are true, from 0 to 1; None of none."""
    return sum(values) / len(values) if values else None


def _arguments() -> argparse.Namespace:
    parser = argument_parser("utterances", __doc__ or "")
    parser.add_argument("--model", default=MODEL, help="a name of `assistant models list`; pulled where it is missing")
    add_item_arguments(parser)
    parser.add_argument("--wrong", action="store_true", help="also print every item that was not exact")
    return parser.parse_args()


async def _score_all(
    home: Home, items: Sequence[Mapping[str, Any]], now: datetime, user: UserContext, *, quiet: bool
) -> list[Scored]:
    contract, scored = Contract(), []
    async with home.client() as client:
        for number, item in enumerate(items, 1):
            scored.append(await _score_one(client, item, now, user, contract))
            if not quiet and sys.stderr.isatty():
                print(f"\r{number}/{len(items)}", end="", file=sys.stderr, flush=True)
    if not quiet and sys.stderr.isatty():
        print(file=sys.stderr)
    return scored


async def _score_one(
    client: Client, item: Mapping[str, Any], now: datetime, user: UserContext, contract: Contract
) -> Scored:
    try:
        plan = (await client.plan(item["text"], now=now, context=user)).model_dump(mode="json")
    except AssistantError as error:
        return Scored(item, None, score(item, None, contract), str(error))
    return Scored(item, plan, score(item, plan, contract))


def _group_rows(scored: Sequence[Scored]) -> list[tuple[object, ...]]:
    """Counts and shares of each group."""
    rows: list[tuple[object, ...]] = [("group", "n", "exact", "tool", "args", "acted wrongly")]
    for (group, value), members in groups(scored).items():
        scores = [one.score for one in members]
        args = share([one.args for one in scores if one.args is not None])
        exact, tool = share([one.exact for one in scores]), share([one.tool for one in scores])
        rows.append((f"{group} {value}", len(scores), exact, tool, args, sum(one.side_effect for one in scores)))
    return rows


def _print_wrong(scored: Sequence[Scored]) -> None:
    for one in scored:
        if not one.score.exact:
            print(f"{one.item['id']} {one.item['text']}\n   {json.dumps(one.plan or one.problem, ensure_ascii=False)}")


if __name__ == "__main__":
    main()
