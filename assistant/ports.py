"""What the parts ask of one another. Each Protocol has one real adapter, put in place by `daemon.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from assistant.events import Event
from assistant.knowledge import Evidence, Fact, Forgotten, Recalled
from assistant.models import Approval, Chunk, Completion, Language, Notice, Operation, Receipt, Turn, UserContext
from assistant.ports_profile import Habits, ProfileHands
from assistant.remote import Account, Credential
from assistant.vectors import Nearest


class Clock(Protocol):
    """The time, so that a run can be repeated."""

    def now(self) -> datetime:
        """Now, with the user's zone."""
        ...

    @property
    def zone(self) -> ZoneInfo:
        """The user's zone."""
        ...


class LanguageModel(Protocol):
    """A model that completes a chat; `engine` gives the one on the device."""

    @property
    def ready(self) -> bool:
        """Whether a model is chosen and its file is there (it may not be loaded yet)."""
        ...

    def complete(self, request: Completion) -> AsyncIterator[Chunk]:
        """Stream the completion. Closing the iterator cancels within one token.

        Raises ModelMissing, WorkerDied, ContextOverflow.
        """
        ...

    async def tokenize(self, text: str) -> int:
        """How many tokens `text` is."""
        ...


class Embedder(Protocol):
    """Sentence embeddings on the device, and the nearest of those that are kept."""

    @property
    def ready(self) -> bool:
        """Whether at least one model's files are here (it may not be loaded yet)."""
        ...

    @property
    def version(self) -> str:
        """Names the models in use: vectors of another version can't be compared. Ask after a request, not before it."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """One record (`vectors.RECORD` bytes) for each text, read as a passage; empty for a text without a word.

        Raises ModelMissing, WorkerDied, EngineError.
        """
        ...

    async def nearest(self, file: Path, query: str, *, limit: int, among: Sequence[int] = ()) -> Nearest:
        """The `limit` records of a file that are nearest to the query, and the scores of the slots in `among`.

        The file may grow meanwhile, and slots in it may be emptied or filled. Raises as `embed` does.
        """
        ...


class Secrets(Protocol):
    """Passwords and tokens, by name; never in the database or in config.yaml."""

    async def get(self, name: str) -> str | None:
        """The secret, or None where none is stored."""
        ...

    async def put(self, name: str, value: str) -> None:
        """Store or replace a secret."""
        ...

    async def delete(self, name: str) -> bool:
        """Forget a secret; False where there was none."""
        ...


class Accounts(Protocol):
    """The user's accounts with servers elsewhere."""

    def all(self) -> Mapping[str, Account]:
        """By name, in the order of the settings."""
        ...

    async def credential(self, account: str, *, refused: Credential | None = None) -> Credential:
        """What to log in with now; a token that has run out is refreshed first.

        `refused` is what the server has just turned down: it is not given again. Asked again with the same `refused`,
        this answers as soon as the user has logged in anew. Raises NotConfigured where nothing is kept, AccountError
        where nothing else is to be had (the user has been told, once); one with a true `passing` may end by itself.
        """
        ...


class Bus(Protocol):
    """Events to every open surface."""

    def publish(self, event: Event) -> None:
        """Hand the event to all who listen now; never blocks."""
        ...

    def keep(self, event: Event) -> None:
        """Hand the event to all who listen now, and to whoever begins to until the daemon ends."""
        ...

    def withdraw(self, notice: str) -> None:
        """Keep the notice of this id no longer."""
        ...

    def untold(self, session: str) -> Sequence[Event]:
        """What is kept and was not given to this session yet."""
        ...


class Notifier(Protocol):
    """Reaches the user outside any surface: a desktop notification."""

    async def show(self, notice: Notice) -> bool:
        """True where the desktop took it."""
        ...


class Announcements(Protocol):
    """Notices that must not be missed."""

    def keep(self, notice: Notice) -> None:
        """Tell it on every surface, those that come later included, and on the desktop."""
        ...

    def withdraw(self, notice: str) -> None:
        """It is not true any more."""
        ...


class Outbox(Protocol):
    """Outward acts after their yes: durable, held, done once."""

    async def submit(self, approval: Approval) -> Receipt:
        """Record an approved act (durably) and hold it. The receipt says until when it can be undone."""
        ...

    async def cancel(self, operation: str) -> Receipt:
        """Undo an act that is still held. Raises Conflict when it has left, NotFound."""
        ...

    async def list(self, *, open_only: bool = False, limit: int = 100) -> Sequence[Operation]:
        """Newest first."""
        ...

    async def resolve(self, operation: str, *, happened: bool) -> Receipt:
        """The person says whether an UNKNOWN act happened; if not, it is sent again."""
        ...


