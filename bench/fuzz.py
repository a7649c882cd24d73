"""Random and mutated inputs at every door: API bodies, mails, settings, GGUF headers, frames to the worker.

Nothing may crash, hang or show a traceback. Inputs are drawn from a fixed seed, so that a finding can be repeated.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import websockets

from assistant import config
from assistant.engine import gguf
from assistant.errors import AssistantError
from assistant.resources import bundled
from assistant.sandbox.machine import fence
from assistant.server.app import ENDPOINTS
from assistant.skillkit.loader import Skills
from bench.form import Home, argument_parser, report

SLOW_S = 10.0
"""An input that takes longer counts as a hang."""
_INTERESTING = (
    "",
    "\x00",
    "🦊" * 50,
    "A" * 5000,
    "../../etc/passwd",
    "{{7*7}}",
    "' OR 1=1 --",
    "\ud800",
    "30. Februar",
    "明天" * 300,
)


class Findings:
    """What went wrong, by door."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.hangs: Counter[str] = Counter()
        self.tracebacks: Counter[str] = Counter()
        self.seen: list[str] = []

    def crash(self, door: str, what: object) -> None:
        """Something broke."""
        self.crashes[door] += 1
        self.seen.append(f"{door}: {what!r}"[:400])

    def look(self, door: str, shown: str, seconds: float) -> None:
        """Check what a client was shown, and how long it took."""
        if "Traceback (most recent" in shown:
            self.tracebacks[door] += 1
            self.seen.append(f"{door}: traceback shown")
        if seconds > SLOW_S:
            self.hangs[door] += 1
            self.seen.append(f"{door}: {seconds:.1f} s")


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled or put in."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 2, 8, 64))):
        position = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data[position % len(data)] = rng.randrange(256)
        elif kind == 1:
            del data[position : position + rng.randrange(1, 200)]
        elif kind == 2:
            data[position:position] = rng.randbytes(rng.randrange(1, 50))
        elif kind == 3:
            data[position:position] = data[position : position + rng.randrange(1, 300)]
        else:
            data[position : position + 8] = struct.pack("<Q", rng.choice((0, 1, 2**31, 2**63, 2**64 - 1)))
    return bytes(data)


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return rng.choice(_INTERESTING)
    if kind == 3:
        return rng.choice((0, -1, 2**63, 1e308, 0.1))
    if kind == 4:
        return rng.choice((True, False, None))
    if kind == 5:
        return "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(60)))
    if kind == 6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        rng.choice(("text", "session", "now", "context", "decision", "x")): anything(rng, depth + 1) for _ in range(3)
    }


def each(door: str, count: int, findings: Findings, work: Callable[[int], None]) -> None:
    """Run `work` for inputs 0…count-1; only AssistantError is an answer, all else is a crash."""
    for number in range(count):
        started = time.monotonic()
        findings.inputs[door] += 1
        try:
            work(number)
        except AssistantError:
            pass
        except Exception as error:
            findings.crash(door, error)
        findings.look(door, "", time.monotonic() - started)


def fuzz_settings(count: int, rng: random.Random, findings: Findings, folder: Path) -> None:
    """Mutated `config.yaml`."""
    good = config.defaults_text().encode()
    file = folder / "config.yaml"

    def one(_: int) -> None:
        file.write_bytes(mutate(good, rng) if rng.random() < 0.8 else rng.randbytes(rng.randrange(400)))
        config.load(file, environment={})

    each("settings", count, findings, one)


def fuzz_mails(count: int, rng: random.Random, findings: Findings, folder: Path) -> None:
    """Mutated mails of the sample mailbox, read as the skill reads them."""
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    from assistant_skills.email.parse import parse
    from assistant_skills.email.sample import load_sample

    load_sample(folder / "mailbox", datetime(2026, 11, 23, tzinfo=UTC))
    mails = [file.read_bytes() for file in sorted((folder / "mailbox").rglob("*")) if file.is_file()]

    def one(_: int) -> None:
        parse(mutate(rng.choice(mails), rng) if rng.random() < 0.9 else rng.randbytes(rng.randrange(2000)))

    each("mails", count, findings, one)


def fuzz_gguf(count: int, rng: random.Random, findings: Findings, folder: Path) -> None:
    """Mutated GGUF headers; the reader is what stands before native code."""
    good = small_gguf()
    file = folder / "model.gguf"

    def one(_: int) -> None:
        file.write_bytes(mutate(good, rng) if rng.random() < 0.9 else b"GGUF" + rng.randbytes(rng.randrange(300)))
        gguf.read(file)

    each("gguf", count, findings, one)


