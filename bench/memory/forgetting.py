"""Forgetting for good: facts of all shapes are forgotten one by one, and every file is searched for them byte by byte.

A seeded generator lives a life with a profile (what is said, remembered, confirmed, superseded, pinned, edited, taken
back; conversations, backups and exports around it), forgets facts of it, and looks after each whether anything of them
is left, and whether all other facts are as they were.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from assistant.clock import FrozenClock
from assistant.conversation.sessions import Sessions
from assistant.events import Event, Reply, TurnStarted
from assistant.knowledge import Deed, Fact
from assistant.memory.keeper import KeptProfile
from assistant.memory.kinds import kinds
from assistant.models import Turn
from assistant.ports import Embedder
from assistant.skillkit.context import Calm
from assistant.store import backups, open_database
from assistant.store.index import segment
from assistant.vectors import EMPTY, RECORD
from bench.memory.home import Workshop
from bench.memory.recalling import Figures
from bench.memory.standin import StandIn

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_DELETIONS, _EVIDENCE, _SEED = 500, 2_100, 1
_SEARCH_EACH = 5
"""Deletions between two searches of all files for all that these deletions took."""
_LEAST = 4
FIGURES = ("forget_leaks", "forget_harmed", "forget_p95_s", "forget_max_s")
_EN = (
    "I like {}", "I'm allergic to {}", "I don't like {}", "I prefer {}", "I live in {}", "my favourite colour is {}",
    "I work at {}", "my sister lives in {}", "hello, I moved to {}", "I like {} and by the way I take {other}",
)  # fmt: skip
_ZH = ("我喜欢{}", "我对{}过敏", "我住在{}", "我不喜欢{}", "我姐姐住在{}", "对了，我喜欢{}。我对{other}过敏")
_HAN = "茶花雪山河海云松竹梅兰菊虎鹤鹿鱼琴棋书画春秋星月"
_MORE = ("🫖", "🏔️", "👩‍👩‍👧", "é", "ß", "ñ")
_CHATTER = (
    "what is on my calendar on day {}?", "read mail number {} to me", "how far is it to stop {}?", "第{}封邮件说什么？",
    "tell me a joke about number {}", "明天{}点有会吗？", "it rained {} times, what a week", "thanks, that was call {}",
)  # fmt: skip


@dataclass
class Found:
    """What the deletions showed."""

    seconds: list[float] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    """Each a needle's beginning and the file that still holds it."""
    harmed: list[str] = field(default_factory=list)
    """Facts that were not forgotten and are not as they were."""
    facts: int = 0
    evidence: int = 0


class Done:
    """A record of deeds: `ports.Deeds`."""

    def __init__(self) -> None:
        self._deeds: list[Deed] = []

    def do(self, at: datetime, **args: str) -> None:
        """Something was done."""
        name = f"op-{len(self._deeds)}"
        self._deeds.append(Deed(what="meant", operation=name, at=at, tool="notes.add", args=args))
        self._deeds.append(Deed(what="done", operation=name, at=at))

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        """Those after a number."""
        return self._deeds[number : number + limit], min(number + limit, len(self._deeds))


