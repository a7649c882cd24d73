"""What all benches share: their arguments, their report, and a temporary home with a daemon of its own.

Measures nothing itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import psutil

from assistant import paths
from assistant.client import STARTING, Client, ConnectionLost, Health, NoAnswer, NotRunning

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent
_STOP_S = 20
SETTLE_S = 12.0
"""After its start a daemon parses its templates; then it is as quick as it stays."""
Figures = Mapping[str, float | int | None]


def argument_parser(name: str, description: str = "") -> argparse.ArgumentParser:
    """The arguments that every bench takes: `--data PATH` and `--json`."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{name}", description=description)
    parser.add_argument("--data", type=Path, help="other data in the layout of the development data")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    return parser


def report(
    name: str,
    figures: Figures,
    notes: Mapping[str, str] | None = None,
    rows: Sequence[Sequence[object]] | None = None,
    *,
    only_json: bool = False,
) -> None:
    """Print the table of figures (and before it `rows`, whose first is a heading) and the JSON line of DESIGN §6.

    A figure that is None must have its reason in `notes`; raises ValueError where it has not.
    """
    notes = dict(notes or {})
    unexplained = [figure for figure, value in figures.items() if value is None and figure not in notes]
    if unexplained:
        raise ValueError(f"no reason is given for {unexplained}")
    if not only_json:
        if rows:
            print(_table(rows), end="\n\n")
        print(_table([("figure", "value"), *((figure, _written(value)) for figure, value in figures.items())]))
        for figure, reason in notes.items():
            print(f"  {figure}: {reason}")
    line = {"bench": name, "machine": machine(), "figures": dict(figures), "notes": notes}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "ram_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "llama_cpp_python": _version("llama-cpp-python"),
        "load": [round(value, 2) for value in os.getloadavg()],
    }


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all do not exceed (nearest rank); None of none."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median(values: Sequence[float]) -> float | None:
    """The median by nearest rank; None of none."""
    return percentile(values, 0.5)


class Process(Protocol):
    """The daemon's process: what is used of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def _launch(program: str, output: IO[bytes]) -> Process:
    command = [sys.executable, "-m", program]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT)


launch: Callable[[str, IO[bytes]], Process] = _launch
"""How a home starts its daemon; `faults.forked` puts another way in its place."""


class Home:
    """A temporary ASSISTANT_HOME with a daemon; the models are the shared ones. Use as `with Home() as home`.

    `settings` are keys of config.yaml (`engine.model`) and their values. The daemon is stopped and the home removed at
    the end. Changes this process's environment while it lasts: one at a time. `program` is the module that is run:
    the daemon as it is, or `bench.watched`; `base` is where the home is made.
    """

    def __init__(
        self,
        settings: Mapping[str, object] | None = None,
        *,
        start: bool = True,
        program: str = "assistant.cli.background",
        base: Path | None = None,
    ) -> None:
        self._program = program
        self._settings = {"notify.desktop": False, **(settings or {})}
        self._start = start
        self._folder = tempfile.TemporaryDirectory(prefix="bench-", dir=base, ignore_cleanup_errors=True)
        self._before: dict[str, str | None] = {}
        self._process: Process | None = None
        self.paths: paths.Paths

    def __enter__(self) -> Self:
        values = {"ASSISTANT_HOME": self._folder.name, "ASSISTANT_MODELS": str(paths.find().models)}
        for key, value in self._settings.items():
            values["ASSISTANT__" + key.upper().replace(".", "__")] = json.dumps(value)
        self._before = {name: os.environ.get(name) for name in values}
        os.environ.update(values)
        self.paths = paths.find()
        self.paths.make()
        try:
            if self._start:
                self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The daemon's process."""
        if self._process is None:
            raise RuntimeError("no daemon runs in this home")
        return self._process.pid

    def client(self) -> Client:
        """A client of the daemon."""
        return Client(self.paths)

    def spawn(self) -> None:
        """Start the daemon without waiting for it."""
        with (self.paths.logs / "bench.out").open("ab") as output:
            self._process = launch(self._program, output)

    def start(self, within: float = 60) -> Health:
        """Start the daemon and wait until it answers. Raises RuntimeError with its last words."""
        self.spawn()
        return self.wait_ready(within)

    def wait_ready(self, within: float = 60, pause: float = 0.02) -> Health:
        """Wait until the daemon answers. Raises RuntimeError with its last words."""
        return asyncio.run(self._until_ready(time.monotonic() + within, pause))

    async def _until_ready(self, until: float, pause: float) -> Health:
        async with self.client() as client:
            while True:
                try:
                    health = await client.health()
                    if health.status != STARTING:
                        return health
                    await asyncio.sleep(pause)
                except (NotRunning, NoAnswer, ConnectionLost):
                    self.check(until)
                    await asyncio.sleep(pause)

    def check(self, until: float = math.inf) -> None:
        """Raise RuntimeError with the daemon's last words if it has ended, or the monotonic clock is past `until`."""
        if self._process is None or self._process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the daemon did not come up: {self.last_words()}")

    def wait(self, within: float) -> int | None:
        """How the daemon ended; None where it still runs after so many seconds."""
        if self._process is None:
            raise RuntimeError("no daemon runs in this home")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(within)
        return None

    def kill(self) -> None:
        """End the daemon as a crash or a power cut would."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Stop the daemon by its pid; kill it where it does not end."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        """The end of what the daemon wrote."""
        file = self.paths.logs / "bench.out"
        return file.read_text(encoding="utf-8", errors="replace")[-800:] if file.exists() else ""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the command line in this home; its output goes through. Raises CalledProcessError."""
        command = [sys.executable, "-m", "assistant", *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=sys.stderr)


def rss_mb(pid: int) -> float:
    """Resident memory of a process and of all below it, in MiB."""
    process = psutil.Process(pid)
    return float(sum(one.memory_info().rss for one in (process, *process.children(recursive=True))) / 2**20)


def _table(rows: Sequence[Sequence[object]]) -> str:
    texts = [[_written(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in texts
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _written(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
    return str(value)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
