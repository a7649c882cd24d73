"""The model on the device reads what the user said, in the background, turn by turn. `gates` decides what is kept.

It writes lines of `profile/reading.yaml`'s form, bound to a grammar in which every value is a run of the turn's words.
What was read, and what came of it, is one transaction: nothing is read twice, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.errors import EngineError
from assistant.failpoint import failpoint
from assistant.knowledge import Fact
from assistant.memory.bounds import Bounds
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.gates import Words, Written, kept, reading
from assistant.memory.stating import about_others, about_own, lasting, related, requests, told
from assistant.models import Completion, Message, Priority, TokenProbability
from assistant.ports import Clock, LanguageModel, Quiet
from assistant.store import Database, transaction
from assistant.store.index import fold
from assistant.streams import closing
from assistant.values.runs import literal, runs

_log = logging.getLogger(__name__)
_CALM_S = 120.0
"""After something new was said: reading takes the model's cache from the conversation, so turns are read together."""
_FAILED_S = 300.0
_TOKENS = 64
_MOST_LINES = 3
_MOST_PEOPLE = 8
_READ = 0.7
"""How sure a fact is that the model read; what is stated again, or by a rule, is surer."""
_DOUBT = 2.5
"""Nats: what the model would not have written itself at one place, and wrote since the grammar left nothing better."""
_NONE = "none"
_ME = "me"
_LINE = re.compile(r"([a-z]+)\(([^(),=]+)(?:, ([^()=]+))?\) = (.+)")
_NAME = re.compile(r"(?<![\w'’-])[A-Z][\w'’-]*[a-z][\w'’-]*")


@dataclass
class Tally:
    """What reading cost and gave, for benches."""

    turns: int = 0
    asked: int = 0
    well_formed: int = 0
    lines: int = 0
    facts: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0


class Reader:
    """Reads the queue `evidence_unread`."""

    def __init__(
        self,
        db: Database,
        evidence: EvidenceBook,
        facts: FactBook,
        model: LanguageModel,
        clock: Clock,
        quiet: Quiet,
        bounds: Bounds,
    ) -> None:
        """`bounds` say what is kept, and when nothing is read."""
        self._db = db
        self._evidence = evidence
        self._facts = facts
        self._model = model
        self._clock = clock
        self._quiet = quiet
        self._bounds = bounds
        self._fresh = asyncio.Event()
        self._fresh.set()
        self.tally = Tally()

    def stir(self) -> None:
        """Something new was kept."""
        self._fresh.set()

    async def run(self) -> None:
        """Read what is new, while nobody is being answered."""
        while True:
            await self._fresh.wait()
            await asyncio.sleep(_CALM_S)
            self._fresh.clear()
            try:
                await self.settle()
            except EngineError as error:
                _log.warning("what was said could not be read: %s", error)
                await asyncio.sleep(_FAILED_S)
                self._fresh.set()

    async def settle(self) -> None:
        """Until everything is read. Without a model, or in a pause, nothing is, and all waits. Raises EngineError."""
        while self._model.ready and self._learns() and (number := self._next()) is not None:
            await self._quiet.wait()
            await self._read(number)

    def _learns(self) -> bool:
        return self._bounds.learns("", self._clock.now())

    def _next(self) -> int | None:
        row = self._db.conn.execute("SELECT min(evidence) FROM evidence_unread").fetchone()
        return None if row[0] is None else int(row[0])

    async def _read(self, number: int) -> None:
        words = self._words(number)
        written = await self._ask(words) if words is not None and worth(words) else []
        self.tally.turns += 1
        if not self._learns():  # a pause began meanwhile
            return
        with transaction(self._db):
            taken = self._db.conn.execute("DELETE FROM evidence_unread WHERE evidence = ?", (number,)).rowcount
            if not taken or words is None:  # it was forgotten or taken back meanwhile
                return
            failpoint("profile.read")
            now = self._clock.now()
            one = words.evidence
            for said in kept(written, words, self._facts.current()):
                done = self._facts.state(
                    said, evidence=number, origin=one.origin, at=one.at, now=now, batch=one.source, confidence=_READ
                )
                self.tally.facts += done is not None

    def _words(self, number: int) -> Words | None:
        """What there is to read; None where nothing is, as where it was asked to be kept word for word."""
        one = self._evidence.of([number]).get(number)
        stated = self._facts.read_in([number]).get(number, ())
        if one is None or any(fact.predicate == "said" for fact in stated):
            return None
        return Words(one, told(one.text, one.language), self._bounds.bars, _people(self._facts.current()))

    async def _ask(self, words: Words) -> list[Written]:
        """What the model writes of a turn. Raises EngineError."""
        request = Completion(
            messages=(*_prompt(), Message(role="user", content=_shown(words))),
            max_tokens=_TOKENS,
            grammar=grammar(words),
            logprobs=_TOKENS,
            priority=Priority.BACKGROUND,
        )
        answer, cut = "", False
        sure: list[TokenProbability] = []
        async with closing(self._model.complete(request)) as chunks:
            async for chunk in chunks:
                answer += chunk.text
                sure += chunk.logprobs
                cut = cut or chunk.finish == "length"
                if chunk.usage:
                    self.tally.prefill_s += chunk.usage.prefill_s
                    self.tally.decode_s += chunk.usage.decode_s
        lines = answer.strip().split("\n")
        written = parsed(lines[:-1] if cut else lines)
        self.tally.asked += 1
        self.tally.well_formed += written is not None
        self.tally.lines += len(written or ())
        _log.debug("read evidence %d: %d lines", words.evidence.id, len(lines))  # no words: a log is not forgotten
        return [one for one, doubt in zip(written or [], _doubts(sure), strict=False) if doubt < _DOUBT]