class Life:
    """A profile with everything around it, in one folder."""

    def __init__(self, base: Path, dice: random.Random, embedder: Embedder) -> None:
        self.base = base
        self.dice = dice
        self.database = base / "data" / "assistant.db"
        self.database.parent.mkdir(parents=True)
        self.db = open_database(self.database)
        self.clock = FrozenClock(NOW - timedelta(days=300))
        self.deeds = Done()
        self.profile = KeptProfile(self.db, self.clock, base / "data" / "profile", embedder, Calm(), deeds=self.deeds)
        self.sessions = Sessions(self.db, self.clock)
        self.version = embedder.version
        self._turns = 0
        self._values: list[str] = []

    # --- living --------------------------------------------------------------------------------------------------

    def chat(self) -> None:
        """One turn that states nothing."""
        self._turn(self.dice.choice(_CHATTER).format(self.dice.randint(1, 9999)), "Fine.")

    def tell(self) -> None:
        """Something is told: heard in passing, or asked to be remembered; sometimes again, sometimes asked back."""
        zh = self.dice.random() < 0.5
        value = self._value(zh)
        said = self.dice.choice(_ZH if zh else _EN).format(value, other=self._value(zh))
        tongue = "zh" if zh else "en"
        if self.dice.random() < 0.4:
            self.profile.remember(said, f"op:{self._turns}", language=tongue)
            self._turn(f"记住{said}" if zh else f"remember that {said}", f"I'll remember: {said}", heard=False)
        else:
            self._turn(said, "Noted.")
        if self.dice.random() < 0.3:
            self._turn(said.upper() if self.dice.random() < 0.3 else said, f"You said “{said}” before.")
        if self.dice.random() < 0.2:
            self.deeds.do(self.clock.now(), list=value, text=said)
            self.profile.habits.catch_up()
        if self.dice.random() < 0.2:
            self._turn(f"do you remember {value}?", f'Yes: "{value}".')

    def turn_over(self) -> None:
        """One of the things that become of facts."""
        facts = self.profile.facts()
        one = self.dice.choice(facts)
        act = self.dice.choice(("pin", "edit", "undo", "confirm"))
        if act == "pin":
            self.profile.pin(one.id, True)
        elif act == "edit":
            self.profile.edit(one.id, self._value(one.language == "zh"), language=one.language)
        elif act == "undo":
            self.profile.take_back(self.profile.changes(1)[0].batch)
        else:
            self._turn(one.text, "I know.")

    async def night(self) -> None:
        """What says the same is put together; now and then that is taken back."""
        facts = [one for one in self.profile.facts() if not one.subject]
        one = self.dice.choice(facts)
        self._turn(f"I like the {one.value}", "I see.")
        self._turn(f"I like {one.value}s", "I see.")
        night = await self.profile.nights.consolidate()
        if night.batch and self.dice.random() < 0.3:
            self.profile.take_back(night.batch)

    async def copy(self, number: int) -> None:
        """A backup or an export is made."""
        if self.dice.random() < 0.5:
            backups.make_daily(self.database, NOW + timedelta(minutes=number))
        else:
            form: Literal["json", "markdown"] = "json" if self.dice.random() < 0.5 else "markdown"
            await self.profile.hands.export(self.base / f"export-{number % 6}", form, self.dice.choice(("en", "zh")))

    def _turn(self, said: str, reply: str, *, heard: bool = True) -> None:
        self._turns += 1
        self.clock.at += timedelta(minutes=7)
        turn = Turn(id=f"t{self._turns:06}", text=said, session=f"s{self._turns % 7}")
        events: list[Event] = [
            TurnStarted(turn=turn.id, session=turn.session, text=said),
            Reply(turn=turn.id, session=turn.session, text=reply, via="intent"),
        ]
        tongue = "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in said) else "en"
        self.sessions.keep(turn, tongue, reply, "intent", 5, events)
        if heard:
            self.profile.heard(turn, tongue)

    def _value(self, zh: bool) -> str:
        """Short or long, odd or plain; sometimes a part of another one, or one that was said before."""
        dice = self.dice
        if self._values and dice.random() < 0.15:
            known = dice.choice(self._values)
            return dice.choice((known, f"{known} {dice.choice(('tea', '茶'))}", known[: max(2, len(known) // 2)]))
        if zh:
            made = "".join(dice.choices(_HAN, k=dice.choice((1, 2, 3, 4, 6, 9))))
        else:
            words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.choice((2, 3, 6, 9)))) for _ in range(4)]
            made = " ".join(words[: dice.choice((1, 1, 2, 4))])
        odd = dice.random()
        if odd < 0.1:
            made += dice.choice(_MORE)
        elif odd < 0.2:
            made = dice.choice(("{}'s x", "{} %_", '{} "q"', "{}\\n", "{}-é")).format(made)
        self._values.append(made)
        return made

    # --- forgetting ----------------------------------------------------------------------------------------------

    async def forget(self, fact: Fact, found: Found) -> set[str]:
        """Forget it, in time; the texts that must be nowhere any more."""
        known = self.profile.facts(history=True)
        going = [one for one in known if one.id == fact.id or (one.folded and one.superseded_by == fact.id)]
        words = {said.id: said.text for one in going for said in self.profile.why(one.id)}
        before = {one.id: _same(one) for one in known if one not in going}
        began = time.perf_counter()
        await self.profile.forget([fact.id])
        found.seconds.append(time.perf_counter() - began)
        after = {one.id: _same(one) for one in self.profile.facts(history=True)}
        found.harmed += [one.text for name, one in before.items() if after.get(name) != one]
        found.harmed += [one.text for name, one in after.items() if not self.profile.why(name)]
        found.leaks += [f"the vector of {number}" for number in words if self._vector(number)]
        return {text for one in going for text in _texts(one)} | set(words.values())

    def _vector(self, number: int) -> bool:
        """Whether there is still a record of this evidence."""
        for file in (self.base / "data" / "profile").glob("*.vectors"):
            data = file.read_bytes()[number * RECORD : (number + 1) * RECORD]
            if data and data != EMPTY:
                return True
        return False

    def kept(self) -> list[str]:
        """What the facts that are not forgotten say, folded: it may stand anywhere."""
        return [
            f"{one.subject} {one.topic} {one.value} {one.text} {kinds().sentence(one, tongue)}".casefold()
            for one in self.profile.facts(history=True)
            for tongue in ("en", "zh")
        ]

    def leaks(self, gone: set[str]) -> Iterator[str]:
        """Each text that some file still holds in some spelling."""
        kept = "\n".join(self.kept())
        words = "\n".join(" ".join(part) for one in self.kept() for part in segment(one))
        sought = {text: list(spellings(text, words)) for text in gone if text.casefold() not in kept}
        files = [file for file in self.base.rglob("*") if file.is_file()]
        rows = self._rows()
        for file in files:
            data = file.read_bytes()
            for text, spelled in sought.items():
                found = [one for one in spelled if one in data]
                if found and file.suffix == ".db":
                    found = [one for one in found if not by_chance(one, rows)]
                if found:
                    yield f"{text[:60]!r} in {file.name}"

    def _rows(self) -> list[list[bytes]]:
        """The columns of all rows that there are, in the order in which they lie in the file."""
        tables = [str(row[0]) for row in self.db.conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return [
            [str(column).encode() for column in row if isinstance(column, str)]
            for table in tables
            if not table.startswith(("evidence_words", "index_words"))
            for row in self.db.conn.execute(f"SELECT * FROM {table}").fetchall()
        ]


def _texts(fact: Fact) -> Iterator[str]:
    """What tells of a fact."""
    yield from (fact.id, fact.text)
    for tongue in ("en", "zh"):
        yield kinds().sentence(fact, tongue).rstrip("。.")
    if len(fact.value.encode()) >= _LEAST and not fact.value.isdigit():
        yield fact.value


def _same(fact: Fact) -> Fact:
    """All of it that nothing which is forgotten may change: what took its place may be."""
    return fact.model_copy(update={"superseded_by": None})


def by_chance(text: bytes, rows: Sequence[Sequence[bytes]]) -> bool:
    """Whether it stands there only since one column ends and the next one begins so: nothing parts them in the file."""
    holding = [row for row in rows if text in b"".join(row)]
    return bool(holding) and not any(text in column for row in holding for column in row)


def spellings(text: str, kept: str) -> Iterator[bytes]:
    """The forms in which a file may hold a text. `kept` are the words of what may stand there."""
    for one in {text, text.casefold()}:
        yield one.encode()
        yield one.encode("utf-16-le")
        yield one.encode("utf-16-be")
        yield json.dumps(one)[1:-1].encode()
        yield json.dumps(one, ensure_ascii=False)[1:-1].encode()
    words, singles = segment(text)
    if len(words) > 1 and " ".join(words) not in kept:
        yield " ".join(words).encode()  # as the word index is fed
    if len(singles) == len(text) > 2 and " ".join(singles) not in kept:
        yield " ".join(singles).encode()


async def lived(base: Path, deletions: int, evidence: int, seed: int, embedder: Embedder | None = None) -> Found:
    """A life with so much evidence, and so many facts forgotten in it."""
    dice, found = random.Random(seed), Found()
    life = Life(base, dice, embedder or StandIn())
    try:
        for number in range(evidence):
            (life.tell if number % 5 == 0 else life.chat)()
            if number % 25 == 24:
                life.turn_over()
        await life.profile.settle()
        ever: set[str] = set()
        some: set[str] = set()
        for number in range(deletions):
            for _ in range(3):
                life.tell()
            life.turn_over()
            if dice.random() < 0.2:
                await life.night()
            await life.profile.settle()
            if dice.random() < 0.15:
                await life.copy(number)
            if number == 0:
                found.facts, found.evidence = len(life.profile.facts()), life.profile.hands.stats().evidence
            facts = life.profile.facts(history=True)
            some |= await life.forget(dice.choice(facts[-30:] if dice.random() < 0.5 else facts), found)
            if number % _SEARCH_EACH == _SEARCH_EACH - 1:
                found.leaks += life.leaks(some)
                ever, some = ever | some, set()
        found.leaks += life.leaks(_not_said_again(life, ever | some))
    finally:
        life.db.close()
    return found


async def measured(shop: Workshop, most: int) -> Figures:
    """500 deletions (or `most`) in a profile of 2,000 pieces of evidence and a few hundred facts; their seconds.

    With the sentence models of this machine, where they are, else with a stand-in.
    """
    with tempfile.TemporaryDirectory(dir=shop.folder) as made:
        models = shop.models if shop.models.ready else None
        found = await lived(Path(made), most or _DELETIONS, _EVIDENCE, _SEED, models)
    for one in (*found.leaks, *found.harmed):
        print(one, file=sys.stderr)
    return {
        "forget_leaks": len(found.leaks),
        "forget_harmed": len(found.harmed),
        "forget_p95_s": percentile(found.seconds, 0.95),
        "forget_max_s": max(found.seconds, default=None),
        "forget_deletions": len(found.seconds),
        "forget_facts": found.facts,
        "forget_evidence": found.evidence,
    }


def _not_said_again(life: Life, gone: set[str]) -> set[str]:
    """Without what was told again after it had been forgotten."""
    rows = life.db.conn.execute("SELECT text FROM evidence UNION ALL SELECT text FROM turns")
    again = "\n".join(str(row[0]) for row in rows).casefold()
    return {one for one in gone if one.casefold() not in again}


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """The smallest that so many of them reach; None for none."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
