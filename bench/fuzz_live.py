"""The doors of `bench.fuzz` that are processes: engine workers, hosts of skills, the daemon's API and event socket."""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import websockets

from assistant.resources import bundled
from assistant.sandbox.machine import fence
from assistant.server.app import ENDPOINTS, Endpoint, openapi_document
from assistant.skillkit.pipe import open_pipe
from bench.fuzz_parts import Findings, anything, fitting, mutate, written
from bench.household import Household, Stopwatch

_OPERATIONS = ("load", "complete", "tokenize", "save", "restore", "stats", "ping", "cancel", "nonsense", "")
_PATIENCE_S = 120.0
"""So long is waited on the clock: whether it was a hang is told by a `Stopwatch`."""
_CLIENTS = 4
_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"accept-language": "zh"},
    {"accept-language": "\xff" * 50},
    {"x-odd": "a" * 4000},
)
_METHODS = ("PUT", "DELETE", "PATCH", "GET", "OPTIONS", "HEAD")


async def fuzz_worker(count: int, rng: random.Random, findings: Findings) -> None:
    """Frames to worker processes: odd requests must be answered, broken frames end the worker in order."""
    sent = 0
    while sent < count:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "assistant.engine.worker", fence(read=()).told(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        batch = min(count - sent, 500)
        frames = [_frame(number, rng) for number in range(1, batch)]
        frames.append(rng.randbytes(64))  # and one that is none: the worker says so and ends
        sent += batch
        findings.inputs["worker"] += batch
        try:
            out, err = await asyncio.wait_for(process.communicate(b"".join(frames)), _PATIENCE_S)
        except TimeoutError:
            findings.hang("worker", "frames")
            process.kill()
            await process.wait()
            continue
        findings.look("worker", out.decode("utf-8", "replace"), 0)
        if process.returncode is None or process.returncode < 0:
            findings.crash("worker", f"exit {process.returncode}: {err[-200:]!r}")


def _frame(number: int, rng: random.Random) -> bytes:
    request: Any = {"id": number, "op": rng.choice(_OPERATIONS)}
    request |= {name: anything(rng) for name in rng.sample(("path", "text", "target", "messages", "prompt"), 2)}
    body = json.dumps(request if rng.random() < 0.9 else {"id": number, "op": anything(rng)}).encode()
    for constant in (b"-Infinity", b"Infinity", b"NaN"):  # no JSON: it would end the worker before the rest is read
        body = body.replace(constant, b"null")
    return struct.pack(">I", len(body)) + body


async def fuzz_pipe(count: int, rng: random.Random, findings: Findings) -> None:
    """Lines from the host of a skill that is not ours: messages come through, all else is dropped, nothing is kept."""
    answers = ({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}, {"jsonrpc": "2.0", "method": "x", "params": {}})
    sent = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        file = Path(name) / "said"
        while sent < count:
            batch = min(count - sent, 250)
            lines = []
            for number in range(batch):
                good: dict[str, Any] = dict(rng.choice(answers)) | {"id": number}
                if rng.random() < 0.5:
                    good[rng.choice(sorted(good))] = anything(rng)
                raw = json.dumps(good).encode()
                # Fifty strays end a host: most lines are messages, so that the others are met too.
                lines.append(mutate(raw, rng).replace(b"\n", b" ") if rng.random() < 0.1 else raw)
            if rng.random() < 0.1:
                lines.append(b"x" * 2**21)
            file.write_bytes(b"\n".join(lines))
            sent += batch
            findings.inputs["pipe"] += batch
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await _said(file)
            except TimeoutError:
                findings.hang("pipe", "a host")
            except Exception as error:
                findings.crash("pipe", error)


async def _said(file: Path) -> None:
    program = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer)"
    command = [sys.executable, "-S", "-c", program, str(file)]
    async with open_pipe(command, environment={}, folder=file.parent) as pipe:
        async for _ in pipe.read:
            pass
        await pipe.ended.wait()