def worth(words: Words) -> bool:
    """Whether a turn can state something that the rules did not read: only then is the model asked."""
    language = words.evidence.language
    text = fold(" . ".join(said.text for said in words.clauses))
    spoken_of = language == "zh" or about_own(text, language) or any(name in text for name in words.people)
    return spoken_of and bool(_telling(words))


def grammar(words: Words) -> str:
    """GBNF of what can be read in a turn: kinds as they are listed, people who are named, runs of its own words."""
    mine = not all(about_others(said, words.evidence.language) for said in _telling(words))
    people = " | ".join(map(literal, [*[_ME] * mine, *_named(words)] or [_ME]))
    relations = related(" . ".join(said.text for said in words.clauses), words.evidence.language)
    rules = [
        f'root ::= {literal(_NONE)} | line ("\\n" line){{0,{_MOST_LINES - 1}}}',
        f"who ::= {people}",
        *runs("value", _telling(words)),
    ]
    forms = []
    for name, entry in reading()["kinds"].items():
        if name == "relation":
            topic = f"({' | '.join(map(literal, relations))})" if relations else ""
            if topic:
                forms.append(f"{literal(f'relation({_ME}, ')} {topic} {literal(') = ')} value")
        elif entry.get("topic"):
            forms.append(f'{literal(f"{name}(")} who ", " value {literal(") = ")} value')
        else:
            forms.append(f"{literal(f'{name}(')} who {literal(') = ')} value")
    return "\n".join([*rules, f"line ::= {' | '.join(forms)}"]) + "\n"


def parsed(lines: Sequence[str]) -> list[Written] | None:
    """The lines as they were written; None where one of them is none (the schema)."""
    if list(lines) == [_NONE] or not any(lines):
        return []
    found = [_LINE.fullmatch(line) for line in lines]
    if not all(found) or any(one and one[1] not in reading()["kinds"] for one in found):
        return None
    return [Written(one[1], "" if one[2] == _ME else one[2], one[3] or "", one[4]) for one in found if one]


def _telling(words: Words) -> list[str]:
    """The clauses that a fact may stand in: what the rules did not read, and what wants nothing done."""
    language = words.evidence.language
    return [
        said.text
        for said in words.clauses
        if not said.read and lasting(said.text, "", language) and not requests(said.text, language)
    ]


def _shown(words: Words) -> str:
    """What the model sees: the clauses that can state something, and no more."""
    return " . ".join(_telling(words))


def _named(words: Words) -> list[str]:
    """Who may be spoken of: relations, names in capitals, and people who are known."""
    text = _shown(words)
    folded = fold(text)
    known = [name for name in words.people if name in folded]
    found = [*related(text, words.evidence.language), *_NAME.findall(text), *known]
    return list(dict.fromkeys(name for name in found if fold(name) != _ME))[:_MOST_PEOPLE]


def _doubts(sure: Sequence[TokenProbability]) -> Iterator[float]:
    """For each line, how unlikely its unlikeliest token was to the model (in nats); 0 where it does not tell."""
    worst = 0.0
    for token in sure:
        if "\n" in token.token:
            yield worst
            worst = 0.0
        else:
            worst = max(worst, -token.logprob)
    while True:
        yield worst
        worst = 0.0


def _people(facts: Sequence[Fact]) -> tuple[str, ...]:
    """The folded names of the user's people, as far as they are known."""
    named = [fact.subject for fact in facts] + [fact.value for fact in facts if fact.predicate == "relation"]
    return tuple(dict.fromkeys(fold(name) for name in named if name))


def _prompt() -> tuple[Message, ...]:
    """The same bytes for every turn, so that the model computes them once."""
    data = reading()
    kinds = "; ".join(
        f"{name}({_ME}{', what' if entry.get('topic') else ''}): {entry['is']}" for name, entry in data["kinds"].items()
    )
    messages = [Message(role="system", content=f"{data['asks']}\nKinds: {kinds}.")]
    for one in data["examples"]:
        messages.append(Message(role="user", content=one["said"]))
        messages.append(Message(role="assistant", content="\n".join(one["read"]) or _NONE))
    return tuple(messages)
