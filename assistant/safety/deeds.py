"""What the audit tells of deeds: what was meant, whether it was done, whether it was taken back. Adapter of
`ports.Deeds`; reads only. Arguments that came from what was read, and those of private tools, are left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.knowledge import Deed
from assistant.models import Decision, Label
from assistant.safety.records import moment
from assistant.store import Database

_ACTS = ("write", "outward", "money")
_DONE = frozenset({"receipt", "outbox.done"})
_UNDONE = frozenset({"undone", "outbox.cancelled", "outbox.failed"})
_OWN = frozenset({Label.USER, Label.PROFILE, Label.CONTACT, Label.TOOL})


class AuditedDeeds:
    """The deeds in the audit of a database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def after(self, number: int, limit: int) -> tuple[Sequence[Deed], int]:
        """The deeds among the `limit` entries after a number, and the number of the last entry that was looked at.

        After a restored backup the record may be shorter than it was: then it is read from its end on.
        """
        rows = self._db.conn.execute(
            "SELECT n, entry FROM audit WHERE n > ? ORDER BY n LIMIT ?", (number, limit)
        ).fetchall()
        if not rows:
            last = self._db.conn.execute("SELECT max(n) FROM audit").fetchone()[0] or 0
            return (), min(number, last)
        found = [_deed(json.loads(row["entry"])) for row in rows]
        return [one for one in found if one is not None], rows[-1]["n"]


def _deed(entry: Mapping[str, Any]) -> Deed | None:
    kind, data = entry["kind"], entry["data"]
    operation, at = str(data.get("operation", "")), moment(entry["at"])
    if kind in _DONE:
        return Deed(what="done", operation=operation, at=at)
    if kind in _UNDONE:
        return Deed(what="undone", operation=operation, at=at)
    if kind != "action" or data["effect"] not in _ACTS or data["verdict"] == Decision.DENY:
        return None
    origins = data.get("origins", {})
    args = {name: value for name, value in data["args"].items() if origins.get(name) in _OWN and _is_whole(value)}
    return Deed(what="meant", operation=operation, at=at, tool=data["tool"], args=args)


def _is_whole(value: Any) -> bool:
    """Whether the record holds the value itself: not a digest, nothing withheld or hidden."""
    if isinstance(value, list):
        return all(_is_whole(one) for one in value)
    return not isinstance(value, Mapping) and "•" not in str(value)
