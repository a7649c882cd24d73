"""The folders of an IMAP server, and the part each plays: by SPECIAL-USE (RFC 6154), else by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..provider import Role, role_of
from .session import Session

_USES: dict[str, Role] = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\archive": "archive",
    "\\trash": "trash",
    "\\junk": "junk",
    "\\spam": "junk",
    "\\inbox": "inbox",
    "\\all": "archive",
    "\\allmail": "archive",
}
_EVERYTHING = {"\\all", "\\allmail"}
_VIEWS = {"\\flagged", "\\starred", "\\important"}
"""Folders that hold nothing of their own: what is marked elsewhere."""
_CLOSED = {"\\noselect", "\\nonexistent"}
_MOST = 2_000


@dataclass(frozen=True)
class Listed:
    """A folder that can be opened."""

    name: str
    role: Role
    rank: int
    """0 the inbox, 1 others, 2 one that holds everything a second time."""


def listed(session: Session) -> list[Listed]:
    """All of them, the inbox first; of two that claim a part, the one that the server names has it."""
    found: list[tuple[str, set[str]]] = []
    client = session.client
    answers: list[Any] = client.list_folders()
    if "XLIST" in session.has and "SPECIAL-USE" not in session.has and not session.gmail:
        answers = client.xlist_folders()
    for flags, _, raw in answers[:_MOST]:
        name = raw.decode("ascii", "replace") if isinstance(raw, bytes) else str(raw)
        marks = {flag.decode("ascii", "replace").lower() for flag in flags if isinstance(flag, bytes)}
        if not marks & _CLOSED and name and "\r" not in name and "\n" not in name:
            found.append((name, marks))
    roles: dict[str, Role] = {}
    taken: set[Role] = set()
    for name, _ in found:
        if name.upper() == "INBOX":
            roles[name] = "inbox"
            taken.add("inbox")
    for strong in (True, False):  # \All plays the archive only where nothing else does
        for name, marks in found:
            role = _use(marks, strong)
            if role and role not in taken and name not in roles:
                roles[name] = role
                taken.add(role)
    for name, marks in found:
        role = role_of(name)
        if role and role != "inbox" and role not in taken and name not in roles and not marks & _VIEWS:
            roles[name] = role
            taken.add(role)
    result = [
        Listed("INBOX" if roles.get(name) == "inbox" else name, roles.get(name, ""), _rank(roles.get(name, ""), marks))
        for name, marks in found
        if not marks & _VIEWS
    ]
    return sorted(result, key=lambda one: (one.rank, one.name))


def prefix(session: Session) -> str:
    """What the names of the user's own folders begin with (RFC 2342): `INBOX.` on some servers."""
    if "NAMESPACE" not in session.has:
        return ""
    try:
        personal = session.client.namespace().personal
    except Exception:  # a server that has it and can't tell it
        return ""
    first = personal[0][0] if personal and personal[0] else ""
    return first.decode("ascii", "replace") if isinstance(first, bytes) else str(first or "")


def make(session: Session, name: str) -> str:
    """Make a folder unless there is one of that name; the name it has there."""
    full = name if name.startswith(prefix(session)) else prefix(session) + name
    existing = {one.name for one in listed(session)}
    for known in (name, full):
        if known in existing:
            return known
    session.client.create_folder(full)
    session.client.subscribe_folder(full)
    return full


def _use(marks: set[str], strong: bool) -> Role:
    found: list[Role] = [
        role for mark, role in _USES.items() if mark in marks and role != "inbox" and (mark in _EVERYTHING) != strong
    ]
    return found[0] if found else ""


def _rank(role: Role, marks: set[str]) -> int:
    return 0 if role == "inbox" else 2 if marks & _EVERYTHING else 1
