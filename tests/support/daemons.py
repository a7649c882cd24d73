"""Real daemons for tests: a process of its own on a temporary home, stopped by its pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from assistant.paths import Paths
from tests.support.talk import folders

ROOT = Path(__file__).parents[2]


class Daemon:
    """`assistant daemon run` on `base`. The model says `replies` in turn, for ever."""

    def __init__(self, base: Path, replies: Sequence[str] = (), settings: Mapping[str, object] | None = None) -> None:
        self.paths: Paths = folders(base)
        script = base / "script.jsonl"
        script.write_text("\n".join(replies or ["reply: Hello."]) + "\n", encoding="utf-8")
        values: dict[str, object] = {"engine.model": f"scripted:{script}", "notify.desktop": False, **(settings or {})}
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANT")}
        self._environment["ASSISTANT_HOME"] = str(base)
        for key, value in values.items():
            self._environment["ASSISTANT__" + key.upper().replace(".", "__")] = json.dumps(value)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.paths.logs / "test.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "assistant", "daemon", "run"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with self.client() as client:
                    if client.get("/healthz").raise_for_status().json()["status"] == "ok":
                        return
            except httpx.TransportError:
                assert self.process.poll() is None, (self.paths.logs / "test.out").read_text(encoding="utf-8")
            time.sleep(0.02)
        raise AssertionError("the daemon did not come up")

    def stop(self) -> int:
        """Stop in order; gives the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def kill(self) -> None:
        """As a crash or a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def client(self) -> httpx.Client:
        """A client of its Unix socket."""
        transport = httpx.HTTPTransport(uds=str(self.paths.socket))
        return httpx.Client(transport=transport, base_url="http://localhost", timeout=60)

    def say(self, text: str, **body: object) -> list[dict[str, object]]:
        """One turn's events."""
        with self.client() as client:
            response = client.post("/v1/turns", json={"text": text, **body})
            assert response.status_code == 200, response.text
            return [json.loads(line) for line in response.text.splitlines()]