def small_gguf() -> bytes:
    """A valid GGUF 3 file with metadata and one tensor (layout: docs/gguf.md of ggml)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("llama.context_length") + struct.pack("<II", 4, 2048),
        text("llama.block_count") + struct.pack("<II", 4, 2),
        text("llama.embedding_length") + struct.pack("<II", 4, 64),
        text("llama.attention.head_count") + struct.pack("<II", 4, 4),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 3) + text("a") + text("b") + text("c"),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 64, 3, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    return head + b"\x00" * (-len(head) % 32) + b"\x00" * (64 * 3 * 4)


async def fuzz_worker(count: int, rng: random.Random, findings: Findings) -> None:
    """Frames to worker processes: odd requests must be answered, broken frames end the worker in order."""
    operations = ("load", "complete", "tokenize", "save", "restore", "stats", "ping", "cancel", "nonsense", "")
    sent = 0
    while sent < count:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "assistant.engine.worker", fence(read=()).told(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin
        batch = min(count - sent, 250)
        for number in range(1, batch):
            request = {"id": number, "op": rng.choice(operations)}
            request |= {name: anything(rng) for name in rng.sample(("path", "text", "target", "messages", "prompt"), 2)}
            body = json.dumps(request if rng.random() < 0.9 else anything(rng)).encode()
            process.stdin.write(struct.pack(">I", len(body)) + body)
        process.stdin.write(rng.randbytes(64))  # and one frame that is none: the worker says so and ends
        sent += batch
        findings.inputs["worker"] += batch
        started = time.monotonic()
        try:
            out, err = await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            findings.hangs["worker"] += 1
            process.kill()
            await process.wait()
            continue
        findings.look("worker", out.decode("utf-8", "replace"), time.monotonic() - started if not out else 0)
        if process.returncode is None or process.returncode < 0:
            findings.crash("worker", f"exit {process.returncode}: {err[-200:]!r}")


async def fuzz_api(count: int, rng: random.Random, findings: Findings, home: Home) -> None:
    """Random bodies, paths and socket messages to a real daemon."""
    transport = httpx.AsyncHTTPTransport(uds=str(home.paths.socket))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client:
        for number in range(count):
            findings.inputs["api"] += 1
            started = time.monotonic()
            try:
                if number % 10 == 9:
                    shown = await _socket_message(home, rng)
                    status = 200
                else:
                    response = await _request(client, rng)
                    shown, status = response.text, response.status_code
            except httpx.HTTPError as error:
                findings.crash("api", error)
                continue
            if status >= 500:
                findings.crash("api", (status, shown[:200]))
            findings.look("api", shown, time.monotonic() - started)
        alive = await client.get("/healthz")
        if alive.json()["pid"] != home.pid:
            findings.crash("api", "the daemon is another one")


async def _request(client: httpx.AsyncClient, rng: random.Random) -> httpx.Response:
    endpoint = rng.choice(ENDPOINTS)
    path = endpoint.path.replace("{id}", rng.choice(("x", "%00", "a" * 300, "..%2f..", "%F0%9F%A6%8A")))
    if rng.random() < 0.1:
        path = "/" + "".join(rng.choice("abc/%.?") for _ in range(12)).replace("%", "%25").lstrip("/")
    body: Any = {"text": rng.choice(_INTERESTING)} if rng.random() < 0.3 else anything(rng)
    raw = json.dumps(body).encode()
    if rng.random() < 0.3:
        raw = mutate(raw, rng)
    kind = "application/json" if rng.random() < 0.9 else rng.choice(("text/plain", "", "multipart/form-data"))
    method = endpoint.method if rng.random() < 0.9 else rng.choice(("PUT", "DELETE", "PATCH", "GET"))
    return await client.request(method, path, content=raw, headers={"content-type": kind})


async def _socket_message(home: Home, rng: random.Random) -> str:
    async with websockets.unix_connect(str(home.paths.socket), "ws://localhost/v1/events") as socket:
        await socket.send(json.dumps(anything(rng)) if rng.random() < 0.8 else rng.randbytes(50))
        try:
            return str(await asyncio.wait_for(socket.recv(), 0.5))
        except (TimeoutError, websockets.ConnectionClosed):
            return ""


def main() -> None:
    """Measure and report."""
    parser = argument_parser("fuzz", __doc__ or "")
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    share, findings = options.inputs // 5, Findings()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        fuzz_settings(share, rng, findings, folder)
        fuzz_mails(share, rng, findings, folder)
        fuzz_gguf(share, rng, findings, folder)
    asyncio.run(fuzz_worker(share, rng, findings))
    with Home({"engine.model": "none"}) as home:
        asyncio.run(fuzz_api(share, rng, findings, home))
    doors = sorted(findings.inputs)
    rows: list[tuple[object, ...]] = [("door", "inputs", "crashes", "hangs", "tracebacks")]
    rows += [
        (door, findings.inputs[door], findings.crashes[door], findings.hangs[door], findings.tracebacks[door])
        for door in doors
    ]
    figures = {
        "inputs": findings.inputs.total(),
        "crashes": findings.crashes.total(),
        "hangs": findings.hangs.total(),
        "tracebacks": findings.tracebacks.total(),
    }
    for one in findings.seen[:40]:
        print(one, file=sys.stderr)
    report("fuzz", figures, rows=rows, only_json=options.json)


if __name__ == "__main__":
    main()
