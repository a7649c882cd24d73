"""The models of this machine: which are installed, which fit, which is used; getting, adding and removing them.

Everything here blocks (files, network): call it from a thread where that matters. Loads no model.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant import config
from assistant.config import EngineSettings
from assistant.engine import catalogue, download, gguf, hardware
from assistant.engine.catalogue import Embedding, Entry
from assistant.engine.download import Progress
from assistant.errors import ConfigError, EngineError, ModelMissing, ModelRefused
from assistant.paths import Paths
from assistant.whole import write_whole

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FITS = 0.8
"""Of the machine's memory a model may take so much: the rest is the person's."""
_BYTES_PER_CORE_S = 5e9
"""Weights a core reads per second, roughly; eight of them fill a desktop's memory bandwidth."""
_TOKENS_PER_S = 4.0
"""Slower than this a conversation is no joy."""


class Record(BaseModel):
    """What `installed.json` says of one model."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str | None = None
    """None until it was computed: by a pull, an add, or `verify`."""
    source: str = ""
    ram: int = 0
    parameters: int = 0


@dataclass(frozen=True)
class Installed:
    """A model that can be used now."""

    name: str
    path: Path
    """Its file; a sentence model's folder."""
    bytes: int
    ram: int
    parameters: int
    sha256: str | None
    title: str


@dataclass(frozen=True)
class Listing:
    """A line of `assistant models list`."""

    name: str
    entry: Entry | Embedding | None
    """None for a model the user added."""
    installed: Installed | None
    fits: bool
    """In memory; a sentence model: whether its code is for this kind of machine."""
    chosen: bool

    @property
    def kind(self) -> Literal["language", "embedding"]:
        """What it is for."""
        return "embedding" if isinstance(self.entry, Embedding) else "language"


@dataclass(frozen=True)
class Reason:
    """Why something is recommended: a catalogue key and its data."""

    key: str
    data: dict[str, Any]


Accept = Callable[[Entry | Embedding], bool]
"""Shows an entry's licence and answers whether it is accepted."""


