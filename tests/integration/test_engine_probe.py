"""The probe: native code that dies as it does on machines whose AMX is reported and does not run."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.config import EngineSettings
from assistant.engine import probe as probing
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.engine.probe import ProbeStore, key, probe
from assistant.errors import EngineError, ModelRefused
from assistant.models import Completion, Message
from assistant.paths import Paths
from tests.support import tiny_gguf

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() != "x86_64" or not shutil.which("cc"),
        reason="the fault is an x86 instruction in a preloaded Linux library",
    ),
]

QUESTION = Completion(messages=(Message(role="user", content="What is the capital of France?"),), max_tokens=16)
SIGNALS = {"SIGILL", "SIGSEGV"}


@pytest.fixture(scope="session")
def fault(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library that makes workers die at `ldtilecfg`."""
    library = tmp_path_factory.mktemp("fault") / "fault.so"
    source = Path(__file__).parent.parent / "support" / "fault.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return str(library)


def engine_of(home: Path, model: Path, environment: dict[str, str]) -> Engine:
    paths = Paths(config=home, data=home / "data", models=model.parent, state=home / "state", run=home / "run")
    settings = EngineSettings(model=model.stem, context=512, threads=1)
    return Engine(paths, settings, ModelStore(paths, settings), environment=environment)


async def answer(engine: Engine) -> str:
    return "".join([chunk.text async for chunk in engine.complete(QUESTION)])


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the profiles that were tried, in order."""
    tried: list[str] = []
    real = probing._try

    async def watched(file, candidate, **options):
        tried.append(candidate.name)
        return await real(file, candidate, **options)

    monkeypatch.setattr(probing, "_try", watched)
    return tried


async def test_a_healthy_machine_uses_the_fast_profile(small_model: Path) -> None:
    record = await probe(small_model, threads=1, gpu_layers=0)
    assert (record.profile, record.crashes) == ("fast", ())


async def test_the_amx_crash_is_caught_remembered_and_the_assistant_answers(
    small_model: Path, tmp_path: Path, fault: str, probes: list[str]
) -> None:
    engine = engine_of(tmp_path, small_model, {"LD_PRELOAD": fault})
    try:
        assert await answer(engine)
        status = engine.status()
    finally:
        await engine.aclose()
    assert probes == ["fast", "no-extra-buffers"]
    assert status["profile"] == "no-extra-buffers"
    assert status["restarts"] == 0
    [crash] = status["crashes"]
    assert crash["profile"] == "fast"
    assert crash["cause"] in SIGNALS

    probes.clear()
    second = engine_of(tmp_path, small_model, {"LD_PRELOAD": fault})
    try:
        assert await answer(second)
        assert (await second.stats())["profile"] == "no-extra-buffers"
    finally:
        await second.aclose()
    assert probes == []


async def test_a_profile_that_crashes_at_work_later_is_probed_anew_and_the_answer_still_comes(
    small_model: Path, tmp_path: Path, fault: str, probes: list[str]
) -> None:
    armed = tmp_path / "armed"
    engine = engine_of(tmp_path, small_model, {"LD_PRELOAD": fault, "FAULT_ARMED": str(armed)})
    try:
        assert await answer(engine)
        assert probes == ["fast"]
        armed.touch()
        assert await answer(engine)
        status = engine.status()
    finally:
        await engine.aclose()
    assert probes == ["fast", "no-extra-buffers"]
    assert (status["profile"], status["restarts"]) == ("no-extra-buffers", 1)
    assert status["crashes"][0]["serving"] is True


async def test_a_request_that_kills_every_profile_does_not_cost_the_fast_one(
    small_model: Path, tmp_path: Path, fault: str
) -> None:
    armed = tmp_path / "armed"
    environment = {"LD_PRELOAD": fault, "FAULT_ARMED": str(armed), "FAULT_ALWAYS": "1"}
    engine = engine_of(tmp_path, small_model, environment)
    try:
        assert await answer(engine)
        before = ProbeStore(tmp_path / "state" / "probe.json").get(key(small_model))
        armed.touch()
        with pytest.raises(EngineError) as error:
            await answer(engine)
        assert error.value.code == "engine.no_profile"
        armed.unlink()
    finally:
        await engine.aclose()
    again = engine_of(tmp_path, small_model, environment)
    try:
        assert await answer(again)
    finally:
        await again.aclose()
    assert ProbeStore(tmp_path / "state" / "probe.json").get(key(small_model)) == before


async def test_a_model_that_crashes_in_every_profile_is_refused_with_what_was_found(
    small_model: Path, tmp_path: Path, fault: str, probes: list[str]
) -> None:
    engine = engine_of(tmp_path, small_model, {"LD_PRELOAD": fault, "FAULT_ALWAYS": "1"})
    try:
        for _ in range(2):
            with pytest.raises(EngineError) as error:
                await answer(engine)
            assert error.value.code == "engine.no_profile"
            assert "plain: SIG" in error.value.data["causes"]
    finally:
        await engine.aclose()
    assert probes == ["fast", "no-extra-buffers", "plain"]


async def test_a_probe_that_hangs_is_a_crash(small_model: Path) -> None:
    record = await probe(small_model, threads=1, gpu_layers=0, within=0.001)
    assert record.profile is None
    assert {crash.cause for crash in record.crashes} == {"stalled"}


async def test_a_file_that_llama_cpp_can_not_load_is_refused_not_probed_further(tmp_path: Path) -> None:
    file = tiny_gguf.write(tmp_path / "tiny.gguf")
    with pytest.raises(ModelRefused) as refusal:
        await probe(file, threads=1, gpu_layers=0)
    assert refusal.value.code == "engine.load_failed"
