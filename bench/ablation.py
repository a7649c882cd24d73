"""What each part of the understanding is worth: the same items with one part turned off at a time.

The parts run in this process beside a real engine worker. Items that templates decide come out the same with any other
part off, so they are planned once; `--step N` takes every N-th item.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from assistant import paths as folders
from assistant.config import Config
from assistant.conversation.conversation import Conversation
from assistant.conversation.planner import Switches
from assistant.daemon import assemble
from assistant.errors import AssistantError
from assistant.models import UserContext
from bench.form import DATA, argument_parser, median, report
from bench.scoring import Contract, Score, score
from bench.utterances import MODEL, read_items, read_world

PARTS = ("templates", "shortlist", "grammar", "grounding", "second_try", "examples")


def main() -> None:
    """Measure and report."""
    parser = argument_parser("ablation", __doc__ or "")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--step", type=int, default=3, help="every N-th item only")
    parser.add_argument("--without", nargs="*", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    items = read_items(options.data or DATA / "own_utterances.jsonl")[:: options.step]
    user, now = read_world(DATA / "context.yaml")
    figures, rows = asyncio.run(_measure(items, user, now, options.model, options.without))
    report("ablation", figures, rows=rows, only_json=options.json)


async def _measure(
    items: Sequence[Mapping[str, Any]], user: UserContext, now: datetime, model: str, without: Sequence[str]
) -> tuple[dict[str, float | int | None], list[tuple[object, ...]]]:
    figures: dict[str, float | int | None] = {"n": len(items)}
    rows: list[tuple[object, ...]] = [("without", "exact", "points lost", "median ms", "acted wrongly")]
    whole = await _plan_all(items, user, now, model, Switches(), {})
    for part in ("", *without):
        kept = {} if part in ("", "templates") else {key: one for key, one in whole.items() if one[2] == "intent"}
        found = (
            whole if not part else await _plan_all(items, user, now, model, replace(Switches(), **{part: False}), kept)
        )
        exact = sum(one[0].exact for one in found.values()) / len(items)
        name = f"without_{part}" if part else "whole"
        base = figures.get("whole_exact") or exact
        figures |= {
            f"{name}_exact": round(exact, 4),
            f"{name}_ms": median([one[1] for one in found.values()]),
            f"{name}_wrong": sum(one[0].side_effect for one in found.values()),
        }
        lost = round(100 * (base - exact), 1)
        rows.append((part or "nothing", round(exact, 3), lost, figures[f"{name}_ms"], figures[f"{name}_wrong"]))
    return figures, rows


async def _plan_all(
    items: Sequence[Mapping[str, Any]],
    user: UserContext,
    now: datetime,
    model: str,
    switches: Switches,
    kept: Mapping[str, tuple[Score, float, str]],
) -> dict[str, tuple[Score, float, str]]:
    """By item: its score, its milliseconds, and who decided."""
    config = Config.model_validate({"notify": {"desktop": False}, "engine": {"model": model}})
    home = folders.find()
    found: dict[str, tuple[Score, float, str]] = {}
    contract = Contract()
    async with AsyncExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        paths = replace(home, config=base, data=base / "data", state=base / "state", run=base / "run")
        paths.make()
        services = await assemble(paths, config, stack, switches=switches)
        for item in items:
            key = str(item["id"])
            found[key] = kept.get(key) or await _one(services.conversation, item, user, now, contract)
    return found


async def _one(
    conversation: Conversation, item: Mapping[str, Any], user: UserContext, now: datetime, contract: Contract
) -> tuple[Score, float, str]:
    try:
        plan = await conversation.plan(item["text"], now=now, user=user)
    except AssistantError:
        return score(item, None, contract), 0.0, "failed"
    return score(item, json.loads(plan.model_dump_json()), contract), float(plan.ms), plan.via


if __name__ == "__main__":
    main()
