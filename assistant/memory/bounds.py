"""What the user does not want learned: topics, and everything while it pauses. Kept in the database, over restarts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from assistant.errors import Rejected
from assistant.knowledge import Pause
from assistant.memory.concepts import named
from assistant.memory.evidence import utc
from assistant.memory.facts import plain
from assistant.memory.kinds import Kinds
from assistant.memory.stating import statements
from assistant.store import Database, transaction
from assistant.store.index import fold

_LONGEST = 200
_COVERS = "since <= ? AND (until IS NULL OR until > ?)"


class Bounds:
    """The tables `profile_never` and `profile_pause`, and the topics of the settings."""

    def __init__(self, db: Database, kinds: Kinds, never: Sequence[str] = (), *, learn: bool = True) -> None:
        """`never` are the topics of the settings; where `learn` is false, nothing is learned at all."""
        self._db = db
        self._learn = learn
        self.set = tuple(never)
        """Topics that stand in the settings."""
        self._titles = {fold(title): kind for kind, titles in kinds.titles.items() for title in titles.values()}
        self._kind_of = {name: one.kind for name, one in kinds.predicates.items()}

    def learns(self, text: str, at: datetime) -> bool:
        """Whether something may be learned from words, or from a deed, of that moment."""
        return self._learn and self.paused(at) is None and not self.bars(text)

    # --- topics ------------------------------------------------------------------------------------------------

    def topics(self) -> list[str]:
        """Those that the user named, in the order in which they did; without those of the settings."""
        rows = self._db.conn.execute("SELECT topic FROM profile_never ORDER BY at, rowid")
        return [str(row["topic"]) for row in rows]

    def bar(self, topic: str, now: datetime) -> bool:
        """Learn nothing of it from now on; False where that is so already. Raises Rejected for what names nothing."""
        word = plain(topic)
        if not word or len(word) > _LONGEST:
            raise Rejected("memory.no_topic")
        with transaction(self._db) as connection:
            done = connection.execute("INSERT OR IGNORE INTO profile_never VALUES (?, ?)", (word, utc(now)))
        return done.rowcount == 1

    def unbar(self, topic: str) -> bool:
        """Learn of it again; False where nothing kept it from that."""
        with transaction(self._db) as connection:
            done = connection.execute("DELETE FROM profile_never WHERE topic = ?", (plain(topic),))
        return done.rowcount == 1

    def bars(self, text: str) -> bool:
        """Whether `text` names a barred topic: by its words, by a word for the same thing, or by the kind of a fact."""
        topics = [*self.set, *self.topics()]
        if not topics:
            return False
        said, meant = fold(text), set(named(text))
        kinds = {kind for topic in topics if (kind := self._titles.get(fold(topic)))}
        return (
            any(_begins(fold(topic)).search(said) for topic in topics)
            or any((about := set(named(topic))) and about <= meant for topic in topics)
            or bool(kinds and kinds & self._kinds_in(text))
        )

    def _kinds_in(self, text: str) -> set[str]:
        return {self._kind_of[one.predicate] for tongue in ("en", "zh") for one in statements(text, tongue)}

    # --- a pause -----------------------------------------------------------------------------------------------

    def pause(self, until: datetime | None, now: datetime) -> Pause:
        """Learn nothing until then, or until it is taken up again. Raises Rejected for a moment that is past."""
        if until is not None and until <= now:
            raise Rejected("memory.pause_past", until=until)
        with transaction(self._db) as connection:
            if self.paused(now) is None:
                connection.execute("INSERT INTO profile_pause VALUES (?, NULL)", (utc(now),))
            connection.execute(f"UPDATE profile_pause SET until = ? WHERE {_COVERS}", (_stored(until), *_at(now)))
        found = self.paused(now)
        assert found is not None  # it was just written
        return found

    def resume(self, now: datetime) -> bool:
        """Learn again; False where there was no pause."""
        with transaction(self._db) as connection:
            done = connection.execute(f"UPDATE profile_pause SET until = ? WHERE {_COVERS}", (utc(now), *_at(now)))
        return done.rowcount == 1

    def paused(self, at: datetime) -> Pause | None:
        """The pause that there is or was at a moment: a deed of then is not learned from later either."""
        row = self._db.conn.execute(f"SELECT since, until FROM profile_pause WHERE {_COVERS}", _at(at)).fetchone()
        return None if row is None else Pause.model_validate(dict(row))


def _at(moment: datetime) -> tuple[str, str]:
    return utc(moment), utc(moment)


def _stored(moment: datetime | None) -> str | None:
    return None if moment is None else utc(moment)


@cache
def _begins(topic: str) -> re.Pattern[str]:
    """Words that begin with it: "art" bars artists and no parties. Chinese has no such beginnings."""
    start = r"(?<![a-z0-9])" if topic[:1].isascii() and topic[:1].isalnum() else ""
    return re.compile(start + re.escape(topic))
