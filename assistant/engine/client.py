"""The daemon's side of the language model (`ports.LanguageModel`): a queue before one worker that may die any moment.

A worker that dies in the middle of a completion is replaced, and the completion goes on where it stopped: the tokens
already written are given to the new worker as the beginning of the answer, so nothing is said twice, at any temperature
and within any grammar (writing again and skipping equal text would be unsound: another split of the prompt into batches
may change a close decision).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from assistant.config import EngineSettings
from assistant.engine import hardware
from assistant.engine.jobs import Job, JobQueue
from assistant.engine.models import Installed, ModelStore
from assistant.engine.probe import Crash, ProbeStore, Record, key, load_request, patience, probe, refusal
from assistant.engine.process import WorkerProcess, reach_of
from assistant.engine.profiles import PROFILES
from assistant.errors import Cancelled, EngineError, ModelMissing, WorkerDied
from assistant.models import Chunk, Completion, Priority, Usage, digest
from assistant.paths import Paths

log = logging.getLogger(__name__)

_SILENCE_S = 60.0
"""The worker answers with each batch and token; after so long without a word it is taken for stalled."""
_POISON = 3
_BEATS_S = 60.0  # the worker's heart is watched: not felt for so long, the watching itself hangs
_ROOM = 2**30
_BACKOFF_S = (0.2, 5.0)


class Engine:
    """The language model on the device."""

    def __init__(
        self,
        paths: Paths,
        settings: EngineSettings,
        models: ModelStore,
        *,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment` is added to the worker's. Nothing is started before the first request."""
        self._settings = settings
        self._models = models
        self._environment = environment
        self._store = ProbeStore(paths.state / "probe.json")
        self.states = paths.state / "kv"
        """Where a state may be saved: the one folder that the worker can write to."""
        self._queue = JobQueue()
        self._runner: asyncio.Task[None] | None = None
        self._current: Job | None = None
        self._worker: WorkerProcess | None = None
        self._loaded: tuple[Installed, str, str, int] | None = None
        self._before: tuple[str, Record] | None = None
        self._refused: dict[str, Record] = {}
        self._deaths: Counter[str] = Counter()
        self._load_deaths: Counter[str] = Counter()
        self._in_row = 0
        self._restarts = 0
        self._rate = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._state = "stopped"
        self._helpers: set[asyncio.Task[None]] = set()

    # --- what others call

    @property
    def ready(self) -> bool:
        """Whether a model is chosen and its file is there (it may not be loaded yet)."""
        return self._models.chosen() is not None

    @property
    def beating(self) -> bool:
        """Whether the worker showed lately that it lives; true where none runs."""
        worker = self._worker
        return worker is None or not worker.alive or time.monotonic() - worker.beat_at < _BEATS_S

    async def complete(self, request: Completion) -> AsyncIterator[Chunk]:
        """Stream the completion. Closing the iterator cancels within one token.

        Raises ModelMissing, WorkerDied (after one retry), ContextOverflow, and EngineError for a request that takes too
        long, that killed the worker three times, or whose grammar is none.
        """
        if request.json_schema is not None and request.grammar is not None:
            raise EngineError("engine.request", problem="json_schema and grammar together")
        data = request.model_dump(mode="json", exclude={"priority"})
        job = self._submit(Job("complete", data, request.priority, digest(data)))
        async with contextlib.aclosing(self._answers(job)) as answers:
            async for answer in answers:
                if isinstance(answer, Chunk):
                    yield answer

    async def tokenize(self, text: str) -> int:
        """How many tokens `text` is."""
        return int((await self._result("tokenize", {"text": text}))["count"])

    async def save(self, file: Path) -> int:
        """Keep the model's key-value cache in a file below `states`, checksummed. Returns its tokens."""
        return int((await self._result("save", {"path": str(file)}))["tokens"])

    async def restore(self, file: Path) -> int:
        """Take the key-value cache from a file. Raises EngineError where it is damaged or another model's."""
        return int((await self._result("restore", {"path": str(file)}))["tokens"])

    def clear(self) -> None:
        """Keep nothing of what was read: saved states go now, the worker's when it is free. No worker is started."""
        for file in self.states.glob("*"):
            file.unlink(missing_ok=True)
        if self._worker is not None and self._worker.alive:
            self._submit(Job("clear", {}))

    async def stats(self) -> dict[str, Any]:
        """The worker's figures: model, context, threads, profile, cached_tokens, tokens_per_s, rss (bytes).

        Empty where no worker runs: asking must not start one.
        """
        if self._worker is None or not self._worker.alive:
            return {}
        answer = await self._result("stats", {})
        return {name: answer[name] for name in answer if name not in ("id", "type")}

    def status(self) -> dict[str, Any]:
        """What is going on, as plain JSON: for `assistant doctor` and the API."""
        chosen = self._models.chosen()
        record = self._known(chosen)
        loaded = self._loaded if self._worker is not None and self._worker.alive else None
        return {
            "ready": chosen is not None,
            "state": self._state if self._state in ("probing", "loading", "busy") else "idle" if loaded else "stopped",
            "model": chosen.name if chosen else None,
            "profile": record.profile if record else None,
            "crashes": [crash.model_dump() for crash in record.crashes] if record else [],
            "context": loaded[3] if loaded else None,
            "pid": self._worker.pid if loaded and self._worker else None,
            "waiting": len(self._queue),
            "restarts": self._restarts,
            "tokens_per_s": round(self._rate, 1),
        }

    async def use(self, name: str) -> None:
        """Choose an installed model, for now and for later starts. Raises ModelMissing."""
        self._models.use(name)
        self._load_deaths.clear()
        if self._current is None:
            await self._unload()

    async def aclose(self) -> None:
        """Stop the worker; whoever still waits gets Cancelled."""
        if self._idle is not None:
            self._idle.cancel()
        waiting = [*self._queue.drain(), *([self._current] if self._current else [])]
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        for job in waiting:
            if not job.finished:
                job.give(Cancelled(), last=True)
        await asyncio.gather(*self._helpers, return_exceptions=True)
        await self._unload()

    # --- the queue

    def _submit(self, job: Job) -> Job:
        if job.digest and self._deaths[job.digest] >= _POISON:
            raise EngineError("engine.poison")
        self._queue.put(job)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        if self._idle is not None:
            self._idle.cancel()
        running = self._current
        if running is not None and running.priority is Priority.BACKGROUND and job.rank < running.rank:
            if running.operation == "complete" and not running.preempted:
                running.preempted = True
                self._interrupt()
        return job

    async def _result(self, operation: str, data: dict[str, Any]) -> dict[str, Any]:
        async for answer in self._answers(self._submit(Job(operation, data))):
            if isinstance(answer, dict):
                return answer
        raise EngineError("engine.failed")

    async def _answers(self, job: Job) -> AsyncGenerator[Chunk | dict[str, Any], None]:
        try:
            while True:
                answer = await job.inbox.get()
                if isinstance(answer, Exception):
                    raise answer
                yield answer
                if job.finished and job.inbox.empty():
                    return
        finally:
            if not job.finished:
                job.cancelled = True
                if job is self._current:
                    self._interrupt()

    def _interrupt(self) -> None:
        """Have the worker end what it computes now; the runner sees to the rest."""
        if self._worker is not None and self._worker.alive:
            task = asyncio.create_task(self._worker.cancel())
            self._helpers.add(task)
            task.add_done_callback(self._helpers.discard)

    async def _run(self) -> None:
        while True:
            job = await self._queue.get()
            self._current = job
            try:
                await self._serve(job)
            except EngineError as error:
                job.give(error, last=True)
            except Exception as error:
                log.exception("the engine failed at %s", job.operation)
                job.give(EngineError("engine.failed", problem=repr(error)), last=True)
            finally:
                self._current = None
                self._state = "idle"
            if self._settings.idle_unload_s and not len(self._queue):
                self._idle = asyncio.get_running_loop().call_later(self._settings.idle_unload_s, self._unload_later)

    def _unload_later(self) -> None:
        if self._current is None:
            task = asyncio.create_task(self._unload())
            self._helpers.add(task)
            task.add_done_callback(self._helpers.discard)

    # --- one job

    async def _serve(self, job: Job) -> None:
        while True:
            try:
                worker = await self._ready_worker()
                if job.cancelled:
                    return
                await self._attempt(job, worker)
            except WorkerDied as death:
                await self._after_death(job, death)
            else:
                self._in_row = 0
                self._before = None
                self._deaths.pop(job.digest, None)
                return

    async def _attempt(self, job: Job, worker: WorkerProcess) -> None:
        self._state = "busy"
        data = job.data
        if job.operation == "complete":
            limit = min(int(data["max_tokens"]), self._settings.max_output_tokens)
            data = {**data, "max_tokens": limit, "resume": job.tokens, "emitted": job.emitted}
        if job.preempted:
            job.preempted = False
            self._queue.put(job)
            return
        try:
            async with asyncio.timeout(self._settings.request_timeout_s):
                stream = worker.stream(job.operation, within=_SILENCE_S, **data)
                async with contextlib.aclosing(stream) as messages:
                    async for message in messages:
                        self._take(job, message)
        except TimeoutError:
            raise EngineError("engine.timeout", seconds=self._settings.request_timeout_s) from None

    def _take(self, job: Job, message: dict[str, Any]) -> None:
        if job.operation != "complete":
            if message["type"] == "result":
                job.give(message, last=True)
            return
        if message["type"] == "chunk":
            job.wrote(message)
        elif message["type"] == "result":
            if job.preempted and message["finish"] == "cancelled" and not job.cancelled:
                job.preempted = False
                self._queue.put(job)
                return
            usage = Usage(**message["usage"])
            if usage.decode_s > 0:
                self._rate = usage.output_tokens / usage.decode_s
            job.ended(message, usage)

    async def _after_death(self, job: Job, death: WorkerDied) -> None:
        """Count the death, look whether the profile is to blame, wait a little. Raises where it is enough."""
        worker, loaded = self._worker, self._loaded
        self._worker = None
        self._restarts += 1
        job.deaths += 1
        log.warning("the engine worker died (%s) at %s", death.data.get("reason"), job.operation)
        if job.digest and loaded is not None and self._state != "loading":
            self._deaths[job.digest] += 1
        self._loaded = None
        if job.deaths > 1 and self._before is not None:
            # The safer profile died of it too: the request is to blame, not the profile.
            self._store.put(*self._before)
            self._before = None
        elif worker is not None and loaded is not None and worker.crashed:
            await self._step_down(loaded, worker.reason)
        if job.digest and self._deaths[job.digest] >= _POISON:
            raise EngineError("engine.poison")
        if job.deaths > 1 or job.cancelled:
            raise death
        await asyncio.sleep(min(_BACKOFF_S[0] * 2**self._in_row, _BACKOFF_S[1]))
        self._in_row += 1

    # --- the worker

    async def _ready_worker(self) -> WorkerProcess:
        """A living worker with the chosen model loaded."""
        chosen = self._models.chosen()
        if chosen is None:
            raise ModelMissing(model=self._settings.model)
        if self._worker is not None and self._worker.alive and self._loaded and self._loaded[0] == chosen:
            return self._worker
        await self._unload()
        try:
            name = key(chosen.path)
        except OSError as error:
            raise ModelMissing(model=chosen.name) from error
        record = await self._record(chosen, name)
        if self._load_deaths[name] >= _POISON:
            raise EngineError("engine.load_poison", model=chosen.name)
        profile = record.profile or PROFILES[0].name
        self._state = "loading"
        self.states.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._worker = worker = await WorkerProcess.start(self._environment, reach=reach_of(chosen.path, self.states))
        self._loaded = (chosen, name, profile, self._settings.context)
        request = load_request(chosen.path, self._settings.context, self._threads(), self._settings.gpu_layers, profile)
        try:
            answer = await worker.ask("load", within=patience(chosen.path), **request)
        except EngineError as error:
            if isinstance(error, WorkerDied):
                self._load_deaths[name] += 1
            else:
                await self._unload()
            raise
        self._load_deaths.pop(name, None)
        worker.cap = 2 * chosen.ram + _ROOM if chosen.ram else 0
        self._loaded = (chosen, name, profile, int(answer["context"]))
        return worker

    async def _record(self, chosen: Installed, name: str) -> Record:
        """What is remembered of this model here, or a new probe."""
        record = self._store.get(name)
        if record is not None and record.profile is not None:
            return record
        if name in self._refused:
            raise refusal(self._refused[name])
        return await self._probe(chosen, name, ())

    async def _step_down(self, loaded: tuple[Installed, str, str, int], cause: str) -> None:
        """A profile that passed its probe crashed at work: probe anew without it."""
        chosen, name, profile, _ = loaded
        before = self._store.get(name)
        if before is None or profile == PROFILES[-1].name:
            return
        served = tuple(crash for crash in before.crashes if crash.serving)
        self._before = (name, before)
        await self._probe(chosen, name, (*served, Crash(profile=profile, cause=cause, serving=True)))

    async def _probe(self, chosen: Installed, name: str, avoid: tuple[Crash, ...]) -> Record:
        self._state = "probing"
        record = await probe(
            chosen.path,
            threads=self._threads(),
            gpu_layers=self._settings.gpu_layers,
            avoid=avoid,
            environment=self._environment,
        )
        self._store.put(name, record)
        for crash in record.crashes:
            log.warning("%s crashed in profile %s: %s", chosen.name, crash.profile, crash.cause)
        if record.profile is None:
            self._refused[name] = record
            raise refusal(record)
        return record

    def _known(self, chosen: Installed | None) -> Record | None:
        try:
            return self._store.get(key(chosen.path)) if chosen else None
        except OSError:
            return None

    def _threads(self) -> int:
        return self._settings.threads or hardware.cores()

    async def _unload(self) -> None:
        worker, self._worker, self._loaded = self._worker, None, None
        if worker is not None:
            await worker.close()
