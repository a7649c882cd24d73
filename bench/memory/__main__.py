"""How well what was said is found again: LoCoMo, PrefEval, BEAM, MemDaily (`--data DIR`), and sets of our own.

`--data` names a folder in the layout of the development data; a part that is absent gives null. `--only` chooses parts,
`--most N` takes so many conversations or questions of each. Every turn goes through the product's own write path, and
every question through its own search, with one configuration for all. `--only lift --model NAME` asks a language model,
which takes an hour or more, and is not done unless it is asked for.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from assistant.errors import EngineError
from bench.form import argument_parser, report
from bench.memory import extracting, lifting, recalling
from bench.memory.home import Workshop, workshop
from bench.utterances import MODEL

_PUBLIC: dict[str, tuple[str, Callable[[Workshop, Path, int], Awaitable[recalling.Figures]]]] = {
    "locomo": ("locomo", recalling.of_locomo),
    "prefeval": ("prefeval", recalling.of_prefeval),
    "memdaily": ("memdaily", recalling.of_memdaily),
    "beam": ("beam100k", recalling.of_beam),
}
_FIGURES = {
    "locomo": ("locomo_r10", "locomo_session_r10"),
    "prefeval": ("prefeval_r1", "prefeval_r5"),
    "memdaily": ("memdaily_r5",),
    "beam": ("beam_updated_first", "beam_both_sides", "abstain", "abstain_false"),
    "pairs": ("xling_top1",),
    "lift": (
        "lift_none",
        "lift_oracle",
        "lift_retrieved",
        "lift_se",
        "lift_of_oracle",
        "lift_points",
        "lift_n",
    ),
    "turns": ("extract_precision", "extract_recall_en", "extract_recall_zh"),
}
_NOT_YET = ("junk", "near_dup", "forget_leaks", "recall_p95_ms_20k", "recall_p95_ms_200k", "embed_p95_ms")
"""Figures that are promised and that this bench can't measure yet."""


def main() -> None:
    """Measure, report."""
    parser = argument_parser("memory", __doc__ or "")
    parser.add_argument("--only", nargs="*", default=[one for one in _FIGURES if one != "lift"], choices=list(_FIGURES))
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--model", default=MODEL, help="the language model of `--only lift`")
    parser.add_argument("--threads", type=int, default=0, help="its threads; 0 is what the daemon would take")
    options = parser.parse_args()
    figures, notes = asyncio.run(_measured(options))
    report("memory", figures, notes, only_json=options.json)


async def _measured(options: argparse.Namespace) -> tuple[recalling.Figures, dict[str, str]]:
    data: Path | None = options.data
    figures: recalling.Figures = {name: None for names in _FIGURES.values() for name in names}
    notes = dict.fromkeys(figures, "not asked for") | dict.fromkeys(_NOT_YET, "this bench does not measure it yet")
    figures |= dict.fromkeys(_NOT_YET)
    async with workshop() as shop:
        for part in options.only:
            if part == "turns":
                figures |= extracting.measured()
                continue
            if part == "pairs":
                figures |= await recalling.of_pairs(shop)
                continue
            folder, measure = _PUBLIC.get(part, ("prefeval", partial(_lift, options)))
            if data is None or not (data / folder).is_dir():
                notes |= dict.fromkeys(_FIGURES[part], f"no folder {folder} under --data")
                continue
            try:
                figures |= await measure(shop, data / folder, options.most)
            except EngineError as error:
                notes |= dict.fromkeys(_FIGURES[part], str(error))
    return figures, {name: note for name, note in notes.items() if figures[name] is None}


async def _lift(options: argparse.Namespace, shop: Workshop, folder: Path, most: int) -> recalling.Figures:
    return await lifting.measured(shop, folder, most, options.model, options.threads)


if __name__ == "__main__":
    main()
