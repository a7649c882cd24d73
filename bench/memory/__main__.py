"""How well what was said is found again: LoCoMo, PrefEval, BEAM, MemDaily (`--data DIR`), and sets of our own.

`--data` names a folder in the layout of the development data; a part that is absent gives null. `--only` chooses parts,
`--most N` takes so many conversations or questions of each. Every turn goes through the product's own write path, and
every question through its own search, with one configuration for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.form import argument_parser, report
from bench.memory import extracting, forgetting, recalling
from bench.memory.home import Workshop, workshop

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
    "forget": ("forget_leaks", "forget_harmed", "forget_p95_s", "forget_max_s"),
    "turns": ("extract_precision", "extract_recall_en", "extract_recall_zh"),
}
_NOT_YET = (
    *("kill_lost", "kill_doubled", "kill_inconsistent", "junk", "near_dup"),
    *("recall_p95_ms_20k", "recall_p95_ms_200k", "embed_p95_ms"),
)
"""Figures that are promised and that this bench can't measure yet."""


def main() -> None:
    """Measure, report."""
    parser = argument_parser("memory", __doc__ or "")
    parser.add_argument("--only", nargs="*", default=list(_FIGURES), choices=list(_FIGURES))
    parser.add_argument("--most", type=int, default=0)
    options = parser.parse_args()
    figures, notes = asyncio.run(_measured(options.data, options.only, options.most))
    report("memory", figures, notes, only_json=options.json)


async def _measured(data: Path | None, only: list[str], most: int) -> tuple[recalling.Figures, dict[str, str]]:
    figures: recalling.Figures = {name: None for names in _FIGURES.values() for name in names}
    notes = dict.fromkeys(figures, "not asked for") | dict.fromkeys(_NOT_YET, "this bench does not measure it yet")
    figures |= dict.fromkeys(_NOT_YET)
    async with workshop() as shop:
        for part in only:
            if part == "turns":
                figures |= extracting.measured()
                continue
            if part == "pairs":
                figures |= await recalling.of_pairs(shop)
                continue
            if part == "forget":
                figures |= await forgetting.measured(shop, most)
                continue
            folder, measure = _PUBLIC[part]
            if data is None or not (data / folder).is_dir():
                notes |= dict.fromkeys(_FIGURES[part], f"no folder {folder} under --data")
                continue
            figures |= await measure(shop, data / folder, most)
    return figures, {name: note for name, note in notes.items() if figures[name] is None}


if __name__ == "__main__":
    main()
