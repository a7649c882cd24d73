"""The doors of `bench.fuzz` that files and pipes come through: each is a parser that meets what others wrote."""

from __future__ import annotations

import asyncio
import io
import json
import random
import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from assistant import config
from assistant.engine import frames, gguf
from assistant.memory.users import read_user
from assistant.resources import bundled
from assistant.skillkit import read_cards, wire
from assistant.skillkit.declare import Uncertain
from assistant.skillkit.loader import Skills
from assistant.skillkit.manifest import read_manifest
from assistant.skillkit.sentences import read_sentences
from assistant.values.vcards import write_card
from bench.fuzz_parts import ODD_TEXTS, Findings, anything, each, mutate, mutated_lines, nested

_ZONE = ZoneInfo("Europe/Berlin")
_START = datetime(2026, 11, 23, tzinfo=UTC)
_EVENT = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//fuzz//EN\r
BEGIN:VTIMEZONE\r
TZID:Europe/Berlin\r
BEGIN:STANDARD\r
DTSTART:19701025T030000\r
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:one@example.org\r
DTSTAMP:20261101T000000Z\r
DTSTART;TZID=Europe/Berlin:20261124T150000\r
DTEND;TZID=Europe/Berlin:20261124T160000\r
RRULE:FREQ=WEEKLY;BYDAY=TU,TH;INTERVAL=1;COUNT=20\r
EXDATE;TZID=Europe/Berlin:20261201T150000\r
SUMMARY:Review \\, weekly\r
LOCATION:Room 2\r
ATTENDEE;CN="Anna Schmidt";PARTSTAT=ACCEPTED:mailto:anna@example.org\r
ORGANIZER:mailto:mei@example.org\r
DURATION:PT1H\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:one@example.org\r
RECURRENCE-ID;TZID=Europe/Berlin:20261126T150000\r
DTSTART;VALUE=DATE:20261127\r
SUMMARY:Moved\r
END:VEVENT\r
END:VCALENDAR\r
"""


def fuzz_files(count: int, rng: random.Random, findings: Findings, folder: Path) -> None:
    """So many inputs, shared out over all doors of this module."""
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    doors: Sequence[tuple[str, int, Callable[[random.Random, Path], Callable[[int], object]]]] = (
        ("settings", 2, _settings),
        ("profile", 2, _profile),
        ("mails", 5, _mails),
        ("calendars", 5, _calendars),
        ("contacts", 3, _contacts),
        ("gguf", 4, _gguf),
        ("manifests", 2, _manifests),
        ("sentences", 1, _templates),
        ("frames", 4, _frames),
        ("answers", 4, _answers),
    )
    whole = sum(weight for _, weight, _ in doors)
    for name, weight, made in doors:
        each(name, count * weight // whole, findings, made(rng, folder))


def _changed(good: bytes, rng: random.Random) -> bytes:
    """Near enough to pass the first look, or nothing of the kind."""
    kind = rng.random()
    return mutated_lines(good, rng) if kind < 0.5 else mutate(good, rng) if kind < 0.9 else rng.randbytes(400)


def _settings(rng: random.Random, folder: Path) -> Callable[[int], object]:
    good, file = config.defaults_text().encode(), folder / "config.yaml"

    def one(_: int) -> None:
        file.write_bytes(_changed(good, rng))
        config.load(file, environment={})

    return one


def _profile(rng: random.Random, folder: Path) -> Callable[[int], object]:
    good, file = (bundled("profile") / "sample.yaml").read_bytes(), folder / "profile.yaml"

    def one(_: int) -> None:
        file.write_bytes(_changed(good, rng))
        read_user(file)

    return one


def _mails(rng: random.Random, folder: Path) -> Callable[[int], object]:
    from assistant_skills.email.parse import parse, parts
    from assistant_skills.email.sample import load_sample

    load_sample(folder / "mailbox", _START)
    mails = [file.read_bytes() for file in sorted((folder / "mailbox").rglob("*")) if file.is_file()]

    def one(_: int) -> None:
        raw = _changed(rng.choice(mails), rng)
        parse(raw)
        for _part in parts(raw):
            pass

    return one


def _calendars(rng: random.Random, folder: Path) -> Callable[[int], object]:
    from assistant_skills.calendar.events import parse
    from assistant_skills.calendar.expand import occurrences

    def one(_: int) -> None:
        for item in parse(_changed(_EVENT, rng)) or ():
            occurrences(item, _START, _START + timedelta(days=60), _ZONE)

    return one


def _contacts(rng: random.Random, folder: Path) -> Callable[[int], object]:
    card = write_card("one", "Anna Schmidt", email="anna@example.org", phone="+49 30 1", iban="DE89370400440532013000")

    def one(_: int) -> None:
        read_cards(_changed(card.encode() * rng.choice((1, 3)), rng).decode("utf-8", "replace"))

    return one


def _gguf(rng: random.Random, folder: Path) -> Callable[[int], object]:
    good, file = small_gguf(), folder / "model.gguf"

    def one(_: int) -> None:
        file.write_bytes(mutate(good, rng) if rng.random() < 0.9 else b"GGUF" + rng.randbytes(rng.randrange(300)))
        gguf.read(file)

    return one


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


def _manifests(rng: random.Random, folder: Path) -> Callable[[int], object]:
    good = [file.read_bytes() for file in sorted(bundled("skills").glob("*/skill.yaml"))]
    skill = folder / "skill"
    skill.mkdir()

    def one(_: int) -> None:
        (skill / "skill.yaml").write_bytes(_changed(rng.choice(good), rng))
        read_manifest(skill)

    return one


def _templates(rng: random.Random, folder: Path) -> Callable[[int], object]:
    skills = Skills()
    skills.load_bundled(bundled("skills"), {})
    tools = {name.name: name.schema for name in skills.tools() if name.skill == "notes"}
    good = (bundled("skills") / "notes" / "sentences.yaml").read_bytes()[:6000]
    file = folder / "sentences.yaml"

    def one(_: int) -> None:
        file.write_bytes(_changed(good, rng))
        read_sentences(file, tools, skills.lookups("notes"))

    return one


def _frames(rng: random.Random, folder: Path) -> Callable[[int], object]:
    """What the engine's worker writes on its pipe, read both ways."""

    def one(_: int) -> None:
        bodies = [json.dumps(rng.choice((anything(rng), {"id": 1, "ok": anything(rng)}, nested(rng)))).encode()]
        bodies += [rng.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")]
        raw = b"".join(struct.pack(">I", len(body)) + body for body in bodies)
        raw = raw if rng.random() < 0.4 else mutate(raw, rng)
        for read in (_read_all, _receive_all):
            try:
                read(raw)
            except frames.FrameError:
                continue

    return one


def _read_all(raw: bytes) -> None:
    stream = io.BytesIO(raw)
    while (message := frames.read(stream)) is not None:
        frames.encode(message)


def _receive_all(raw: bytes) -> None:
    async def receive() -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(raw)
        stream.feed_eof()
        while (message := await frames.receive(stream)) is not None:
            frames.encode(message)

    asyncio.run(receive())


_ANSWERS: tuple[dict[str, Any], ...] = (
    {"text": "Done.", "data": {"items": [1]}, "undo": {"file": "x"}, "sources": ["a"]},
    {"title": "Mail", "fields": [{"name": "to", "value": "x"}], "body": "b", "payload": {"a": 1}},
    {"kind": "SkillFailed", "message": "no", "mend": "try", "missing": ["a"], "choices": ["b"], "details": "Traceback"},
    {"tools": [{"name": "x", "description": "d", "arguments": []}], "sentences": {}, "questions": {"en": {"a": "?"}}},
    {"code": "skillkit.manifest.missing", "data": {"line": 1}},
)


def _answers(rng: random.Random, folder: Path) -> Callable[[int], object]:
    """What the host of a skill that is not ours answers."""

    def one(_: int) -> None:
        good = dict(rng.choice(_ANSWERS))
        for name in rng.sample(sorted(good), rng.randrange(len(good) + 1)):
            good[name] = nested(rng) if rng.random() < 0.1 else anything(rng)
        answer = good if rng.random() < 0.9 else anything(rng)
        for understood in (
            wire.result_of,
            lambda said: wire.prepared_of(said, "x"),
            lambda said: wire.raise_problem(said, "x"),
        ):
            try:
                understood(answer)
            except (wire.OddAnswer, Uncertain):
                continue
        wire.mistake_in(json.dumps(answer))
        wire.details_in(answer)
        if isinstance(answer, dict) and isinstance(questions := answer.get("questions"), dict):
            texts = {str(name): str(text) for name, text in questions.items()}
            for text in wire.askable(texts).values():
                text.format_map(dict.fromkeys((*texts, *map(str, answer)), "x") | _Any())

    return one


class _Any(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key
