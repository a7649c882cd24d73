"""How well what was said is found again: LoCoMo, PrefEval, BEAM, MemDaily (`--data DIR`), and sets of our own.

`--data` names a folder in the layout of the development data; a part that is absent gives null. `--only` chooses parts,
`--most N` takes so many conversations or questions of each. Every turn goes through the product's own write path, and
every question through its own search, with one configuration for all. `--only lift --model NAME` asks a language model,
which takes an hour or more, and is not done unless it is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from assistant.errors import EngineError
from bench.form import argument_parser, report
from bench.memory import extracting, forgetting, habits, killing, lifting, recalling, replaying, speed
from bench.memory.home import Workshop, workshop

_PUBLIC: dict[str, tuple[str, Callable[[Workshop, Path, int], Awaitable[recalling.Figures]]]] = {
    "locomo": ("locomo", recalling.of_locomo),
    "prefeval": ("prefeval", recalling.of_prefeval),
    "memdaily": ("memdaily", recalling.of_memdaily),
    "beam": ("beam100k", recalling.of_beam),
    "lift": ("prefeval", lifting.measured),
}
_OWN: dict[str, Callable[[Workshop, int], Awaitable[recalling.Figures]]] = {
    "pairs": recalling.of_pairs,
    "forget": forgetting.measured,
    "kills": killing.measured,
    "turns": extracting.measured,
    "month": replaying.measured,
    "speed": speed.measured,
    "habits": habits.measured,
}
_FIGURES = {
    "locomo": ("locomo_r10", "locomo_session_r10"),
    "prefeval": ("prefeval_r1", "prefeval_r5"),
    "memdaily": ("memdaily_r5", "memdaily_r5_of_five"),
    "beam": ("beam_updated_first", "beam_both_sides", "abstain", "abstain_false"),
    "pairs": ("xling_top1",),
    "forget": forgetting.FIGURES,
    "kills": killing.FIGURES,
    "lift": lifting.FIGURES,
    "turns": extracting.FIGURES,
    "month": replaying.FIGURES,
    "speed": speed.FIGURES,
    "habits": habits.FIGURES,
}


def main() -> None:
    """Measure, report."""
    parser = argument_parser("memory", __doc__ or "")
    parser.add_argument("--only", nargs="*", default=[one for one in _FIGURES if one != "lift"], choices=list(_FIGURES))
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--model", default="", help="an installed model: reads turns and month, answers in lift")
    parser.add_argument("--threads", type=int, default=0, help="of that model; 0: as the product chooses")
    options = parser.parse_args()
    shop = workshop(options.model, options.threads)
    figures, notes = asyncio.run(_measured(shop, options.data, options.only, options.most))
    report("memory", figures, notes, only_json=options.json)


async def _measured(
    making: AbstractAsyncContextManager[Workshop], data: Path | None, only: list[str], most: int
) -> tuple[recalling.Figures, dict[str, str]]:
    figures: recalling.Figures = {name: None for names in _FIGURES.values() for name in names}
    notes = dict.fromkeys(figures, "not asked for")
    async with making as shop:
        if shop.model is None:
            notes |= dict.fromkeys((*extracting.OF_THE_MODEL, *lifting.FIGURES), "--model names none")
        for part in only:
            try:
                if part in _OWN:
                    figures |= await _OWN[part](shop, most)
                    continue
                folder, measure = _PUBLIC[part]
                if data is None or not (data / folder).is_dir():
                    notes |= dict.fromkeys(_FIGURES[part], f"no folder {folder} under --data")
                    continue
                figures |= await measure(shop, data / folder, most)
            except EngineError as error:
                notes |= dict.fromkeys(_FIGURES[part], str(error))
    return figures, {name: note for name, note in notes.items() if figures[name] is None}


if __name__ == "__main__":
    main()
