"""Parts that freeze: the service manager misses the loop's pings, the daemon misses the worker's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from assistant.config import EngineSettings
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.engine.process import WorkerProcess
from assistant.errors import EngineError, WorkerDied
from assistant.models import Completion, Message
from assistant.paths import Paths
from bench.faults.frozen import frozen_worker, hanging_loop
from bench.faults.models import feed

ASKED = Completion(messages=(Message(role="user", content="Hello."),), max_tokens=3)


@pytest.mark.parametrize("stopped", [False, True], ids=["its loop hangs", "it is stopped"])
def test_the_service_manager_notices_a_daemon_that_hangs(stopped: bool, tmp_path: Path) -> None:
    loop = hanging_loop(tmp_path, stopped=stopped)
    assert loop.ready
    assert loop.pinged
    assert loop.noticed
    assert loop.came_back


def test_the_unit_asks_for_the_watchdog_and_a_new_start() -> None:
    unit = (Path(__file__).parents[2] / "assistant" / "cli" / "units" / "assistant.service").read_text(encoding="utf-8")
    for line in ("Type=notify", "WatchdogSec=30", "Restart=on-failure"):
        assert line in unit.splitlines()


@pytest.mark.model
def test_a_worker_that_freezes_in_an_answer_is_replaced(small_model: Path, tmp_path: Path) -> None:
    worker = frozen_worker(small_model.stem, tmp_path)
    assert worker.frozen
    assert worker.ended
    assert worker.restarts == 1
    assert worker.seconds < 60, "that is when silence itself would have been noticed"


@pytest.mark.model
async def test_a_worker_that_dies_whenever_it_loads_is_not_started_for_ever(small_model: Path, tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path / "data", small_model.parent, tmp_path / "state", tmp_path / "run")
    settings = EngineSettings(model=small_model.stem, context=1024, threads=1)
    engine = Engine(paths, settings, ModelStore(paths, settings))
    assert [chunk async for chunk in engine.complete(ASKED)]  # probed, and found good
    await engine.aclose()
    engine = Engine(
        paths, settings, ModelStore(paths, settings), environment={"ASSISTANT_FAILPOINT": "worker.load:kill"}
    )
    codes = []
    for number in range(4):
        request = ASKED.model_copy(update={"seed": number})
        with pytest.raises(EngineError) as error:
            _ = [chunk async for chunk in engine.complete(request)]
        codes.append(error.value.code)
    assert codes[-2:] == ["engine.load_poison"] * 2
    assert engine.status()["restarts"] == 3
    await engine.aclose()


async def test_a_worker_that_grows_out_of_all_proportion_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.engine.process._BEAT_S", 0.05)
    worker = await WorkerProcess.start()
    worker.cap = 1
    async with asyncio.timeout(30):
        while worker.alive:  # noqa: ASYNC110 - looks from outside
            await asyncio.sleep(0.02)
    assert worker.reason == "memory"
    with pytest.raises(WorkerDied):
        await worker.ask("stats", within=5)
    await worker.close()


@pytest.mark.model
def test_broken_model_files_are_a_sentence_and_never_the_daemons_end(small_model: Path, tmp_path: Path) -> None:
    for told in feed(small_model, tmp_path, 12, seed=1):
        assert told.typed, told
