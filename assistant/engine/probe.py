"""Which profile a model runs in on this machine, found out in throw-away processes and remembered.

llama.cpp built for its machine can die in native code, e.g. at `ldtilecfg` on virtual machines that report AMX and do
not run it. Knows no conversation: it loads, reads a few words, writes eight tokens, and looks whether it lives.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.engine import gguf
from assistant.engine.process import WorkerProcess, reach_of
from assistant.engine.profiles import PROFILES, Profile
from assistant.errors import EngineError, WorkerDied

_TOKENS = 8
# Long enough that the kernels for batches are used too, not only those for single tokens.
_WORDS = "The assistant reads the mail, sets reminders and answers in a few plain words. " * 6
_RECORDS_KEPT = 50


class Crash(BaseModel):
    """A profile that killed the process here."""

    model_config = ConfigDict(frozen=True)

    profile: str
    cause: str
    """A signal's name, `stalled`, or how the process ended."""
    serving: bool = False
    """Whether it had passed its probe and died later, at work."""


class Record(BaseModel):
    """What a probe found for one model on one machine. `profile` is None where nothing works."""

    model_config = ConfigDict(frozen=True)

    model: str
    profile: str | None
    crashes: tuple[Crash, ...] = ()


class ProbeStore:
    """The remembered records, in a small JSON file of the state folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, key: str) -> Record | None:
        """The record of a machine and model, or None."""
        return self._read().get(key)

    def put(self, key: str, record: Record) -> None:
        """Remember. A folder that can't be written costs a probe at the next start, no more."""
        records = self._read()
        records.pop(key, None)
        records[key] = record
        kept = dict(list(records.items())[-_RECORDS_KEPT:])
        temporary = self._file.with_suffix(".tmp")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps({name: kept[name].model_dump() for name in kept}, indent=1))
            temporary.replace(self._file)

    def forget(self) -> None:
        """Probe everything anew at the next load."""
        self._file.unlink(missing_ok=True)

    def _read(self) -> dict[str, Record]:
        try:
            tree = json.loads(self._file.read_text())
            return {str(key): Record.model_validate(value) for key, value in tree.items()}
        except (OSError, ValueError, AttributeError, ValidationError):
            return {}


def key(file: Path) -> str:
    """Names this machine (processor, its flags, the llama.cpp build) and this model file (size, time, header)."""
    status = file.stat()
    model = f"{status.st_size}:{status.st_mtime_ns}:{gguf.fingerprint(file)}"
    return hashlib.sha256(f"{machine()}|{model}".encode()).hexdigest()[:32]


def machine() -> str:
    """The processor's name and flags, and which build of llama.cpp is installed."""
    return f"{processor()}|{_build()}"


def processor() -> str:
    """The processor's name and flags."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    wanted = ("model name", "CPU part", "flags", "Features")
    return platform.machine() + "|".join(told.get(name, "") for name in wanted)


def _build() -> str:
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or spec.origin is None:
        return "none"
    folder = Path(os.environ.get("LLAMA_CPP_LIB_PATH") or Path(spec.origin).parent / "lib")
    files = sorted(folder.glob("*")) if folder.is_dir() else []
    return ",".join(f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files)


async def probe(
    file: Path,
    *,
    threads: int,
    gpu_layers: int,
    avoid: tuple[Crash, ...] = (),
    environment: Mapping[str, str] | None = None,
    within: float | None = None,
) -> Record:
    """Try the profiles, fastest first, each in a process of its own; stop at the first that lives.

    Profiles named in `avoid` crashed at work and are passed over, but for the safest. `within` bounds each silence in
    seconds. Raises ModelRefused where the file can't be loaded at all.
    """
    crashes = list(avoid)
    passed = {crash.profile for crash in avoid}
    for candidate in PROFILES:
        if candidate.name in passed and candidate is not PROFILES[-1]:
            continue
        cause = await _try(
            file, candidate, threads=threads, gpu_layers=gpu_layers, environment=environment, within=within
        )
        if cause is None:
            return Record(model=file.stem, profile=candidate.name, crashes=tuple(crashes))
        crashes.append(Crash(profile=candidate.name, cause=cause))
    return Record(model=file.stem, profile=None, crashes=tuple(crashes))


def patience(file: Path) -> float:
    """Seconds of silence a load may take: a slow disk reads 20 MB/s."""
    return 60 + file.stat().st_size / 20e6


async def _try(
    file: Path,
    candidate: Profile,
    *,
    threads: int,
    gpu_layers: int,
    environment: Mapping[str, str] | None,
    within: float | None,
) -> str | None:
    """None where the profile works, otherwise what the process died of."""
    silence = within if within is not None else patience(file)
    worker: WorkerProcess | None = None
    try:
        worker = await WorkerProcess.start(environment, reach=reach_of(file))
        await worker.ask("load", within=silence, **load_request(file, 512, threads, gpu_layers, candidate.name))
        data: dict[str, Any] = {"prompt": _WORDS, "max_tokens": _TOKENS}
        await worker.ask("complete", within=silence, **data)
    except WorkerDied as death:
        return str(death.data.get("reason", ""))
    finally:
        if worker is not None:
            await worker.close()
    return None


def load_request(file: Path, context: int, threads: int, gpu_layers: int, profile: str) -> dict[str, Any]:
    """What `load` is told."""
    return {"path": str(file), "context": context, "threads": threads, "gpu_layers": gpu_layers, "profile": profile}


def refusal(record: Record) -> EngineError:
    """The error of a model that runs in no profile."""
    causes = ", ".join(f"{crash.profile}: {crash.cause}" for crash in record.crashes)
    return EngineError("engine.no_profile", model=record.model, causes=causes)
