"""Opening the database: WAL, migrations in order, a backup before them, a check at the start.

All access is from the thread of the daemon's event loop (statements are short), or from a thread that has a connection
of its own.
"""

from __future__ import annotations

import importlib
import pkgutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant.errors import AssistantError
from assistant.failpoint import failpoint
from assistant.store import migrations
from assistant.store.backups import make_before
from assistant.store.damage import OnDamage, WatchedConnection

# sqlite-utils imports numpy where it is installed (the worker's llama-cpp-python needs it): 20 MB and 60 ms for what
# is never used here. All take `Database` from this package, so that the daemon stays without numpy.
_numpy_was_loaded = "numpy" in sys.modules
sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]
from sqlite_utils import Database as Database  # noqa: E402

if not _numpy_was_loaded:
    del sys.modules["numpy"]

_APPLIED = "migrations"


def open_database(file: Path | str, *, durable: bool = False, on_damage: OnDamage | None = None) -> Database:
    """Open (and make, and migrate) the database. `":memory:"` gives an empty one for tests.

    `durable` waits for the disk at each commit (`synchronous=FULL`): for the outbox, approvals and the audit, where a
    receipt given must survive a power cut. Other connections use NORMAL. `on_damage` is called once if a statement
    finds the file damaged later on.

    Raises AssistantError `store.corrupt` or `store.unwritable`; the file is left as it was found.
    """
    try:
        connection = sqlite3.connect(
            file, timeout=30, check_same_thread=False, isolation_level=None, factory=WatchedConnection
        )
        try:
            db = _prepare(connection, file, durable)
            connection.on_damage = on_damage
            return db
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise AssistantError("store.unwritable", problem=str(error)) from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        raise AssistantError("store.corrupt", file=str(file), problem=str(error)) from error


@contextmanager
def transaction(db: Database) -> Iterator[sqlite3.Connection]:
    """All or nothing; takes the write lock at once, so that two writers can't deadlock."""
    connection = db.conn
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have ended it already
            connection.execute("ROLLBACK")
        raise


def _prepare(connection: sqlite3.Connection, file: Path | str, durable: bool) -> Database:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    connection.row_factory = sqlite3.Row
    if file != ":memory:":
        Path(file).chmod(0o600)
    _check(connection, file)
    db = Database(connection)
    _migrate(db, Path(file) if file != ":memory:" else None)
    return db


def _check(connection: sqlite3.Connection, file: Path | str) -> None:
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        raise AssistantError("store.corrupt", file=str(file), problem=" ".join(str(problem).split()))


def _migrate(db: Database, file: Path | None) -> None:
    db.conn.execute(f"CREATE TABLE IF NOT EXISTS {_APPLIED} (name TEXT PRIMARY KEY) STRICT")
    applied = {row["name"] for row in db.conn.execute(f"SELECT name FROM {_APPLIED}")}
    steps = sorted(module.name for module in pkgutil.iter_modules(migrations.__path__))
    missing = [step for step in steps if step not in applied]
    if not missing:
        return
    if applied and file is not None:
        make_before(file, missing[0])
    for step in missing:
        module = importlib.import_module(f"{migrations.__name__}.{step}")
        with transaction(db) as connection:
            if connection.execute(f"SELECT 1 FROM {_APPLIED} WHERE name = ?", (step,)).fetchone():
                continue  # another process was faster
            module.apply(db)
            connection.execute(f"INSERT INTO {_APPLIED} (name) VALUES (?)", (step,))
            failpoint("migration.applied")
        failpoint("migration.after")
