"""The profile: takes in what the user says, keeps the facts that it states, answers from them, and forgets for good."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from assistant.errors import Conflict, EngineError, NotFound, Rejected
from assistant.failpoint import failpoint
from assistant.knowledge import Change, Evidence, Fact, Forgotten, Recalled, Source, Statement
from assistant.memory.asked import asked_for
from assistant.memory.bounds import Bounds
from assistant.memory.consolidating import NIGHT, Nights
from assistant.memory.digest import Digest
from assistant.memory.earlier import earlier_words
from assistant.memory.evidence import EvidenceBook
from assistant.memory.facts import FactBook
from assistant.memory.forgetting import Forgetting
from assistant.memory.gates import secret
from assistant.memory.habits import KeptHabits, NoDeeds
from assistant.memory.hands import Hands
from assistant.memory.kinds import kinds
from assistant.memory.reading import Reader
from assistant.memory.recall import ENOUGH, Recall
from assistant.memory.stating import statements
from assistant.memory.vectors import VectorFiles
from assistant.models import Language, Person, Turn
from assistant.ports import Clock, Embedder, LanguageModel, Quiet
from assistant.ports_profile import Deeds
from assistant.store import Database, transaction
from assistant.store.scrub import scrub

_log = logging.getLogger(__name__)
_BATCH = 16
_FAILED_S = 60.0
_CALM_S = 60.0
"""After something new was said: the models take 270 MB, and are not loaded for each sentence of a conversation."""
_LONGEST = 4_000
"""Characters of one piece of evidence; the rest of a longer text was pasted."""


class KeptProfile:
    """Adapter of `ports.Profile` over the database and a folder of vectors."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        folder: Path,
        embedder: Embedder,
        quiet: Quiet,
        *,
        model: LanguageModel | None = None,
        learn: bool = True,
        never: Sequence[str] = (),
        people: Callable[[], Sequence[Person]] = tuple,
        deeds: Deeds | None = None,
        forgotten: Callable[[], None] = lambda: None,
    ) -> None:
        """`model` reads what the rules don't, in the background; without one it waits.

        Where `learn` is false, only what is asked to be remembered is; of words in `never` nothing ever is.
        `people` are the user's contacts: who is known by a part of a name is told by them. `deeds` is the record that
        habits are read from. `forgotten` is called when something goes for good, for whoever still holds what was made
        of it.
        """
        self._db = db
        self._clock = clock
        self._evidence = EvidenceBook(db)
        self._facts = FactBook(db, kinds())
        self._digest = Digest(self._facts, kinds())
        self._forgotten = forgotten
        self._bounds = Bounds(db, kinds(), never, learn=learn)
        self.habits = KeptHabits(db, clock, deeds or NoDeeds(), self._bounds)
        self.nights = Nights(db, self._facts, kinds(), clock, quiet, people)
        self._vectors = VectorFiles(folder)
        self._recall = Recall(self._evidence, self._facts, self._vectors, embedder)
        self._embedder = embedder
        self._quiet = quiet
        self._fresh = asyncio.Event()
        self._fresh.set()
        self.reader = (
            Reader(db, self._evidence, self._facts, model, clock, quiet, self._bounds) if model and learn else None
        )
        """Reads in the background; None where nothing is learned, or there is nobody to read."""
        self._hands = Hands(
            db, clock, self._evidence, self._facts, self._bounds, folder=folder / "exports", fresh=self._stir
        )

        self._sweep()

    def _sweep(self) -> None:
        """Remove what a crash left: vectors of what is forgotten, exports that are half made."""
        try:
            self._evidence.sweep(self._vectors)
            self._hands.exports.sweep()
        except (OSError, sqlite3.Error) as error:  # a full or busy disk: the next start will do
            _log.warning("what a crash left could not be removed yet: %s", error)

    @property
    def hands(self) -> Hands:
        """What the user decides over it."""
        return self._hands

    def _stir(self) -> None:
        """There is something new to be read and embedded."""
        self._fresh.set()
        if self.reader is not None:
            self.reader.stir()

    # --- taking in ---------------------------------------------------------------------------------------------

    def heard(self, turn: Turn, language: str) -> None:
        """Keep what a person said, and the facts that it states, unless nothing shall be learned."""
        if not self.hands.learns(turn.text):
            return
        self.take_in(turn.text, f"turn:{turn.id}", language=language, at=self._clock.now(), thread=turn.session)

    def take_in(
        self,
        text: str,
        source: str,
        *,
        language: str,
        at: datetime,
        origin: Source = "said",
        speaker: str = "",
        thread: str = "",
    ) -> list[Fact]:
        """Keep words, once; the facts they state, where they are the user's own, and hold no secret."""
        if origin != "heard" and secret(text):
            return []
        read = [] if origin == "heard" else statements(text, language)
        return self._keep(text[:_LONGEST], source, read, language, at, origin, speaker, thread)

    def remember(self, text: str, source: str, *, language: str) -> list[Fact]:
        """Keep what the user asked to be remembered: as the facts that it states, else in their words."""
        self._refuse(text)
        now = self._clock.now()
        said = statements(text, language)
        if not said:
            said = [Statement(predicate="said", value=text, text=text, language=language)]
        return self._keep(text[:_LONGEST], source, said, language, now, "said", "", "")

    def _refuse(self, text: str) -> None:
        """Raises Rejected for what is never kept, whoever asks for it."""
        if self.hands.bars(text):
            raise Rejected("memory.barred")
        if secret(text):
            raise Rejected("memory.secret")

    def _keep(
        self,
        text: str,
        source: str,
        said: Sequence[Statement],
        language: str,
        at: datetime,
        origin: Source,
        speaker: str,
        thread: str,
    ) -> list[Fact]:
        now = self._clock.now()
        kept: list[Fact] = []
        with transaction(self._db):
            number = self._evidence.append(
                text, source=source, origin=origin, language=language, at=at, speaker=speaker, thread=thread
            )
            if number is None:
                return []
            failpoint("profile.evidence")
            if not self.hands.learns(text):
                self._evidence.leave_unread(number)
            for one in said:
                done = self._facts.state(one, evidence=number, origin=origin, at=at, now=now, batch=source)
                if done is not None:
                    kept.append(done[0])
        failpoint("profile.kept")
        self._stir()
        return kept

    # --- looking -----------------------------------------------------------------------------------------------

    def facts(self, *, as_of: datetime | None = None, history: bool = False) -> list[Fact]:
        """What holds now, or held at a moment, or all that ever did."""
        return self._facts.current(as_of=as_of, history=history)

    def fact(self, fact: str) -> Fact:
        """The fact of this id. Raises NotFound."""
        try:
            return self._facts.get(fact)
        except KeyError:
            raise NotFound("memory.no_fact", fact=fact) from None

    def why(self, fact: str) -> list[Evidence]:
        """The words that state it, oldest first."""
        numbers = self._facts.evidence_of(fact)
        found = self._evidence.of(numbers)
        return [found[number] for number in numbers]

    def changes(self, limit: int = 50) -> list[Change]:
        """What was learned and changed, the newest first."""
        return self._facts.changes(limit)

    def asked(self, query: str) -> list[Fact]:
        """The facts that a question asks for by their kind."""
        return asked_for(query, self._facts.current(), kinds(), self._facts.names())

    def tell(self, fact: Fact, language: str) -> str:
        """The fact as a sentence to the user, in English or Chinese."""
        return kinds().sentence(fact, language if language in ("en", "zh") else "en")

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of facts, in the order in which they are shown."""
        return tuple(kinds().titles)

    @property
    def enough(self) -> float:
        """The score from which something that was recalled answers the question."""
        return ENOUGH

    def heading(self, kind: str, language: str) -> str:
        """What a kind of facts is called."""
        return kinds().titles[kind][language if language in ("en", "zh") else "en"]

    async def recall(self, query: str, *, limit: int = 10) -> list[Recalled]:
        """What was said that answers the query, best first; without the models by its words alone."""
        return await self._recall.find(query, limit)

    def digest(self, language: Language, *, private: bool) -> str:
        """The foremost of what is known, a line a fact, the same bytes until one of these changes."""
        return self._digest.text(language, private=private)

    async def earlier(self, text: str, *, talk: bool) -> list[str]:
        """The user's own earlier words that a reply to `text` should know, best first."""
        return await earlier_words(self._recall, text, talk=talk)

    # --- taking back and forgetting ------------------------------------------------------------------------------

    def take_back(self, batch: str) -> list[Fact]:
        """Undo what one source brought: what it added goes for good, what it changed is as before."""
        with transaction(self._db):
            if batch.startswith(NIGHT):
                self.nights.take_back(batch)
                return []
            gone = self._facts.take_back(batch)
            number = self._evidence.numbered(batch)
            self._evidence.leave_unread(number)
            if number is not None and not self._facts.read_in([number]):
                self._evidence.delete([number])
            self.hands.take_back(batch)
        self._evidence.sweep(self._vectors)
        self._let_go()
        return gone

    def pin(self, fact: str, pinned: bool) -> Fact:
        """Keep a fact in sight whatever happens, or no longer. Raises NotFound."""
        self.fact(fact)
        with transaction(self._db):
            return self._facts.pin(fact, pinned, f"pin:{uuid.uuid4().hex}", self._clock.now())

    def edit(self, fact: str, value: str, *, language: str) -> Fact:
        """Put another value in the place of one that holds; it becomes history. Raises NotFound, Conflict, Rejected."""
        old = self.fact(fact)
        if old.valid_to is not None or old.superseded_by is not None:
            raise Conflict("memory.is_past", fact=fact)
        if not value.strip():
            raise Rejected("memory.no_value")
        self._refuse(value)
        now, batch = self._clock.now(), f"edit:{uuid.uuid4().hex}"
        said = self.tell(old.model_copy(update={"value": value.strip()}), language)
        with transaction(self._db):
            number = self._evidence.append(said, source=batch, origin="said", language=language, at=now)
            assert number is not None  # a source of its own
            self._evidence.leave_unread(number)  # what it says is known
            done = self._facts.edit(old, value.strip(), said, number, language, now, batch)
            failpoint("profile.edited")
        self._fresh.set()
        return done

    async def forget(self, facts: Sequence[str]) -> Forgotten:
        """Remove facts for good, with the words that state them and everything made of those."""
        forgetting = Forgetting(self._db, self._evidence, self._facts, self._vectors, self.hands.exports)
        done = await forgetting.forget(facts)
        self._let_go()
        return done

    def _let_go(self) -> None:
        """What was made of facts for prompts goes too."""
        self._digest.clear()
        self._forgotten()

    async def scrub(self) -> None:
        """Overwrite what the database file still holds of what was deleted."""
        await scrub(self._db)

    def expire(self, keep_days: int) -> int:
        """Delete words older than `keep_days` (0 keeps all) that state nothing which is known; how many there were."""
        if not keep_days:
            return 0
        with transaction(self._db):
            old = self._evidence.idle_before(self._clock.now() - timedelta(days=keep_days))
            self._evidence.delete(old)
        self._evidence.sweep(self._vectors)
        return len(old)

    # --- in the background ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Make vectors of what is new, while nobody is being answered."""
        while True:
            await self._fresh.wait()
            await asyncio.sleep(_CALM_S)
            self._fresh.clear()
            try:
                while self._embedder.ready and await self._embed_some():
                    await self._quiet.wait()
            except EngineError as error:
                _log.warning("vectors could not be made: %s", error)
                await asyncio.sleep(_FAILED_S)
                self._fresh.set()

    async def settle(self) -> None:
        """Until everything that is kept is read, and can be found by its meaning too; for benches and tests."""
        if self.reader is not None:
            await self.reader.settle()
        while self._embedder.ready and await self._embed_some():
            pass

    async def _embed_some(self) -> bool:
        """The next few records; False where none is missing."""
        version = self._embedder.version
        begin = self._vectors.next(version)
        rows = self._evidence.after(begin, _BATCH)
        if not rows:
            return False
        texts = [f"{one.speaker}: {one.text}" if one.speaker else one.text for one in rows]
        records = await self._embedder.embed(texts)
        if self._embedder.version == version:  # else a model failed meanwhile, and all is made anew
            there = self._evidence.of(one.id for one in rows)
            made = zip(rows, records, strict=True)
            self._vectors.write(version, [(one.id, one.text, record) for one, record in made if one.id in there])
        return True
