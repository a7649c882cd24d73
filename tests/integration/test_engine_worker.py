"""The engine with a real worker and the 135M model: streaming, binding, cancelling, dying, going on.

One thread: several threads wait for one another at every barrier, which takes forever on a machine that is busy.
Greedy answers are compared only where the computation is the very same: a prompt read in other batches may decide a
close call otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from assistant.config import EngineSettings
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.engine.process import WorkerProcess, reach_of
from assistant.errors import Cancelled, ContextOverflow, EngineError, ModelMissing, WorkerDied
from assistant.models import Chunk, Completion, Message, Priority
from assistant.paths import Paths

pytestmark = pytest.mark.model

POEM = Completion(messages=(Message(role="user", content="Write a short poem about the sea."),), max_tokens=32)


def paths_for(home: Path, models: Path) -> Paths:
    return Paths(config=home, data=home / "data", models=models, state=home / "state", run=home / "run")


@contextlib.asynccontextmanager
async def running(small_model: Path, home: Path, **settings) -> AsyncIterator[Engine]:
    chosen = EngineSettings(**{"model": small_model.stem, "context": 1024, "threads": 1, **settings})
    paths = paths_for(home, small_model.parent)
    engine = Engine(paths, chosen, ModelStore(paths, chosen))
    try:
        yield engine
    finally:
        await engine.aclose()


@pytest.fixture
async def engine(small_model: Path, tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(small_model, tmp_path) as found:
        yield found


def about(topic: str) -> Completion:
    """A prompt of some 400 tokens that shares nothing with one about another topic."""
    return Completion(messages=(Message(role="user", content=f"{topic} " * 350),), max_tokens=2)


async def text_of(engine: Engine, request: Completion, *, kill_after: int = 0) -> tuple[str, Chunk]:
    """The whole text and the last chunk; with `kill_after` the worker is killed after so many chunks."""
    text, number = "", 0
    async for chunk in engine.complete(request):
        text += chunk.text
        number += 1
        if number == kill_after:
            os.kill(engine.status()["pid"], signal.SIGKILL)
    return text, chunk


async def test_an_answer_is_streamed_with_usage_and_the_same_again_comes_from_the_cache(engine: Engine) -> None:
    first, end = await text_of(engine, POEM)
    assert end.finish in ("stop", "length")
    assert end.usage is not None
    assert end.usage.cached_tokens == 0
    assert first
    again, end = await text_of(engine, POEM)
    assert again
    assert end.usage is not None
    assert end.usage.cached_tokens == end.usage.prompt_tokens - 1
    stats = await engine.stats()
    assert stats["cached_tokens"] >= end.usage.prompt_tokens
    assert stats["rss"] > 0
    assert await engine.tokenize("hello world") == 2


async def test_a_schema_binds_the_answer(engine: Engine) -> None:
    schema = {
        "type": "object",
        "properties": {"kind": {"enum": ["sea", "land"]}, "lines": {"type": "integer", "maximum": 99, "minimum": 0}},
        "required": ["kind", "lines"],
    }
    text, end = await text_of(engine, POEM.model_copy(update={"json_schema": schema, "temperature": 0.9, "seed": 3}))
    assert end.finish == "stop"
    told = json.loads(text)
    assert set(told) == {"kind", "lines"}
    assert told["kind"] in ("sea", "land")


async def test_a_grammar_binds_the_answer_after_a_kill_as_well(engine: Engine) -> None:
    request = POEM.model_copy(update={"grammar": 'root ::= ("海" | "天"){40}', "max_tokens": 200, "temperature": 0.8})
    text, _ = await text_of(engine, request, kill_after=9)
    assert len(text) == 40
    assert set(text) <= {"海", "天"}
    assert engine.status()["restarts"] == 1


@pytest.mark.parametrize(
    "change",
    [{"grammar": "root ::= ("}, {"json_schema": {"type": "nonsense"}}, {"grammar": "x", "json_schema": {}}],
)
async def test_what_can_not_bind_is_refused_and_the_worker_lives(engine: Engine, change: dict[str, object]) -> None:
    with pytest.raises(EngineError) as error:
        await text_of(engine, POEM.model_copy(update=change))
    assert error.value.code in ("engine.grammar", "engine.schema", "engine.request")
    assert (await text_of(engine, POEM))[1].finish
    assert engine.status()["restarts"] == 0


async def test_a_stop_string_ends_the_answer_and_is_not_shown(engine: Engine) -> None:
    request = POEM.model_copy(update={"grammar": 'root ::= "one two three four"', "stop": ("ee f", "nothing")})
    text, end = await text_of(engine, request)
    assert (text, end.finish) == ("one two thr", "stop")


async def test_the_first_tokens_come_with_their_probabilities(engine: Engine) -> None:
    _, end = await text_of(engine, POEM.model_copy(update={"logprobs": 3}))
    assert len(end.logprobs) == 3
    for told in end.logprobs:
        assert told.logprob <= 0
        assert max(told.top, key=lambda token: told.top[token]) == told.token


async def test_a_seed_repeats_a_sampled_answer(engine: Engine) -> None:
    request = POEM.model_copy(update={"temperature": 1.0, "seed": 11})
    await text_of(engine, request)  # from here on the prompt comes from the cache: the computation is the same
    assert (await text_of(engine, request))[0] == (await text_of(engine, request))[0]


async def test_a_prompt_longer_than_the_context_is_said(engine: Engine) -> None:
    long = Completion(messages=(Message(role="user", content="word " * 3000),))
    with pytest.raises(ContextOverflow) as error:
        await text_of(engine, long)
    assert error.value.data["limit"] == 1024


async def test_closing_the_iterator_frees_the_model_for_the_next(engine: Engine) -> None:
    stream = engine.complete(POEM.model_copy(update={"max_tokens": 400}))
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    text, end = await text_of(engine, POEM)
    assert text
    assert end.finish
    assert engine.status()["restarts"] == 0


async def test_a_worker_killed_in_the_middle_is_replaced_and_nothing_is_said_twice(engine: Engine) -> None:
    pieces: list[str] = []
    async for chunk in engine.complete(POEM):
        pieces.append(chunk.text)
        if len(pieces) == 10:
            os.kill(engine.status()["pid"], signal.SIGKILL)
    assert chunk.finish in ("stop", "length")
    assert chunk.usage is not None
    # A piece is at least a token: had the beginning been written again, there would be more pieces than tokens.
    assert 10 < len([piece for piece in pieces if piece]) <= chunk.usage.output_tokens <= POEM.max_tokens
    assert "".join(pieces[10:20]) != "".join(pieces[:10])
    assert engine.status()["restarts"] == 1


async def test_a_request_whose_worker_dies_twice_fails_and_the_third_time_it_is_refused(engine: Engine) -> None:
    async def killing() -> None:
        number = 0
        async for _ in engine.complete(POEM):
            number += 1
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(engine.status()["pid"], signal.SIGKILL)

    with pytest.raises(WorkerDied) as death:
        await killing()
    assert death.value.data["reason"] == "SIGKILL"
    with pytest.raises(EngineError) as error:
        await killing()
    assert error.value.code == "engine.poison"
    with pytest.raises(EngineError) as error:
        await killing()
    assert error.value.code == "engine.poison"
    assert (await text_of(engine, POEM.model_copy(update={"max_tokens": 5})))[1].finish


async def test_a_person_is_served_before_background_work_and_that_goes_on_afterwards(engine: Engine) -> None:
    order: list[str] = []

    async def one(name: str, request: Completion) -> str:
        text, _ = await text_of(engine, request)
        order.append(name)
        return text

    background = POEM.model_copy(update={"priority": Priority.BACKGROUND})
    stream = engine.complete(background)
    first = await anext(stream)
    waiting = asyncio.create_task(one("background", background.model_copy(update={"max_tokens": 4})))
    await asyncio.sleep(0)
    person = asyncio.create_task(one("person", POEM.model_copy(update={"max_tokens": 5})))
    rest = [chunk async for chunk in stream]
    order.append("running")
    await asyncio.gather(waiting, person)
    assert order == ["person", "running", "background"]
    usage = rest[-1].usage
    assert usage is not None
    assert len([chunk for chunk in (first, *rest) if chunk.text]) <= usage.output_tokens <= POEM.max_tokens
    assert engine.status()["restarts"] == 0


async def test_a_stopped_worker_is_noticed_by_the_deadline(small_model: Path, tmp_path: Path) -> None:
    async with running(small_model, tmp_path, request_timeout_s=2) as engine:
        await text_of(engine, POEM.model_copy(update={"max_tokens": 2}))
        worker = psutil.Process(engine.status()["pid"])
        asyncio.get_running_loop().call_later(0.1, worker.suspend)
        asyncio.get_running_loop().call_later(4, worker.resume)
        with pytest.raises(EngineError) as error:
            await text_of(engine, POEM.model_copy(update={"max_tokens": 900}))
        assert error.value.code == "engine.timeout"
        assert (await text_of(engine, POEM))[1].finish


async def test_the_state_survives_the_worker_and_a_damaged_one_is_refused(engine: Engine) -> None:
    await text_of(engine, POEM)
    file = engine.states / "state.bin"
    saved = await engine.save(file)
    os.kill(engine.status()["pid"], signal.SIGKILL)
    assert await engine.restore(file) == saved
    _, end = await text_of(engine, POEM)
    assert end.usage is not None
    assert end.usage.cached_tokens == end.usage.prompt_tokens - 1
    data = bytearray(file.read_bytes())
    data[-100] ^= 1
    file.write_bytes(data)
    with pytest.raises(EngineError) as error:
        await engine.restore(file)
    assert error.value.code == "engine.state_refused"
    assert (await text_of(engine, POEM))[0]


async def test_an_idle_model_is_unloaded_and_comes_back(small_model: Path, tmp_path: Path) -> None:
    async with running(small_model, tmp_path, idle_unload_s=1) as engine:
        await text_of(engine, POEM)
        async with asyncio.timeout(30):
            while engine.status()["pid"] is not None:  # noqa: ASYNC110 - looks from outside, as a person would
                await asyncio.sleep(0.05)
        assert (await text_of(engine, POEM))[1].finish


async def test_closing_the_engine_stops_the_worker_and_frees_who_waits(small_model: Path, tmp_path: Path) -> None:
    async with running(small_model, tmp_path) as engine:
        stream = engine.complete(POEM.model_copy(update={"max_tokens": 400}))
        await anext(stream)
        pid = engine.status()["pid"]
        waiting = asyncio.create_task(text_of(engine, POEM))
        await asyncio.sleep(0)
        await engine.aclose()
        with pytest.raises(Cancelled):
            await waiting
        with pytest.raises(Cancelled):
            async for _ in stream:
                pass
    assert not psutil.pid_exists(pid)


async def test_a_worker_does_not_outlive_who_started_it(small_model: Path) -> None:
    worker = await WorkerProcess.start()
    process = psutil.Process(worker.pid)
    assert worker._process.stdin is not None
    worker._process.stdin.close()
    await asyncio.wait_for(worker._process.wait(), 30)
    assert not process.is_running()
    await worker.close()


async def test_the_worker_that_opens_a_models_file_reaches_nothing_else(small_model: Path, tmp_path: Path) -> None:
    """A model's file is not trusted: what its reading may take over is closed in from the worker's first moment on."""
    secret = tmp_path / "secret"
    secret.write_text("x", encoding="utf-8")
    async with running(small_model, tmp_path) as engine:
        await text_of(engine, POEM.model_copy(update={"max_tokens": 2}))
        status = Path(f"/proc/{engine.status()['pid']}/status").read_text(encoding="utf-8")
        assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        reach = reach_of(small_model, engine.states)
        tries = {
            f"open({str(small_model)!r}, 'rb').read(4)": "b'GGUF'",
            f"open({str(engine.states / 'x')!r}, 'w').close()": "None",
            f"open({str(secret)!r}).read()": "PermissionError",
            f"open({str(small_model)!r}, 'r+b')": "PermissionError",
            "__import__('socket').create_connection(('127.0.0.1', 9))": "PermissionError",
            "__import__('os').fork()": "PermissionError",
            f"__import__('os').kill({os.getpid()}, 0)": "PermissionError",
        }
        for deed, outcome in tries.items():
            code = (
                "import sys\nfrom assistant.sandbox.confine import enter\n"
                "from assistant.sandbox.reach import Confinement\nenter(Confinement.of(sys.argv[1]))\n"
                f"try: print(repr({deed}))\nexcept Exception as error: print(type(error).__name__)"
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, reach.told(), stdout=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
            assert said.decode().strip() == outcome, deed


async def test_without_a_model_that_is_said(tmp_path: Path) -> None:
    paths = paths_for(tmp_path, tmp_path / "models")
    engine = Engine(paths, EngineSettings(), ModelStore(paths, EngineSettings()))
    assert not engine.ready
    with pytest.raises(ModelMissing):
        await text_of(engine, POEM)
    await engine.aclose()


async def test_what_was_read_can_be_dropped_from_memory_and_disk(engine: Engine) -> None:
    engine.clear()  # nothing runs: nothing is started
    assert await engine.stats() == {}
    await text_of(engine, POEM)
    await engine.save(engine.states / "state.kv")
    engine.clear()
    assert list(engine.states.iterdir()) == []
    assert (await engine.stats())["cached_tokens"] == 0
    _, end = await text_of(engine, POEM)
    assert end.usage is not None
    assert end.usage.cached_tokens == 0


async def test_what_was_read_for_one_prompt_outlives_another_one(engine: Engine) -> None:
    for topic in ("sea", "wood"):
        _, end = await text_of(engine, about(topic))
        assert end.usage is not None
        assert end.usage.cached_tokens < 50
    texts = []
    for topic in ("sea", "wood", "sea"):
        text, end = await text_of(engine, about(topic))
        texts.append(text)
        assert end.usage is not None
        assert end.usage.cached_tokens == end.usage.prompt_tokens - 1
    assert texts[0] == texts[2]
    engine.clear()
    for topic in ("sea", "wood"):
        _, end = await text_of(engine, about(topic))
        assert end.usage is not None
        assert end.usage.cached_tokens < 50
