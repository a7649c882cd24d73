"""What the assistant costs beside its model: latency it adds to a turn, memory when idle, time to the first answer.

The model is scripted and answers at once, so all that is measured is ours. Starts are measured with compiled bytecode,
as pip leaves it; the one before them, which may have to compile, is told apart.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from assistant.client import Client, ConnectionLost, NotRunning
from assistant.events import Reply
from bench.form import SETTLE_S, Home, argument_parser, median, percentile, report, rss_mb

TURNS = 300
STARTS = 5
_GOALS = {"added_p95_ms": 25, "idle_rss_mb": 120, "cold_start_s": 1.5}
_ANSWER = "It scatters short waves more than long ones."
_QUESTIONS = ("Why is the sky blue?", "天空为什么是蓝色的？")


def main() -> None:
    """Measure and report."""
    parser = argument_parser("overhead", __doc__ or "")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--starts", type=int, default=STARTS)
    options = parser.parse_args()
    if options.data:
        parser.error("overhead takes no data")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        script = Path(folder) / "script.jsonl"
        script.write_text(f"reply: {_ANSWER}\n", encoding="utf-8")
        with Home({"engine.model": f"scripted:{script}"}, start=False) as home:
            first = _cold_start(home)
            starts = [_cold_start(home) for _ in range(options.starts)]
            home.start()
            time.sleep(SETTLE_S)
            idle = rss_mb(home.pid)
            latencies = asyncio.run(_latencies(home, options.turns))
            used = rss_mb(home.pid)
    figures = {
        "added_p50_ms": _rounded(percentile(latencies, 0.5)),
        "added_p95_ms": _rounded(percentile(latencies, 0.95)),
        "idle_rss_mb": _rounded(idle),
        "cold_start_s": _rounded(median(starts)),
        "slowest_start_s": _rounded(max(starts)),
        "first_start_s": _rounded(first),
        "rss_after_turns_mb": _rounded(used),
        "turns": len(latencies),
        "cold_starts": len(starts),
    }
    rows: list[tuple[object, ...]] = [("goal", "below", "measured")]
    rows += [(name, goal, figures[name]) for name, goal in _GOALS.items()]
    report("overhead", figures, rows=rows, only_json=options.json)


def _cold_start(home: Home) -> float:
    """Seconds from the start of the process to its first reply."""
    started = time.monotonic()
    home.spawn()
    asyncio.run(_first_answer(home))
    took = time.monotonic() - started
    home.stop()
    return took


async def _first_answer(home: Home) -> None:
    async with home.client() as client:
        while True:
            try:
                await _turn(client, _QUESTIONS[0])
                return
            except (NotRunning, ConnectionLost):
                home.check()
                await asyncio.sleep(0.005)


async def _latencies(home: Home, turns: int) -> list[float]:
    """Milliseconds of each turn, from the request to its last event, both languages in turn."""
    async with home.client() as client:
        return [1000 * await _turn(client, _QUESTIONS[number % len(_QUESTIONS)]) for number in range(turns)]


async def _turn(client: Client, text: str) -> float:
    """Seconds of one answered turn. Raises RuntimeError where the answer is not the scripted one."""
    started, said = time.monotonic(), ""
    async for event in client.turn(text, session="bench", surface="api"):
        if isinstance(event, Reply):
            said = event.text
    took = time.monotonic() - started
    if said != _ANSWER:
        raise RuntimeError(f"the scripted answer was expected, not {said!r}")
    return took


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


if __name__ == "__main__":
    main()