class Caller:
    """One client of the API that sends what nobody should, and some that a person might."""

    def __init__(self, house: Household, rng: random.Random, findings: Findings) -> None:
        self._rng = rng
        self._findings = findings
        self._socket = str(house.home.paths.socket)
        self._pid = house.home.pid
        self._document = openapi_document()
        self._sentences = _sentences()
        self._ids = ["x", "%00", "a" * 300, "..%2f..", "%F0%9F%A6%8A", "%ED%A0%80", "default"]

    async def call(self, count: int) -> None:
        """So many inputs."""
        transport = httpx.AsyncHTTPTransport(uds=self._socket)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=_PATIENCE_S) as client:
            for number in range(count):
                door = "socket" if number % 5 == 4 else "api"
                self._findings.inputs[door] += 1
                watch = Stopwatch(self._pid)
                try:
                    shown = await (self._message() if door == "socket" else self._request(client))
                except httpx.TimeoutException:
                    self._findings.hang(door, "no answer")
                    continue
                except (httpx.HTTPError, OSError, websockets.WebSocketException) as error:
                    self._findings.crash(door, error)
                    continue
                self._findings.look(door, shown, watch.seconds)

    async def _request(self, client: httpx.AsyncClient) -> str:
        rng, endpoint = self._rng, self._rng.choice(ENDPOINTS)
        path = endpoint.path.replace("{id}", rng.choice(self._ids[-20:]))
        if rng.random() < 0.05:
            path = "/" + "".join(rng.choice("abc/%.?") for _ in range(12)).replace("%", "%25").lstrip("/")
        if rng.random() < 0.2:
            path += (
                f"?{rng.choice(('limit', 'since', 'state'))}={rng.choice(('-1', '1e9', '9' * 30, '0001-01-01', 'x'))}"
            )
        kind = "application/json" if rng.random() < 0.95 else rng.choice(("text/plain", "", "multipart/form-data"))
        method = endpoint.method if rng.random() < 0.95 else rng.choice(_METHODS)
        headers = {"content-type": kind, **rng.choice(_HEADERS)}
        sent = written(self._body(endpoint), rng)
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        try:
            response = await client.request(method, path, content=sent, headers=raw)
        except httpx.RemoteProtocolError:  # an idle connection was closed meanwhile (RFC 9112 §9.5): once more, anew
            response = await client.request(method, path, content=sent, headers={**raw, b"connection": b"close"})
        if response.status_code >= 500:
            self._findings.crash("api", (method, path, response.status_code, sent[:200]))
        if '"code":"internal"' in response.text:
            self._findings.crash("api", (method, path, sent[:200], response.text[-300:]))
        self._remember(response.text)
        return response.text

    def _body(self, endpoint: Endpoint) -> Any:
        if endpoint.body is None:
            return anything(self._rng)
        schema = self._document["components"]["schemas"][endpoint.body.__name__]  # type: ignore[index]
        body = fitting(schema, self._document, self._rng)
        if isinstance(body, dict) and "text" in body and self._rng.random() < 0.6:
            body["text"] = self._words()
        return body

    def _words(self) -> str:
        """What a person says, or nearly."""
        said = self._rng.choice(self._sentences)
        return (
            said if self._rng.random() < 0.5 else mutate(said.encode(), self._rng).decode("utf-8", "replace")[:20_000]
        )

    def _remember(self, text: str) -> None:
        """Ids of what there is, to be asked for later."""
        for line in text.splitlines()[-5:]:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if isinstance(told, dict) and isinstance(found := told.get("approval"), dict):
                self._ids.append(str(found.get("id")))
            elif isinstance(told, dict) and told.get("turn"):
                self._ids.append(str(told["turn"]))

    async def _message(self) -> str:
        rng = self._rng
        quick = {"max_size": None, "max_queue": None}  # unread events must not keep the close from being heard
        async with websockets.unix_connect(self._socket, "ws://localhost/v1/events", **quick) as socket:
            schema = {"type": "object", "required": ["text", "type"], "properties": {
                "v": {"const": 1}, "type": {"const": "turn"}, "text": {"type": "string", "maxLength": 20_000},
                "session": {"type": "string", "pattern": "x"}, "language": {"type": "string", "maxLength": 20},
            }}  # fmt: skip
            sent = written(fitting(schema, self._document, rng), rng)
            text = sent.decode("utf-8", "replace")
            await socket.send(text if rng.random() < 0.9 else sent)
            try:
                return str(await asyncio.wait_for(socket.recv(), 0.5))
            except (TimeoutError, websockets.ConnectionClosed):
                return ""


async def fuzz_api(count: int, seed: int, findings: Findings, house: Household) -> None:
    """Some clients at once; afterwards the daemon must be the same one, well, and its ledger must hold every effect."""
    callers = [Caller(house, random.Random(seed + number), findings) for number in range(_CLIENTS)]
    await asyncio.gather(*(caller.call(count // _CLIENTS) for caller in callers))
    async with house.home.client() as client:
        health = await client.health()
        if health.pid != house.home.pid or health.status != "ok":
            findings.crash("api", f"the daemon is not well: {health!r}")
        if not (await client.verify_audit())["ok"]:
            findings.crash("api", "the audit's chain is broken")
    findings.unrecorded = unrecorded(house)
    for log in house.home.paths.logs.glob("assistant.log*"):
        broke = [line for line in log.read_text(encoding="utf-8").splitlines() if " broke" in line]
        for line in broke[:10]:
            findings.crash("api", f"in the log: {line[:300]}")


def unrecorded(house: Household) -> int:
    """Things in the stores beyond those that the audit has a receipt for, and mails beyond those it saw leave."""
    kinds = [_kind(str(row[0])) for row in house.rows("SELECT entry FROM audit")]
    data = house.home.paths.data / "skill-data"
    files = [one for ending in ("ics", "vcf") for one in data.rglob(f"*.{ending}")]
    things = len(files) + len(house.rows("SELECT 1 FROM schedules"))
    mails = sum(len(os.listdir(place / "new")) for place in house.folder.iterdir() if (place / "new").is_dir())
    arrived = mails - house.sample_mails
    return max(0, things - kinds.count("receipt")) + max(0, arrived - kinds.count("outbox.done"))


def _kind(entry: str) -> str:
    told: Mapping[str, Any] = json.loads(entry)
    return str(told["kind"])


def _sentences() -> list[str]:
    """The skills' own examples: words that do something."""
    files = sorted(bundled("skills").glob("*/examples*.jsonl"))
    return [str(json.loads(line)["text"]) for file in files for line in file.read_text("utf-8").splitlines() if line]
