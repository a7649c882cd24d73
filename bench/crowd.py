"""Many clients at one daemon at once: what they say, what they check, and what must be there afterwards.

Every sentence carries a word that nobody else says, so that an answer, an event or a stored thing tells whose it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import websockets

from assistant.client import Client, RemoteProblem
from assistant.errors import AssistantError
from assistant.events import ApprovalWanted, Event, Failed, Reply, TurnDone, TurnStarted, parse_event
from assistant.models import Approval
from assistant.paths import Paths
from bench.household import Household, Stopwatch

DEADLINE_S = 60.0
"""Of the daemon's own time; a request that has none of it for long waits on."""
_PATIENCE_S = 600.0
_SYLLABLES = ("ba", "de", "gi", "fo", "su", "ma", "le", "ri")
"""Far enough from one another that no two marks are heard as one name."""
_MARK = re.compile(rf"zq(?:{'|'.join(_SYLLABLES)}){{5}}")
_LATE = ("approval.decided", "approval.used", "approval.refused")
"""How the second of two who answer at once is told."""

WRITES = {
    "note": ("note that box {mark} is in the cellar", "记一下：{mark}的箱子在地下室"),
    "reminder": ("remind me tomorrow at 9 to call {mark}", "明天早上九点提醒我给{mark}打电话"),
    "event": ("add review {mark} to my calendar for Thursday 3:30 pm", "周四下午三点半加一个评审{mark}到日历"),
    "contact": ("new contact {mark} Becker, email {mark}@example.org", "把{mark}加到联系人，邮箱是{mark}@example.cn"),
}
_READS = (
    "find my notes about {mark}",
    "search my inbox for {mark}",
    "search my files for the {mark} warranty",
    "why is the sky blue, {mark}?",
    "在收件箱里搜索{mark}",
)
_NAMES_OTHERS = ("event", "contact")
"""Their answers may rightly name other things of the household: what is at the same time, who is called alike."""
_MAIL = "send an email to {mark}@there.example with the subject {mark} saying that it is here"
_PLAN = ("reminder", "note", "read", "hang_up", "event", "read", "undo", "contact", "read", "cancel", "read", "mail")


def mark(client: int, request: int) -> str:
    """A word of its own for a request."""
    number, word = client * 1000 + request, "zq"
    for _ in range(5):
        number, digit = divmod(number, len(_SYLLABLES))
        word += _SYLLABLES[digit]
    return word


@dataclass
class Tally:
    """What all clients saw."""

    expected: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """Of each mark that was to be written: where, and how often it must be there (None: at most once)."""
    said: dict[str, Counter[str]] = field(default_factory=dict)
    """What was said in each session and must be in its transcript."""
    errors: list[str] = field(default_factory=list)
    cross_talk: list[str] = field(default_factory=list)
    took: dict[int, list[float]] = field(default_factory=dict)
    """Seconds of each turn, by client."""
    done: Counter[str] = field(default_factory=Counter)

    def wrote(self, where: str, word: str, times: int | None) -> None:
        """Remember what must be found."""
        self.expected[word] = (where, times)


class Line:
    """How a client speaks to the daemon: a stream a turn (NDJSON)."""

    def __init__(self, paths: Paths) -> None:
        self._client = Client(paths)

    async def turn(self, words: str, session: str) -> AsyncGenerator[Event, None]:
        """A turn's events; leaving early hangs up."""
        async with contextlib.aclosing(self._client.turn(words, session=session, surface="api")) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()


class Socket(Line):
    """The event socket: hears everybody's events and picks out those of its own turn."""

    def __init__(self, paths: Paths, tally: Tally) -> None:
        super().__init__(paths)
        self._path = str(paths.socket)
        self._tally = tally
        self._socket: Any = None
        self._sessions: dict[str, str] = {}

    async def turn(self, words: str, session: str) -> AsyncGenerator[Event, None]:
        """Leaving early closes the socket; the next turn opens a new one."""
        if self._socket is None:
            self._socket = await websockets.unix_connect(self._path, "ws://localhost/v1/events", max_size=2**24)
        message = {"v": 1, "type": "turn", "text": words, "session": session, "surface": "api"}
        await self._socket.send(json.dumps(message))
        own, ended = "", False
        try:
            while not ended:
                raw = await self._socket.recv()
                told = json.loads(raw)
                if told["type"] == "turn-started" and told["text"] == words and told["session"] == session:
                    own = told["turn"]
                if told["turn"] and self._sessions.setdefault(told["turn"], told["session"]) != told["session"]:
                    self._tally.cross_talk.append(f"one turn in two sessions: {raw[:200]!r}")
                if own and told["turn"] == own:
                    ended = told["type"] == "done"
                    yield parse_event.validate_json(raw)
        finally:
            if not ended:
                await self._hang_up()

    async def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()  # without a word, as a window that is killed

    async def close(self) -> None:
        """Hang up."""
        await self._hang_up()
        await super().close()


