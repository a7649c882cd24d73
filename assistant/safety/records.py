"""Writing so that it is either on disk or an error that a person understands. Knows no table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from assistant.errors import AssistantError
from assistant.store import Database, is_damage, transaction


@contextmanager
def recording(db: Database) -> Iterator[sqlite3.Connection]:
    """A transaction whose failure (disk full, database locked or damaged) is `AssistantError("store.unwritable")`."""
    try:
        with transaction(db) as connection:
            yield connection
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise AssistantError("store.damaged" if is_damage(error) else "store.unwritable", problem=str(error)) from error


def stamp(moment: datetime) -> str:
    """UTC with microseconds: sorts as text the way it sorts as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """The inverse of `stamp`."""
    return datetime.fromisoformat(text)


def printable(text: str) -> str:
    """`text` without lone surrogates, which neither UTF-8 nor SQLite can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
