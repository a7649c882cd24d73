"""What the doors of `bench.fuzz` share: mutation, odd JSON, values of a JSON schema, a count of what went wrong."""

from __future__ import annotations

import json
import random
import signal
import string
import struct
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from assistant.errors import AssistantError

SLOW_S = 10.0
"""An input that takes longer counts as a hang: of the processor in this process, see `Stopwatch` for others."""
ODD_TEXTS = (
    "",
    " ",
    "\x00",
    "🦊" * 50,
    "A" * 5000,
    "../../etc/passwd",
    "{{7*7}}",
    "{x:999999999}",
    "' OR 1=1 --",
    "\ud800",
    "\u202eevil\u2066",
    "30. Februar",
    "明天" * 300,
    "9" * 5000,
    "((((" * 500,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "e\u0301" * 200,
)
_ODD_NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, 10**30, 1e308, -0.0, 0.1, float("nan"), float("inf"))
_RAW_JSON = (
    b"",
    b"[" * 100_000,
    b'{"a":' * 20_000,
    b'{"text":' + b"1" * 5000 + b"}",
    b'{"text":"\\ud800"}',
    b'{"text":"\xff\xfe"}',
    b'{"text":NaN}',
    b'{"text":"a","text":"b"}',
    b"\xef\xbb\xbf{}",
    b"null",
    b'{"text":"a"}{"text":"b"}',
    b'{"text":"' + b"\\u0000" * 1000 + b'"}',
    b" " * 100_000,
)


class Hang(BaseException):
    """An input took too long; not an Exception, so that nothing that is tried catches it."""


class Findings:
    """What went wrong, by door."""

    def __init__(self) -> None:
        self.inputs: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self.hangs: Counter[str] = Counter()
        self.tracebacks: Counter[str] = Counter()
        self.unrecorded = 0
        """Effects that no entry of the audit tells of."""
        self.slowest: dict[str, float] = {}
        self.seen: list[str] = []

    def crash(self, door: str, what: object) -> None:
        """Something broke."""
        self.crashes[door] += 1
        if isinstance(what, BaseException):
            last = traceback.extract_tb(what.__traceback__)[-1:]
            where = f" at {last[0].filename}:{last[0].lineno}" if last else ""
            self.seen.append(f"{door}: {what!r}"[:300] + where)
        else:
            self.seen.append(f"{door}: {what!r}"[:400])

    def hang(self, door: str, what: object) -> None:
        """Something did not end."""
        self.hangs[door] += 1
        self.seen.append(f"{door} hangs: {what!r}"[:400])

    def look(self, door: str, shown: str, seconds: float) -> None:
        """Check what a client was shown, and how long it took."""
        self.slowest[door] = max(seconds, self.slowest.get(door, 0.0))
        if "Traceback (most recent" in shown or 'File "/' in shown:
            self.tracebacks[door] += 1
            self.seen.append(f"{door}: traceback shown: {shown[:200]!r}")
        if seconds > SLOW_S:
            self.hang(door, f"{seconds:.1f} s")

    def figures(self) -> dict[str, float | int | None]:
        """The totals."""
        return {
            "fuzzed": self.inputs.total(),
            "crashes": self.crashes.total(),
            "hangs": self.hangs.total(),
            "tracebacks": self.tracebacks.total(),
            "unrecorded_effects": self.unrecorded,
            "slowest_input_s": round(max(self.slowest.values(), default=0.0), 2),
        }


def each(door: str, count: int, findings: Findings, work: Callable[[int], object]) -> None:
    """Run `work` for inputs 0…count-1; only AssistantError is an answer, all else is a crash."""
    for number in range(count):
        started = time.process_time()
        findings.inputs[door] += 1
        try:
            with deadline(SLOW_S):
                work(number)
        except AssistantError:
            pass
        except Hang as hang:
            findings.hang(door, traceback.extract_tb(hang.__traceback__)[-1])
            continue
        except Exception as error:
            findings.crash(door, error)
        findings.look(door, "", time.process_time() - started)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises Hang in the main thread after so long of its own time; also out of a regular expression."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled or put in."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 2, 8, 64))):
        position = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and data:
            data[position % len(data)] = rng.randrange(256)
        elif kind == 1:
            del data[position : position + rng.randrange(1, 200)]
        elif kind == 2:
            data[position:position] = rng.randbytes(rng.randrange(1, 50))
        elif kind == 3:
            data[position:position] = data[position : position + rng.randrange(1, 300)]
        elif kind == 4:
            odd = rng.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
            data[position:position] = odd[: rng.choice((10, 100, 5000))]
        else:
            data[position : position + 8] = struct.pack("<Q", rng.choice((0, 1, 2**31, 2**63, 2**64 - 1)))
    return bytes(data)