class ModelStore:
    """The models folder. It may be shared by several users' assistants (`ASSISTANT_MODELS`)."""

    def __init__(
        self,
        paths: Paths,
        settings: EngineSettings,
        entries: tuple[Entry, ...] | None = None,
        embeddings: tuple[Embedding, ...] | None = None,
    ) -> None:
        """`entries` are the known language models, `embeddings` the sentence models; by default those we ship."""
        self._paths = paths
        self._folder = paths.models
        self._choice = settings.model
        self._context = settings.context
        self._entries = {entry.name: entry for entry in (catalogue.shipped() if entries is None else entries)}
        shipped = catalogue.embeddings() if entries is None else ()
        self._embeddings = {entry.name: entry for entry in (shipped if embeddings is None else embeddings)}

    # --- looking

    def entry(self, name: str) -> Entry | Embedding | None:
        """The catalogue's entry of that name, or None."""
        return self._entries.get(name) or self._embeddings.get(name)

    def embeddings(self) -> Sequence[Embedding]:
        """The sentence models we know."""
        return tuple(self._embeddings.values())

    def here(self, name: str) -> Installed | None:
        """The model of either kind, where it is installed."""
        entry = self._embeddings.get(name)
        return _whole(entry, self._folder / name) if entry else self.installed().get(name)

    def installed(self) -> dict[str, Installed]:
        """All language models that can be used, by name. A catalogue file that somebody put there counts too."""
        records = self._records()
        found = {}
        for name in dict.fromkeys((*self._entries, *records)):
            model = self._find(name, records.get(name))
            if model is not None:
                found[name] = model
        return found

    def chosen(self) -> Installed | None:
        """The model in use: the one named in the settings, or with `auto` the largest that fits the memory."""
        models = self.installed()
        if self._choice != "auto":
            return models.get(self._choice)
        memory = hardware.ram() * _FITS
        fitting = [model for model in models.values() if model.ram <= memory]
        return max(fitting, key=lambda model: (model.parameters, model.name), default=None)

    def list(self) -> Sequence[Listing]:
        """The catalogue, then what the user added; each with whether it is here and fits."""
        models, chosen = self.installed(), self.chosen()
        memory = hardware.ram() * _FITS
        lines = []
        for name in dict.fromkeys((*self._entries, *models)):
            entry, model = self._entries.get(name), models.get(name)
            ram = model.ram if model else entry.ram if entry else 0
            lines.append(Listing(name, entry, model, ram <= memory, chosen is not None and chosen.name == name))
        sentence = self._embeddings.values()
        return lines + [Listing(one.name, one, self.here(one.name), one.runs_here, False) for one in sentence]

    def recommend(self, *, hub: bool | None = None) -> tuple[Entry, Sequence[Reason]]:
        """The best model for this machine that can be had, and why. `hub` says whether the hub is in reach.

        Raises EngineError where none fits.
        """
        machine = hardware.look(self._folder)
        here = self.installed()
        reach = download.hub_in_reach() if hub is None else hub
        reasons = [_reason("machine", ram=_gb(machine.ram), cores=machine.cores, disk=_gb(machine.disk_free))]
        if machine.gpu:
            reasons.append(_reason("gpu", gpu=machine.gpu, ram=_gb(machine.gpu_ram)))
        fitting = [entry for entry in self._entries.values() if _fits(entry, machine, entry.name in here)]
        had = [entry for entry in fitting if reach or entry.has_index or entry.name in here]
        if not had:
            raise EngineError("engine.nothing_fits", ram=_gb(machine.ram), disk=_gb(machine.disk_free))
        best = max(had, key=_worth)
        reasons.append(_reason("best", title=best.title, size=_gb(best.bytes), ram=_gb(best.ram)))
        if {"en", "zh"} <= set(best.languages):
            reasons.append(_reason("languages", title=best.title))
        if not reach:
            wished = max(fitting, key=_worth)
            reasons.append(_reason("no_hub", title=wished.title) if wished != best else _reason("no_hub_needed"))
        return best, reasons

    # --- changing

    def pull(self, name: str, progress: Progress, accept_licence: Accept) -> Installed:
        """Bring a catalogue model here. Goes on where an interrupted pull stopped; does nothing where it is here.

        Raises ModelMissing (no such name), ModelRefused (licence, hash), EngineError (space, no source in reach,
        another kind of machine).
        """
        if name in self._embeddings:
            return self._pull_embedding(self._embeddings[name], progress, accept_licence)
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join((*self._entries, *self._embeddings))
            raise ModelMissing("engine.unknown_model", model=name, known=known)
        with self._locked(name):
            here = self.installed().get(name)
            if here is not None:
                return here
            if entry.licence.notice and not accept_licence(entry):
                raise ModelRefused("engine.licence_declined", model=entry.title, licence=entry.licence.name)
            sha256, source = download.fetch(
                name,
                entry.sources,
                self._folder / entry.file,
                size=entry.bytes,
                sha256=entry.sha256 or self._pinned(name),
                progress=progress,
            )
            if entry.sha256 is None:
                self._pin(name, sha256)
            self._record(name, Record(bytes=entry.bytes, sha256=sha256, source=source, ram=entry.ram,
                                      parameters=entry.parameters))  # fmt: skip
        return self.installed()[name]

    def add(self, file: Path, name: str, progress: Progress = lambda *_: None) -> Installed:
        """Copy a GGUF file of the user's into the folder under a name. Raises ModelRefused, EngineError."""
        if not _NAME.fullmatch(name):
            raise ModelRefused("engine.bad_name", model=name)
        if self.entry(name) or name in self.installed():
            raise ModelRefused("engine.name_taken", model=name)
        header = gguf.read(file)
        with self._locked(name):
            sha256 = download.copy_in(name, file, self._folder / f"{name}.gguf", progress)
            self._record(name, Record(bytes=header.size, sha256=sha256, source=file.name,
                                      ram=header.ram(self._context), parameters=header.parameters))  # fmt: skip
        return self.installed()[name]

    def use(self, name: str) -> Installed | None:
        """Choose a model (or `auto`) in the user's settings. Raises ModelMissing where it is not installed."""
        if name in self._embeddings:
            raise ModelRefused("engine.not_for_talk", model=name)
        model = self.installed().get(name)
        if model is None and name != "auto":
            raise ModelMissing("engine.not_installed", model=name)
        config.change(self._paths.config_file, "engine.model", name)
        self._choice = name
        return model

    def remove(self, name: str) -> None:
        """Delete a model's file or files. If it was the chosen one, `auto` is chosen. Raises ModelMissing."""
        model = self.here(name)
        if model is None:
            raise ModelMissing("engine.not_installed", model=name)
        with self._locked(name):
            if name in self._embeddings:
                shutil.rmtree(model.path, ignore_errors=True)
                return
            model.path.unlink(missing_ok=True)
            self._record(name, None)
        if self._choice == name:
            with contextlib.suppress(ConfigError, OSError):
                config.change(self._paths.config_file, "engine.model", "auto")
            self._choice = "auto"

    def verify(self, name: str, progress: Progress = lambda *_: None) -> Installed:
        """Compute the file's hash and hold it to the known one; where none is known, remember it.

        Raises ModelMissing, ModelRefused.
        """
        model = self.here(name)
        if model is None:
            raise ModelMissing("engine.not_installed", model=name)
        if name in self._embeddings:
            for file in self._embeddings[name].files:
                got = download.hash_of(model.path / file.path, progress)
                if got != file.sha256:
                    raise ModelRefused("engine.wrong_hash", model=name, expected=file.sha256, got=got)
            weights = max(self._embeddings[name].files, key=lambda file: file.bytes)
            return replace(model, sha256=weights.sha256)
        gguf.read(model.path)
        found = download.hash_of(model.path, progress)
        entry = self._entries.get(name)
        known = (entry.sha256 if entry else None) or self._pinned(name) or model.sha256
        if known is not None and found != known:
            raise ModelRefused("engine.wrong_hash", model=name, expected=known, got=found)
        record = self._records().get(name) or Record(bytes=model.bytes, ram=model.ram, parameters=model.parameters)
        self._record(name, record.model_copy(update={"sha256": found}))
        return self.installed()[name]

    # --- files

    def _pull_embedding(self, entry: Embedding, progress: Progress, accept_licence: Accept) -> Installed:
        with self._locked(entry.name):
            here = self.here(entry.name)
            if here is not None:
                return here
            if not entry.runs_here:
                raise EngineError("engine.other_machine", model=entry.title, machines=", ".join(entry.machines))
            if entry.licence.notice and not accept_licence(entry):
                raise ModelRefused("engine.licence_declined", model=entry.title, licence=entry.licence.name)
            download.fetch_files(entry.name, entry.files, self._folder / entry.name, progress)
        found = self.here(entry.name)
        if found is None:
            raise ModelMissing("engine.not_installed", model=entry.name)
        return found

    def _find(self, name: str, record: Record | None) -> Installed | None:
        path = self._folder / f"{name}.gguf"
        entry = self._entries.get(name)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        expected = entry.bytes if entry else record.bytes if record else -1
        if size != expected:
            return None
        return Installed(
            name=name,
            path=path,
            bytes=size,
            ram=entry.ram if entry else record.ram if record else 0,
            parameters=entry.parameters if entry else record.parameters if record else 0,
            sha256=record.sha256 if record else None,
            title=entry.title if entry else name,
        )

    def _records(self) -> dict[str, Record]:
        tree = self._json(self._folder / "installed.json")
        return {name: Record.model_validate(value) for name, value in tree.items()}

    def _record(self, name: str, record: Record | None) -> None:
        """Write `installed.json`, whole. A shared folder that is not ours to write costs only the note."""
        with contextlib.suppress(OSError), self._locked("installed"):
            records = self._records()
            records.pop(name, None)
            if record is not None:
                records[name] = record
            _write(self._folder / "installed.json", {key: value.model_dump() for key, value in records.items()})

    def _pinned(self, name: str) -> str | None:
        value = self._json(self._paths.state / "model-hashes.json").get(name)
        return value if isinstance(value, str) else None

    def _pin(self, name: str, sha256: str) -> None:
        file = self._paths.state / "model-hashes.json"
        _write(file, {**self._json(file), name: sha256})

    def _json(self, file: Path) -> dict[str, Any]:
        """A JSON object of ours; empty where it is absent or damaged: the files themselves are the truth."""
        try:
            tree = json.loads(file.read_text())
            if file.name == "installed.json":
                for value in tree.values():
                    Record.model_validate(value)
        except (OSError, ValueError, AttributeError, ValidationError):
            return {}
        return tree if isinstance(tree, dict) else {}

    @contextlib.contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        """One at a time, over all processes that share the folder."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self._folder / f".{what}.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _whole(entry: Embedding, folder: Path) -> Installed | None:
    """A sentence model whose files all lie in the folder with their sizes."""
    try:
        if any((folder / file.path).stat().st_size != file.bytes for file in entry.files):
            return None
    except OSError:
        return None
    return Installed(entry.name, folder, entry.bytes, entry.ram, entry.parameters, None, entry.title)


def _write(file: Path, tree: dict[str, Any]) -> None:
    write_whole(file, json.dumps(tree, indent=1).encode(), edge="models")


def _fits(entry: Entry, machine: hardware.Hardware, here: bool) -> bool:
    """Memory, disk, and a bearable speed: reading all weights once per token is what decoding costs."""
    fast = min(machine.cores, 8) * _BYTES_PER_CORE_S >= entry.bytes * _TOKENS_PER_S
    on_gpu = machine.gpu_ram * _FITS >= entry.ram
    return entry.ram <= machine.ram * _FITS and (fast or on_gpu) and (here or entry.bytes * 1.1 <= machine.disk_free)


def _worth(entry: Entry) -> tuple[bool, int]:
    """English and Chinese are equals: a model that knows both comes first, then size counts."""
    return {"en", "zh"} <= set(entry.languages), entry.parameters


def _reason(key: str, **data: Any) -> Reason:
    return Reason(f"engine.recommend.{key}", data)


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