class Visitor:
    """One client: says its sentences one after the other and looks at every answer."""

    def __init__(self, number: int, house: Household, tally: Tally) -> None:
        self.number = number
        self._tally = tally
        self._paths = house.home.paths
        self._pid = house.home.pid
        self._alone = number % 2 == 0
        self.session = f"own-{number}" if self._alone else f"shared-{number // 4}"
        self._line = Socket(self._paths, tally) if number % 4 == 2 or number % 8 == 3 else Line(self._paths)
        self._other = Client(self._paths)

    async def visit(self, requests: int) -> None:
        """Say it all."""
        try:
            for request in range(requests):
                word = mark(self.number, request)
                act = _PLAN[(request + self.number) % len(_PLAN)]
                watch = Stopwatch(self._pid)
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._act(act, word, request)
                    self._tally.done[act] += 1
                    if watch.seconds > DEADLINE_S:
                        self._tally.errors.append(f"{self.session} {act} {word}: {watch.seconds:.0f} s")
                except (AssistantError, OSError, TimeoutError, websockets.WebSocketException) as error:
                    self._tally.errors.append(f"{self.session} {act} {word}: {error!r}")
        finally:
            await self._line.close()
            await self._other.close()

    async def _act(self, act: str, word: str, request: int) -> None:
        if act in WRITES:
            await self._write(act, word, request)
        elif act == "read":
            await self._read(word, request)
        elif act == "undo" and self._alone:  # in a shared session the newest act may be the other's
            await self._write("note", word, request)
            events = await self._say("undo that" if request % 2 else "撤销")
            if not any(isinstance(event, Reply) and word in event.text for event in events):
                self._tally.cross_talk.append(f"{self.session}: undo did not speak of {word}: {_ending(events)}")
            self._tally.wrote("note", word, 0)
        elif act == "undo":
            await self._decided_by_two(word)
        elif act == "hang_up":
            await self._hang_up(word)
        elif act == "cancel":
            await self._cancel(word, request)
        else:
            await self._decided_by_two(word)

    async def _write(self, kind: str, word: str, request: int) -> None:
        self._tally.wrote(kind, word, 1)
        events = await self._say(WRITES[kind][request % 2].format(mark=word))
        self._own_words(events, word, wrote=kind)

    async def _read(self, word: str, request: int) -> None:
        self._own_words(await self._say(_READS[request % len(_READS)].format(mark=word)), word)

    async def _hang_up(self, word: str) -> None:
        """Go away after the first event: what was begun is done all the same."""
        words = WRITES["note"][0].format(mark=word)
        self._tally.wrote("note", word, 1)
        self._tally.said.setdefault(self.session, Counter())[words] += 1
        async with contextlib.aclosing(self._line.turn(words, self.session)) as events:
            async for event in events:
                if isinstance(event, TurnStarted):
                    break

    async def _cancel(self, word: str, request: int) -> None:
        """Stop a turn from another connection: done or not, but not half and not twice."""
        self._tally.wrote("note", word, None)
        words = WRITES["note"][request % 2].format(mark=word)
        async with contextlib.aclosing(self._line.turn(words, self.session)) as events:
            async for event in events:
                if isinstance(event, TurnStarted):
                    with contextlib.suppress(AssistantError):  # it is done already
                        await self._other.cancel_turn(event.turn)
                ended = isinstance(event, TurnDone)
        if not ended:
            self._tally.errors.append(f"{self.session}: a cancelled turn has no end")

    async def _decided_by_two(self, word: str) -> None:
        """Two surfaces answer the same question at the same moment: one wins, and the mail leaves once or never."""
        events = await self._say(_MAIL.format(mark=word))
        wanted = [event.approval for event in events if isinstance(event, ApprovalWanted)]
        if len(wanted) != 1:
            self._tally.errors.append(f"{self.session}: no approval was asked for {word}: {_ending(events)}")
            return
        answers = (True, len(self._tally.expected) % 2 == 0)
        outcomes = await asyncio.gather(*(self._decide(wanted[0], answer) for answer in answers))
        won = [answer for answer, code in zip(answers, outcomes, strict=True) if code == ""]
        if len(won) != 1 or not all(code in ("", *_LATE) for code in outcomes):
            self._tally.errors.append(f"{self.session}: of two answers {won} won: {outcomes}")
        self._tally.wrote("mail", word, int(any(won)))

    async def _decide(self, approval: Approval, yes: bool) -> str:
        """The code of the failure; empty for none."""
        async with Client(self._paths) as client:
            try:
                events = [one async for one in client.decide(approval.id, approve=yes, bound_to=approval.bound_to)]
            except RemoteProblem as refused:  # answered before the stream began
                return refused.code
        self._whole(events)
        return next((event.code for event in events if isinstance(event, Failed)), "")

    async def _say(self, words: str) -> Sequence[Event]:
        started = time.monotonic()
        events = [event async for event in self._line.turn(words, self.session)]
        self._tally.took.setdefault(self.number, []).append(time.monotonic() - started)
        self._tally.said.setdefault(self.session, Counter())[words] += 1
        self._whole(events)
        if not events or not isinstance(events[0], TurnStarted) or events[0].text != words:
            self._tally.cross_talk.append(f"{self.session}: {words!r} was answered with {events[:1]!r}")
        for event in events:
            if isinstance(event, Failed) and event.code.startswith(("internal", "store.", "server.")):
                self._tally.errors.append(f"{self.session}: {words!r} ended in {event.code}")
        return events

    def _whole(self, events: Sequence[Event]) -> None:
        """A stream is one turn of this session from its start to its end."""
        if not events or not isinstance(events[-1], TurnDone):
            self._tally.errors.append(f"{self.session}: a stream broke off: {events[-1:]!r}")
        if any(event.session != self.session or event.turn != events[0].turn for event in events):
            self._tally.cross_talk.append(f"{self.session}: {[(event.turn, event.session) for event in events]}")

    def _own_words(self, events: Sequence[Event], word: str, *, wrote: str = "") -> None:
        """What is shown speaks of this client's thing and of nobody else's."""
        shown = " ".join(event.model_dump_json() for event in events)
        if wrote not in _NAMES_OTHERS and set(_MARK.findall(shown)) - {word}:
            self._tally.cross_talk.append(f"{self.session}: {word} was answered with {set(_MARK.findall(shown))}")
        if wrote and not any(isinstance(event, Reply) and word in event.text for event in events):
            self._tally.errors.append(f"{self.session}: {word} was not written: {_ending(events)}")


