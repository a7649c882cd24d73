"""Kills the engine's worker with SIGKILL at random moments of answers: how many answers are lost or changed.

Each turn is one greedy answer of the small model; the moments are spread over reading, writing and the worker's start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from assistant import paths
from assistant.config import EngineSettings
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.errors import AssistantError
from assistant.models import Completion, Message
from bench import form

_QUESTIONS = ("Describe the sea.", "Tell me about bread.", "Why is the sky blue?", "Write a letter to a friend.")
_TOKENS = 48


async def _answer(engine: Engine, question: str) -> str:
    request = Completion(messages=(Message(role="user", content=question),), max_tokens=_TOKENS)
    return "".join([chunk.text async for chunk in engine.complete(request)])


async def _killed(engine: Engine, question: str, after: float) -> tuple[str | None, bool]:
    """One answer with its worker killed after so many seconds. Returns the answer, None if lost, and whether it hit."""
    task = asyncio.create_task(_answer(engine, question))
    await asyncio.wait({task}, timeout=after)
    pid = engine.status()["pid"]
    hit = not task.done() and pid is not None
    if hit:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        return await task, hit
    except AssistantError as error:
        print(f"lost: {error}", file=sys.stderr)
        return None, hit


async def _measure(engine: Engine, kills: int, seed: int) -> dict[str, float | int | None]:
    dice = random.Random(seed)
    undisturbed: dict[str, str] = {}
    took: list[float] = []
    await _answer(engine, _QUESTIONS[0])  # the probe and the first load are not what is measured
    for question in _QUESTIONS:
        began = time.monotonic()
        undisturbed[question] = await _answer(engine, question)
        took.append(time.monotonic() - began)
    whole = form.median(took) or 1.0
    done = turns = lost = changed = 0
    recovery: list[float] = []
    while done < kills:
        question = dice.choice(_QUESTIONS)
        began = time.monotonic()
        text, hit = await _killed(engine, question, dice.uniform(0, whole))
        turns += 1
        done += hit
        lost += text is None
        changed += text is not None and text != undisturbed[question]
        if hit and text is not None:
            recovery.append(time.monotonic() - began - whole)
    return {
        "kills": done,
        "turns": turns,
        "turns_lost": lost,
        "turns_changed": changed,
        "answer_median_s": whole,
        "recovery_median_s": form.median(recovery),
        "restarts": engine.status()["restarts"],
    }


async def _run(
    model: str, kills: int, threads: int, seed: int, home: Path
) -> tuple[dict[str, float | int | None], str]:
    where = paths.Paths(
        config=home, data=home / "data", models=paths.find().models, state=home / "state", run=home / "run"
    )
    settings = EngineSettings(model=model, context=1024, threads=threads)
    store = ModelStore(where, settings)
    if store.chosen() is None:
        await asyncio.to_thread(store.pull, model, lambda *_: None, lambda _: True)
    engine = Engine(where, settings, store)
    try:
        figures = await _measure(engine, kills, seed)
        status = engine.status()
    finally:
        await engine.aclose()
    crashes = ", ".join(f"{crash['profile']} crashed with {crash['cause']}" for crash in status["crashes"])
    return figures, f"profile {status['profile']}; {crashes or 'no profile crashed'}"


def main() -> None:
    """Measure and print."""
    parser = form.argument_parser("worker", __doc__ or "")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1, help="of the worker; several wait for one another when busy")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        found = asyncio.run(_run(options.model, options.kills, options.threads, options.seed, Path(folder)))
    figures, probe = found
    form.report("worker", figures, {"probe": probe}, only_json=options.json)


if __name__ == "__main__":
    main()