class Schedules(Protocol):
    """Things due at a time, kept over restarts; each due time fires once."""

    async def add(
        self, key: str, *, skill: str, due: datetime, payload: Mapping[str, Any], recurrence: str | None = None
    ) -> None:
        """Add or replace. `recurrence` is an RFC 5545 RRULE without its prefix; `due` is its first occurrence."""
        ...

    async def remove(self, key: str, *, skill: str) -> bool:
        """False where there was none."""
        ...

    async def list(self, *, skill: str) -> Sequence[Scheduled]:
        """Open ones, soonest first."""
        ...


class Scheduled(Protocol):
    """One open schedule."""

    @property
    def key(self) -> str: ...
    @property
    def due(self) -> datetime: ...
    @property
    def recurrence(self) -> str | None: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


class Quiet(Protocol):
    """Whether somebody is being answered now: work that can wait does."""

    async def wait(self) -> None:
        """Until nobody is."""
        ...

    async def broken(self) -> None:
        """Until somebody is."""
        ...


class Index(Protocol):
    """Full-text search over a skill's own documents; Chinese is found as well as English."""

    async def put(self, documents: Sequence[Document]) -> None:
        """Add or replace by id."""
        ...

    async def delete(self, ids: Sequence[str]) -> None:
        """Forget them."""
        ...

    async def search(
        self,
        query: str,
        *,
        limit: int = 20,
        where: Mapping[str, str | int | bool | Sequence[str | int | bool]] | None = None,
    ) -> Sequence[str]:
        """Ids, best first; with an empty query all, newest (`fields["date"]`) first.

        `where` filters on the documents' `fields`: a key is a field's name, alone (equal) or followed by `>=`, `<` or
        `~` (contains, text folded); a list of values lets any of them through.
        """
        ...

    async def stamps(self) -> Mapping[str, str]:
        """Id → stamp of all documents, to see what changed."""
        ...


class Document(Protocol):
    """What an index holds of one thing."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def stamp(self) -> str: ...
    @property
    def fields(self) -> Mapping[str, str | int | bool]: ...


class Users(Protocol):
    """Who the user is and whom they know."""

    def current(self) -> UserContext:
        """The user's context now."""
        ...


class Folders(Protocol):
    """Where a skill may keep files of its own."""

    def of(self, skill: str) -> Path:
        """Its folder, made if need be (0700)."""
        ...


class Profile(Protocol):
    """What is known of the user: kept as it was said, superseded, never out of the user's hands."""

    @property
    def hands(self) -> ProfileHands:
        """What the user decides over it."""
        ...

    def heard(self, turn: Turn, language: str) -> None:
        """Keep what a person said, and the facts that it states."""
        ...

    @property
    def habits(self) -> Habits:
        """What they usually choose."""
        ...

    def remember(self, text: str, source: str, *, language: str) -> Sequence[Fact]:
        """Keep what the user asked to be remembered; the facts it became. `source` names it for `take_back`."""
        ...

    def facts(self, *, as_of: datetime | None = None, history: bool = False) -> Sequence[Fact]:
        """What holds now, or held at a moment, or all that ever did."""
        ...

    def why(self, fact: str) -> Sequence[Evidence]:
        """The words that state a fact, oldest first."""
        ...

    def asked(self, query: str) -> Sequence[Fact]:
        """The facts that a question asks for by their kind: "my birthday"."""
        ...

    def tell(self, fact: Fact, language: str) -> str:
        """The fact as a sentence to the user."""
        ...

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of facts, in the order in which they are shown."""
        ...

    @property
    def enough(self) -> float:
        """The score from which something that was recalled answers the question."""
        ...

    def heading(self, kind: str, language: str) -> str:
        """What a kind of facts is called."""
        ...

    async def recall(self, query: str, *, limit: int = 10) -> Sequence[Recalled]:
        """What was said that answers a question, best first."""
        ...

    def digest(self, language: Language, *, private: bool) -> str:
        """The foremost of what is known in at most 370 tokens, a line a fact, for prompts; empty where nothing is.

        The same bytes until one of these facts changes. Without `private` it may leave the device.
        """
        ...

    async def earlier(self, text: str, *, talk: bool) -> Sequence[str]:
        """The user's own earlier words that a reply to `text` should know, best first; at once, and without a language
        model. None where neither anything is to be chosen or proposed nor the text is small talk (`talk`)."""
        ...

    def take_back(self, source: str) -> Sequence[Fact]:
        """Undo what one source brought; the facts that are gone."""
        ...

    async def forget(self, facts: Sequence[str]) -> Forgotten:
        """Remove facts (by id) for good, with all that states them."""
        ...
