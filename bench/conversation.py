"""Conversations in English and Chinese: follow-ups, corrections, answers, undo, changes of topic.

Each script is one running conversation of 40 turns with the whole assistant in this process, its clock fixed, beside a
real engine worker. A file of `dialogues` holds many short ones, of which the last turn counts. The scripts and their
expectations were written by somebody who had not seen the code.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from assistant import paths as folders
from assistant.cli.userfile import read_user
from assistant.clock import FrozenClock
from assistant.config import Config, EngineSettings
from assistant.daemon import assemble
from assistant.engine.client import Engine
from assistant.engine.models import ModelStore
from assistant.events import Event
from assistant.models import Turn, UserContext
from bench.form import DATA, argument_parser, report
from bench.scoring import Contract, score
from bench.utterances import MODEL

LANGUAGES = ("en", "zh")
_BETWEEN = timedelta(seconds=15)
"""From one turn to the next: longer than a mail is held back in which it can be undone."""
_SPOKEN = {"reply": "text", "question": "text", "error": "message"}


def main() -> None:
    """Measure and report."""
    parser = argument_parser("conversation", __doc__ or "")
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--wrong", action="store_true", help="also print the turns that went wrong")
    options = parser.parse_args()
    user, _ = read_user(DATA / "context.yaml")
    figures: dict[str, float | int | None] = {}
    for language in LANGUAGES:
        file = (options.data or DATA) / f"conversation.{language}.yaml"
        script = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
        right, lines = asyncio.run(_converse_all(script, user, options.model))
        figures |= {f"turns_{language}": len(right), f"right_{language}": round(sum(right) / len(right), 4)}
        if options.wrong and not options.json:
            print("\n".join(lines))
    report("conversation", figures, only_json=options.json)


async def _converse_all(script: Mapping[str, Any], user: UserContext, model: str) -> tuple[list[bool], list[str]]:
    """Which of the turns that count are right, and what the others came to; one engine for all dialogues."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        paths = replace(folders.find(), state=state, run=state / "run")
        paths.make()
        settings = EngineSettings(model=model)
        engine = Engine(paths, settings, ModelStore(paths, settings))
        stack.push_async_callback(engine.aclose)
        if "dialogues" not in script:
            return await _converse(script, user, engine, state)
        right, wrong = [], []
        for one in script["dialogues"]:
            fits, lines = await _converse({**script, **one}, user, engine, state)
            right.append(fits[-1])
            wrong += [] if fits[-1] else [f"{one['id']} ({one['kind']}) " + " | ".join(lines)]
        return right, wrong


async def _converse(
    script: Mapping[str, Any], user: UserContext, engine: Engine, state: Path
) -> tuple[list[bool], list[str]]:
    zone = ZoneInfo(user.zone)
    now = datetime.fromisoformat(str(script["now"])).replace(tzinfo=zone)
    async with AsyncExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        paths = replace(folders.find(), config=base, data=base / "data", state=state, run=base / "run")
        paths.make()
        with paths.profile_file.open("w", encoding="utf-8") as profile:
            YAML().dump(user.model_dump(mode="json"), profile)
        _deliver(script["mailbox"], base / "Maildir", zone)
        settings = {"mailbox": str(base / "Maildir"), "address": "mei@example.org"}
        config = Config.model_validate({"notify": {"desktop": False}, "skills": {"email": {"settings": settings}}})
        clock = FrozenClock(now)
        services = await assemble(paths, config, stack, clock=clock, scripted=engine)
        right, wrong = [], []
        for number, turn in enumerate(script["turns"], 1):
            said = Turn(id=f"t{number}", session="bench", surface="api", text=turn["say"])
            events = [event async for event in services.conversation.turn(said)]
            clock.at += _BETWEEN
            fits = _fits(turn["expect"], events)
            right.append(fits)
            if not fits:
                wrong.append(f"{number} {turn['say']}\n   {_shown(events)}\n   expected {turn['expect']}")
        return right, wrong


def _deliver(mails: Sequence[Mapping[str, Any]], folder: Path, zone: ZoneInfo) -> None:
    """The mails as a Maildir."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    for number, mail in enumerate(mails):
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = mail["from"], "mei@example.org", mail["subject"]
        message["Date"] = format_datetime(datetime.fromisoformat(str(mail["date"])).replace(tzinfo=zone))
        message["Message-ID"] = f"<bench{number}@example.org>"
        message.set_content(mail["body"])
        place = folder / "new" / f"{number}.bench" if mail.get("unread") else folder / "cur" / f"{number}.bench:2,S"
        place.write_bytes(message.as_bytes())


def _fits(expect: Mapping[str, Any], events: Sequence[Event]) -> bool:
    """Whether a turn's events are what was expected, or one of several things that were."""
    if "any" in expect:
        return any(_fits(one, events) for one in expect["any"])
    kinds = {event.type for event in events}
    spoken = _spoken(events)
    if expect.get("says") and not _says(expect["says"], spoken):
        return False
    match expect["kind"]:
        case "says":
            return True
        case "reply":
            return "tool-started" not in kinds and "question" not in kinds and bool(spoken)
        case "ask":
            asked = {name for event in events if event.type == "question" for name in event.missing}
            return "approval-wanted" not in kinds and bool(asked & set(expect["missing"]))
        case "undo" | "declined" | "approved":
            failed = bool(kinds & {"error", "tool-started", "question"})
            receipts = "receipt" in kinds
            return not failed and (receipts if expect["kind"] == "approved" else bool(spoken))
        case kind:
            plan = {"kind": "call", "calls": _calls(events), "reply": spoken, "missing": []}
            calls = [{"args": {}, **call} for call in expect["calls"]]
            right = score({"expect": {"kind": "call", "calls": calls}}, plan, Contract()).exact
            return right and ("approval-wanted" in kinds) == (kind == "approval") and "error" not in kinds


def _says(words: Sequence[str], spoken: str) -> bool:
    return any(word.casefold() in spoken.casefold() for word in words)


def _calls(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{"tool": event.tool, "args": event.args} for event in events if event.type == "tool-started"]


def _spoken(events: Sequence[Event]) -> str:
    return "\n".join(str(getattr(event, _SPOKEN[event.type])) for event in events if event.type in _SPOKEN)


def _shown(events: Sequence[Event]) -> str:
    return f"{_calls(events)} {_spoken(events)[:200]!r}"


if __name__ == "__main__":
    main()
