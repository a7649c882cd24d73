"""What is kept of a turn while it runs: its events, its reply, its words. Stores nothing itself."""

from __future__ import annotations

import time

from assistant.events import Event, Question, Reply
from assistant.models import Language, Turn, Via


class Record:
    """One turn in flight."""

    def __init__(self, turn: Turn, language: Language, started: float) -> None:
        self.turn = turn
        self.language = language
        self.events: list[Event] = []
        self.reply = ""
        self.via: Via = "intent"
        self.said = turn.text
        """The user's words that arguments may come from: this turn, and the one it answers."""
        self.told: tuple[str, ...] = ()
        """What of the profile the model had before it when it decided."""
        self.data: object = None
        """What a reply without a call speaks of."""
        self.asked = False
        """Whether the turn ended in a question."""
        self._started = started

    def elapsed_ms(self) -> int:
        """Milliseconds since the turn began."""
        return round((time.monotonic() - self._started) * 1000)

    def keep(self, event: Event) -> Event:
        """Remember the event for the transcript."""
        self.events.append(event)
        return event

    def say(self, text: str, via: Via, data: object = None) -> Reply:
        """The reply."""
        self.reply, self.via = text, via
        return Reply(turn=self.turn.id, session=self.turn.session, text=text, via=via, data=data)

    def ask(self, text: str, missing: tuple[str, ...], choices: tuple[str, ...] = ()) -> Question:
        """The question."""
        self.reply, self.asked = text, True
        return Question(turn=self.turn.id, session=self.turn.session, text=text, missing=missing, choices=choices)