def _ending(events: Sequence[Event]) -> str:
    return " ".join(getattr(event, "message", "") or getattr(event, "text", "") for event in events[-2:])[:200]


async def crowd(house: Household, clients: int, requests: int) -> Tally:
    """All at once."""
    tally = Tally()
    await asyncio.gather(*(Visitor(number, house, tally).visit(requests) for number in range(clients)))
    return tally


def found(house: Household, where: str) -> Callable[[str], int]:
    """Counts how often a mark lies in a store."""
    data = house.home.paths.data / "skill-data"
    if where == "mail":
        return lambda word: house.arrived(f"{word}@there.example")
    if where == "reminder":
        texts = [str(row[0]) for row in house.rows("SELECT payload FROM schedules WHERE skill = 'reminders'")]
    else:
        folder, ending = {"note": ("notes", "md"), "event": ("calendar", "ics"), "contact": ("contacts", "vcf")}[where]
        texts = [file.read_text(encoding="utf-8") for file in (data / folder).rglob(f"*.{ending}")]
        texts = [line for text in texts for line in text.splitlines()] if where == "note" else texts
    return lambda word: sum(word in text for text in texts)


async def missing_in_transcripts(house: Household, tally: Tally) -> list[str]:
    """Turns that are not in their session's transcript, or not as often as they were said."""
    faults = []
    async with house.home.client() as client:
        for session, said in tally.said.items():
            kept = Counter(str(turn["text"]) for turn in (await client.session(session))["items"])
            faults += [
                f"{session}: {words!r} {kept[words]} of {times}"
                for words, times in said.items()
                if kept[words] != times
            ]
            strange = {found for words in kept for found in _MARK.findall(words)} - {
                mark(number, request) for number in range(64) for request in range(1000) if _session(number) == session
            }
            faults += [f"{session} holds {word}" for word in strange]
    return faults


def _session(number: int) -> str:
    return f"own-{number}" if number % 2 == 0 else f"shared-{number // 4}"
