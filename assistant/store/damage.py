"""Noticing, at any statement, that the database is damaged. Mends nothing: that is `store.restore`, at a start."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

OnDamage = Callable[[str], None]
T = TypeVar("T")
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_damage(error: BaseException) -> bool:
    """Whether SQLite said that the file is damaged, and not merely full, locked or misused."""
    return isinstance(error, sqlite3.DatabaseError) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


class WatchedConnection(sqlite3.Connection):
    """A connection that calls `on_damage` once, with SQLite's words, whichever statement finds the damage."""

    on_damage: OnDamage | None = None

    def cursor(self, factory: Any = None) -> WatchedCursor:  # type: ignore[override]
        """A cursor that watches; `execute` of the connection itself takes one too."""
        cursor: WatchedCursor = super().cursor(factory or WatchedCursor)
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> WatchedCursor:
        """As always."""
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> WatchedCursor:
        """As always."""
        return self.cursor().executemany(sql, parameters)

    def found(self, error: sqlite3.DatabaseError) -> None:
        """Tell of the damage, if it is one and nobody was told yet."""
        if self.on_damage is not None and is_damage(error):
            tell, self.on_damage = self.on_damage, None
            tell(str(error))


class WatchedCursor(sqlite3.Cursor):
    """Tells its connection of damage that it meets, when it begins as when it goes on reading."""

    def execute(self, sql: str, parameters: Any = (), /) -> Self:
        """As always."""
        return self._watched(super().execute, sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Self:
        """As always."""
        return self._watched(super().executemany, sql, parameters)

    def fetchone(self) -> Any:
        """As always."""
        return self._watched(super().fetchone)

    def fetchall(self) -> list[Any]:
        """As always."""
        return self._watched(super().fetchall)

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        """As always."""
        return self._watched(super().fetchmany, size)

    def __next__(self) -> Any:
        return self._watched(super().__next__)

    def _watched(self, call: Callable[..., T], *arguments: Any) -> T:
        try:
            return call(*arguments)
        except sqlite3.DatabaseError as error:
            connection = self.connection
            if isinstance(connection, WatchedConnection):
                connection.found(error)
            raise