def mutated_lines(raw: bytes, rng: random.Random) -> bytes:
    """Lines dropped, doubled or swapped, and values put where others were: nearer to what a parser takes than bytes."""
    lines = raw.splitlines(keepends=True)
    for _ in range(rng.choice((1, 2, 5))):
        if not lines:
            break
        here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(5)
        if kind == 0:
            del lines[here]
        elif kind == 1:
            lines.insert(here, lines[there])
        elif kind == 2:
            lines[here], lines[there] = lines[there], lines[here]
        else:
            name, mark, _ = lines[here].partition(b":")
            value = str(anything(rng)) if kind == 3 else rng.choice(ODD_TEXTS)
            lines[here] = name + mark + value.encode("utf-8", "surrogatepass")[:2000] + b"\n"
    return b"".join(lines)


def anything(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind < 3:
        return rng.choice(ODD_TEXTS)
    if kind == 3:
        return rng.choice(_ODD_NUMBERS)
    if kind == 4:
        return rng.choice((True, False, None))
    if kind == 5:
        return "".join(chr(rng.randrange(1, 0xD7FF)) for _ in range(rng.randrange(60)))
    if kind == 6:
        return [anything(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {
        rng.choice(("text", "session", "now", "context", "decision", "x")): anything(rng, depth + 1) for _ in range(3)
    }


def nested(rng: random.Random) -> Any:
    """A value inside of very many lists or objects."""
    value: Any = 1
    for _ in range(rng.choice((50, 400, 900))):
        value = [value] if rng.random() < 0.5 else {"text": value}
    return value


def fitting(schema: Mapping[str, Any], document: Mapping[str, Any], rng: random.Random, depth: int = 0) -> Any:
    """A value of a JSON schema, at its borders more often than not; now and then one that does not fit."""
    if rng.random() < 0.06:
        return anything(rng, depth)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return fitting(rng.choice(choices), document, rng, depth)
    match schema.get("type"):
        case "string":
            return _text(schema, rng)
        case "integer" | "number":
            borders = [schema[name] + more for name in ("minimum", "maximum") if name in schema for more in (-1, 0, 1)]
            return rng.choice([*borders, *_ODD_NUMBERS])
        case "boolean":
            return rng.random() < 0.5
        case "array":
            count = 0 if depth > 4 else rng.choice((0, 1, 2, int(schema.get("maxItems", 5)), 50))
            return [fitting(schema.get("items", {}), document, rng, depth + 1) for _ in range(count)]
        case "object":
            return _object(schema, document, rng, depth)
        case "null":
            return None
    return anything(rng, depth)


def _text(schema: Mapping[str, Any], rng: random.Random) -> str:
    if schema.get("format") == "date-time" and rng.random() < 0.8:
        year = rng.choice((1, 1970, 2026, 9999))
        zone = rng.choice(("", "Z", "+14:00", "-23:59", "+23:59"))
        return f"{year:04d}-{rng.choice((1, 12)):02d}-{rng.choice((1, 31)):02d}T{rng.choice((0, 23)):02d}:59:59{zone}"
    if "pattern" in schema and rng.random() < 0.8:
        return "".join(rng.choice(string.ascii_letters + "_.:@-") for _ in range(rng.choice((1, 5, 99, 100, 101))))
    most = int(schema.get("maxLength", 200))
    if rng.random() < 0.2:
        return rng.choice("aé明\n🦊") * rng.choice((most - 1, most, most + 1))
    return rng.choice(ODD_TEXTS)


def _object(schema: Mapping[str, Any], document: Mapping[str, Any], rng: random.Random, depth: int) -> dict[str, Any]:
    needed = set(schema.get("required", ()))
    made = {
        name: fitting(part, document, rng, depth + 1)
        for name, part in schema.get("properties", {}).items()
        if (name in needed and rng.random() < 0.97) or rng.random() < 0.4
    }
    if rng.random() < 0.05:
        made[rng.choice(("extra", "", "__proto__", "\ud800"))] = anything(rng)
    return made


def written(value: Any, rng: random.Random) -> bytes:
    """The value as JSON, now and then broken, or something that only looks like JSON."""
    if rng.random() < 0.06:
        return rng.choice(_RAW_JSON)
    raw = json.dumps(nested(rng) if rng.random() < 0.02 else value).encode()
    return mutate(raw, rng) if rng.random() < 0.2 else raw
