"""The daemon's side of the sentence models (`ports.Embedder`): one worker, started when it is needed, that may die.

A model that kills the worker while it is loaded, or can't be loaded, is remembered as unusable on this machine; the
worker is started again without it. Neither vectors nor files of them are read in this process.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import logging
from array import array
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assistant.engine.catalogue import Embedding
from assistant.engine.models import ModelStore
from assistant.engine.probe import Crash, ProbeStore, Record, processor
from assistant.engine.process import WorkerProcess
from assistant.errors import Cancelled, EngineError, ModelMissing, WorkerDied
from assistant.paths import Paths
from assistant.sandbox.machine import fence
from assistant.vectors import LEGS, RECORD, Leg, Nearest

log = logging.getLogger(__name__)

MODULE = "assistant.engine.embedding"
_LAYOUT = 1
"""Counts up when vectors are made or stored in another way: those from before can't be compared with new ones."""
_SILENCE_S = 60.0
_CHARACTERS = 3000
"""Of a text; no model reads more of it. Of the texts in one request together too: a search waits for no more."""
_TEXTS = 16
_CAP = 1 << 30
_BACKOFF_S = (0.2, 5.0)
_THREADING = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class Embeddings:
    """Sentence embeddings on the device, and the nearest of those that are kept."""

    def __init__(
        self,
        paths: Paths,
        models: ModelStore,
        *,
        folders: Iterable[Path] = (),
        idle_s: float = 300.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started before the first request; after `idle_s` without one the worker ends.

        `folders` are those of the files that will be searched; another one costs a new worker at its first search.
        `environment` is added to the worker's.
        """
        self._models = models
        self._idle_s = idle_s
        self._environment = {**_THREADING, **(environment or {})}
        self._store = ProbeStore(paths.state / "probe-embeddings.json")
        self._machine = processor()
        self._folders = {folder.absolute() for folder in folders}
        self._reached: set[Path] = set()
        """What the worker that runs may read: a folder that was made later is not among them."""
        self._lock = asyncio.Lock()
        self._closed = False
        self._worker: WorkerProcess | None = None
        self._loaded: tuple[str, ...] = ()
        self._in_row = 0
        self._restarts = 0
        self._idle: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Task[None] | None = None

    # --- what others call

    @property
    def ready(self) -> bool:
        """Whether the files of at least one model are here, and it works on this machine as far as is known."""
        return bool(self._usable())

    @property
    def version(self) -> str:
        """Names the models in use and how records are made; empty where there are none.

        Vectors of another version can't be compared. The first request may find that a model does not work here: ask
        after it.
        """
        names = list(self._usable())
        return f"{'+'.join(names)}/{_LAYOUT}" if names else ""

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """One record for each text, read as a passage.

        Of a text the first 3000 characters count; all-MiniLM-L6-v2 reads 256 tokens of them, multilingual-e5-small
        3000 bytes. A text without a word gives an empty record. Raises ModelMissing, WorkerDied, EngineError.
        """
        records: list[bytes] = []
        for part in _parts([_cut(text) for text in texts]):
            answer = await self._ask("embed", texts=part)
            data = base64.b64decode(answer["records"])
            if len(data) != RECORD * len(part):
                raise EngineError("engine.failed", problem="records of another length")
            records += [data[place : place + RECORD] for place in range(0, len(data), RECORD)]
        return records

    async def nearest(self, file: Path, query: str, *, limit: int, among: Sequence[int] = ()) -> Nearest:
        """The `limit` records of a file that are nearest to the query, by model.

        The worker may read the whole folder of the file: keep nothing else there. A file that is not there holds
        nothing. Raises ModelMissing, WorkerDied, EngineError.
        """
        if not file.is_file() or not query.strip():
            return Nearest()
        file = file.absolute()
        slots = base64.b64encode(array("I", among).tobytes()).decode()
        answer = await self._ask(
            "nearest", folder=file.parent, file=str(file), query=_cut(query), limit=limit, among=slots
        )
        return Nearest(legs=tuple(_leg(leg, among) for leg in answer["legs"]))

    async def stats(self) -> dict[str, Any]:
        """The worker's figures: models, rss (bytes); empty where none runs."""
        worker = self._worker
        if worker is None or not worker.alive:
            return {}
        answer = await worker.ask("stats", within=_SILENCE_S)
        return {name: answer[name] for name in ("models", "rss")}

    def status(self) -> dict[str, Any]:
        """What is going on, as plain JSON."""
        worker = self._worker
        running = worker is not None and worker.alive
        return {
            "ready": self.ready,
            "version": self.version,
            "state": "idle" if running else "stopped",
            "pid": worker.pid if worker is not None and running else None,
            "restarts": self._restarts,
            "unusable": {entry.name: cause for entry in self._models.embeddings() if (cause := self._cause(entry))},
        }

    async def aclose(self) -> None:
        """Stop the worker, for good; whoever still waits gets Cancelled."""
        self._closed = True
        await self._stop()
        async with self._lock:
            await self._stop()

    # --- one request

    async def _ask(self, operation: str, *, folder: Path | None = None, **data: Any) -> dict[str, Any]:
        """Ask the worker; where it dies, once more."""
        async with self._serving():
            for attempt in (1, 2):
                try:
                    worker = await self._ready_worker(folder)
                    answer = await worker.ask(operation, within=_SILENCE_S, **data)
                except WorkerDied as death:
                    if not self._closed:
                        await self._after_death(operation, death)
                    if attempt == 2:
                        raise
                else:
                    self._in_row = 0
                    return answer
        raise EngineError("engine.failed")

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        """One request at a time; when none came for a while the worker ends."""
        async with self._lock:
            if self._idle is not None:
                self._idle.cancel()
            try:
                yield
            finally:
                if self._worker is not None:
                    self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._stop_later)

    def _stop_later(self) -> None:
        if not self._lock.locked():
            self._stopping = asyncio.create_task(self._rest())

    async def _rest(self) -> None:
        async with self._lock:
            await self._stop()

    async def _after_death(self, operation: str, death: WorkerDied) -> None:
        log.warning("the embedding worker died (%s) at %s", death.data.get("reason"), operation)
        await self._stop()
        self._restarts += 1
        await asyncio.sleep(min(_BACKOFF_S[0] * 2**self._in_row, _BACKOFF_S[1]))
        self._in_row += 1

    # --- the worker

    async def _ready_worker(self, folder: Path | None) -> WorkerProcess:
        """A living worker with all usable models loaded, that may read `folder`."""
        if self._closed:
            raise Cancelled()
        usable = self._usable()
        if not usable:
            raise ModelMissing("engine.no_embeddings", model=", ".join(LEGS))
        if folder is not None and not any(folder.is_relative_to(one) for one in self._reached):
            self._folders.add(folder)
            await self._stop()
        if self._worker is not None and self._worker.alive and self._loaded == tuple(usable):
            return self._worker
        while True:
            await self._stop()
            places = [place for path in usable.values() for place in (path, path.resolve())]
            self._reached = {one for one in self._folders if one.is_dir()}
            reach = fence(read=[*places, *self._reached])
            self._worker = worker = await WorkerProcess.start(self._environment, reach=reach, module=MODULE)
            worker.cap = _CAP
            for name in usable:
                await self._load(worker, name, usable[name])
            if (left := self._usable()).keys() == usable.keys():
                self._loaded = tuple(usable)
                return worker
            if not left:
                raise ModelMissing("engine.no_embeddings", model=", ".join(LEGS))
            usable = left

    async def _load(self, worker: WorkerProcess, name: str, folder: Path) -> None:
        """Have one model loaded and tried. What can't be, or crashes, is not used again on this machine."""
        entry = next(entry for entry in self._models.embeddings() if entry.name == name)
        if not worker.alive:
            return  # another model crashed it: the next worker starts without that one
        try:
            answer = await worker.ask(
                "load",
                within=_SILENCE_S,
                name=name,
                folder=str(folder),
                files=[file.path for file in entry.files],
                code={file.path: file.sha256 for file in entry.files if file.code},
            )
        except WorkerDied:
            if not worker.crashed:
                raise
            self._refuse(entry, worker.reason)
        else:
            if answer["problem"]:
                self._refuse(entry, str(answer["problem"]))

    async def _stop(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        worker, self._worker, self._loaded = self._worker, None, ()
        if worker is not None:
            await worker.close()

    # --- what works here

    def _usable(self) -> dict[str, Path]:
        """The folders of the models that are here and not known to fail, in the order of the legs."""
        here = {entry.name: self._models.here(entry.name) for entry in self._models.embeddings()}
        refused = {entry.name for entry in self._models.embeddings() if self._cause(entry)}
        return {name: found.path for name in LEGS if name not in refused and (found := here.get(name)) is not None}

    def _cause(self, entry: Embedding) -> str:
        record = self._store.get(self._key(entry))
        return record.crashes[-1].cause if record is not None and record.crashes else ""

    def _refuse(self, entry: Embedding, cause: str) -> None:
        log.warning("%s does not work on this machine: %s", entry.name, cause)
        crash = Crash(profile="", cause=cause)
        self._store.put(self._key(entry), Record(model=entry.name, profile=None, crashes=(crash,)))

    def _key(self, entry: Embedding) -> str:
        """Names this machine and the model's files: fetched anew, a model is tried anew."""
        found = self._models.here(entry.name)
        status = []
        with contextlib.suppress(OSError):
            status = [(found.path / file.path).stat() for file in entry.files] if found else []
        files = ":".join(f"{one.st_size}-{one.st_mtime_ns}" for one in status)
        return hashlib.sha256(f"{self._machine}|{entry.name}|{files}".encode()).hexdigest()[:32]


def _cut(text: str) -> str:
    """As much of a text as is read; half characters, which no message can carry, become question marks."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode()


def _parts(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in requests of a bearable length."""
    part: list[str] = []
    for text in texts:
        if part and (len(part) == _TEXTS or sum(map(len, part)) + len(text) > _CHARACTERS):
            yield part
            part = []
        part.append(text)
    if part:
        yield part


def _leg(told: Mapping[str, Any], among: Sequence[int]) -> Leg:
    """What one model finds; NaN (not equal to itself) marks an empty slot."""
    scores = array("f", base64.b64decode(told.get("among", "")))
    known = {slot: score for slot, score in zip(among, scores, strict=False) if score == score}
    return Leg.model_validate({**told, "among": known})
