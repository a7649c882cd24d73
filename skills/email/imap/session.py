"""One connection to an IMAP server (RFC 9051, 3501) with its extensions, as what the sync and the push need of it.

IMAPClient speaks the protocol; what it lacks (QRESYNC, lists of a hundred thousand UIDs, COPYUID) is asked here in the
protocol's own words. Blocks. Raises IMAPClientError for a NO or BAD, IMAPClientAbortError and OSError for a lost line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..parse import clean_name
from ..provider import FLAGS, Flag

if TYPE_CHECKING:
    from imapclient import IMAPClient

HEAD = 65_536
"""Bytes of a mail that are kept; the rest of a longer one is fetched when somebody wants it."""
LISTED = 5_000  # messages of one listing
_FLAG_NAMES: dict[str, Flag] = {f"\\{flag}": flag for flag in FLAGS}
_LINE = re.compile(rb"\d+ \((.*)\)\s*$", re.DOTALL)
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_SETS = re.compile(rb"^[\d,:]+$")
_COPIED = re.compile(rb"\[?(COPYUID|APPENDUID) (\d+)(?: ([\d,:]+))? ([\d,:]+)\]?", re.IGNORECASE)
_MOST_RANGE = 2_000_000


@dataclass
class Selected:
    """What SELECT said."""

    uidvalidity: int
    uidnext: int
    exists: int
    modseq: int | None
    resynced: bool = False
    """Whether `flags` and `vanished` are all that has changed since the modseq that was named (RFC 7162)."""
    flags: dict[int, int] = field(default_factory=dict)
    vanished: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Fetched:
    """One message of a FETCH."""

    uid: int
    flags: int
    size: int
    date: int
    raw: bytes
    """The beginning, at most HEAD bytes."""
    parts: list[tuple[str, str, int]] | None = None


class Session:
    """A logged-in connection."""

    def __init__(self, client: IMAPClient) -> None:
        self.client = client
        self._imap: Any = client._imap
        found = {one.decode("ascii", "replace").upper() for one in client.capabilities()}
        self.has = frozenset(found)
        enabled: set[str] = set()
        if "ENABLE" in found:
            wanted = [one for one in ("QRESYNC", "CONDSTORE") if one in found][:1]
            if wanted:
                enabled = {str(one, "ascii").upper() for one in client.enable(*wanted)}
        self.qresync = "QRESYNC" in enabled
        self.condstore = self.qresync or "CONDSTORE" in found
        self.gmail = "X-GM-EXT-1" in found
        self.selected = ""
        self.uidvalidity = 0

    def close(self) -> None:
        """Say goodbye, if the line is still there."""
        try:
            self.client.logout()
        except Exception:  # whatever is wrong with it, it is not needed any more
            self.abandon()

    def abandon(self) -> None:
        """Close without a word."""
        try:
            self.client.shutdown()
        except Exception:
            return

    def noop(self) -> None:
        """Keep the line alive."""
        self.client.noop()

    # --- folders ---

    def select(self, name: str, *, since: tuple[int, int] | None = None, readonly: bool = False) -> Selected:
        """Open a folder; with `since` (UIDVALIDITY, modseq) the server tells what has changed meanwhile."""
        self._imap.untagged_responses = {}
        self.selected = ""
        words = [self.client._normalise_folder(name)]
        if since is not None and self.qresync:
            words.append(f"(QRESYNC ({since[0]} {since[1]}))")
        elif self.condstore and not self.qresync:
            words.append("(CONDSTORE)")
        kind, data = self._imap._simple_command("EXAMINE" if readonly else "SELECT", *words)
        if kind != "OK":
            self._imap.state = "AUTH"
        self.client._checkok("select", kind, data)
        self._imap.state = "SELECTED"
        self.selected = name
        said = {str(key).upper(): value for key, value in self._imap.untagged_responses.items()}
        modseq = _number(said.get("HIGHESTMODSEQ"))
        found = Selected(
            uidvalidity=_number(said.get("UIDVALIDITY")) or 0,
            uidnext=_number(said.get("UIDNEXT")) or 0,
            exists=_number(said.get("EXISTS")) or 0,
            modseq=modseq if modseq and "NOMODSEQ" not in said else None,
        )
        if since is not None and self.qresync and found.uidvalidity == since[0] and found.modseq is not None:
            found.resynced = True
            found.flags = dict(_uids_and_flags(said.get("FETCH", [])))
            for line in said.get("VANISHED", []):
                found.vanished += spread(line.replace(b"(EARLIER)", b"").strip())
        self.uidvalidity = found.uidvalidity
        self._imap.untagged_responses = {}
        return found

    def status(self, name: str) -> dict[str, int]:
        """Numbers that differ when anything in a folder has changed (RFC 3501 §6.3.10)."""
        words = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", *(["HIGHESTMODSEQ"] if self.condstore else [])]
        found = self.client.folder_status(name, words)
        return {key.decode("ascii", "replace"): int(value or 0) for key, value in found.items()}

    def uids(self, exists: int) -> Iterator[dict[int, int]]:
        """UIDs with their flags of the folder that is open, in slices. Nothing is expunged while one is being told."""
        for start in range(1, exists + 1, LISTED):
            yield dict(_uids_and_flags(self._fetch_lines(f"{start}:{min(start + LISTED - 1, exists)}", "(UID FLAGS)")))

    def new_uids(self, uidnext: int) -> list[int]:
        """UIDs from `uidnext` on, in order."""
        kind, data = self._imap.uid("SEARCH", "UID", f"{max(uidnext, 1)}:*")
        self.client._checkok("search", kind, data)
        found = [int(one) for line in data if line for one in line.split() if one.isdigit()]
        return sorted(uid for uid in set(found) if uid >= uidnext)  # `n:*` names the last one, even below n

    def changed_since(self, modseq: int) -> dict[int, int]:
        """Flags of what has changed since (RFC 7162 §3.1.4)."""
        kind, data = self._imap.uid("FETCH", "1:*", "(FLAGS)", f"(CHANGEDSINCE {modseq})")
        self.client._checkok("fetch", kind, data)
        return dict(_uids_and_flags(self._take("FETCH")))

    # --- messages ---

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """Messages, at most HEAD bytes of each; none for those that are gone. Leaves \\Seen as it is."""
        wanted = ["UID", "FLAGS", "RFC822.SIZE", "INTERNALDATE", f"BODY.PEEK[]<0.{HEAD}>"]
        found = self.client.fetch(uids, wanted)
        return [one for uid, said in found.items() if (one := _fetched(uid, said)) is not None]

    def structure(self, uid: int) -> list[tuple[str, str, int]] | None:
        """What hangs on a message, as the server describes it."""
        found = self.client.fetch([uid], ["UID", "BODYSTRUCTURE"]).get(uid, {}).get(b"BODYSTRUCTURE")
        return attachments(found) if found is not None else None

    def heads(self, uids: Sequence[int]) -> dict[int, tuple[int, int, bytes]]:
        """Flags, size and the fields that tell a message from others."""
        fields = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]"
        found: dict[int, tuple[int, int, bytes]] = {}
        for uid, said in self.client.fetch(uids, ["UID", "FLAGS", "RFC822.SIZE", fields]).items():
            head = next((value for key, value in said.items() if key.startswith(b"BODY[")), b"")
            found[uid] = (flag_bits(said.get(b"FLAGS", ())), int(said.get(b"RFC822.SIZE", 0)), head or b"")
        return found

    def flags(self, uids: Sequence[int]) -> dict[int, int]:
        """Flags of those that are there."""
        found = self.client.fetch(uids, ["UID", "FLAGS"])
        return {uid: flag_bits(said.get(b"FLAGS", ())) for uid, said in found.items() if b"FLAGS" in said}

    def body(self, uid: int, start: int, length: int) -> bytes:
        """A piece of a message."""
        found = self.client.fetch([uid], ["UID", f"BODY.PEEK[]<{start}.{length}>"]).get(uid, {})
        return next((value or b"" for key, value in found.items() if key.startswith(b"BODY[")), b"")

    def store(self, uid: int, add: int, remove: int) -> None:
        """Set and clear flags; repeated it does no harm."""
        for how, value in ((b"+FLAGS", add), (b"-FLAGS", remove)):
            if value:
                self.client._store(how, [uid], flag_names(value), b"FLAGS", silent=True)

    def move(self, uid: int, folder: str) -> int | None:
        """RFC 6851; the UID it has there, where the server says it (RFC 4315)."""
        self._imap.untagged_responses = {}
        said = self.client.move([uid], folder)
        return self._copied(said)

    def copy(self, uid: int, folder: str) -> int | None:
        """The UID of the copy, where the server says it."""
        self._imap.untagged_responses = {}
        return self._copied(self.client.copy([uid], folder))

    def expunge(self, uid: int) -> None:
        """This one alone (RFC 4315). Where the server can't, it stays, marked: a plain EXPUNGE takes others with it."""
        if "UIDPLUS" in self.has:
            self.client.uid_expunge([uid])

    def append(self, folder: str, raw: bytes, flags: int) -> int | None:
        """File a mail; its UID, where the server says it."""
        self._imap.untagged_responses = {}
        return self._copied(self.client.append(folder, raw, flag_names(flags)))

    def search_id(self, message_id: str) -> list[int]:
        """UIDs in the folder that is open. Some servers search badly: what is not found may still be there."""
        quoted = '"' + re.sub(r'[\\"\r\n]', "", message_id) + '"'
        kind, data = self._imap.uid("SEARCH", "HEADER", "Message-ID", quoted)
        self.client._checkok("search", kind, data)
        return [int(one) for line in data if line for one in line.split() if one.isdigit()]

    def _copied(self, said: Any) -> int | None:
        """The last UID of COPYUID or APPENDUID; in the tagged answer, or before it (as MOVE tells it)."""
        lines = [said, *self._imap.untagged_responses.get("OK", []), *self._imap.untagged_responses.get("COPYUID", [])]
        lines += [b"APPENDUID " + one for one in self._imap.untagged_responses.get("APPENDUID", []) if one]
        lines += [b"COPYUID " + one for one in self._imap.untagged_responses.get("COPYUID", []) if one]
        self._imap.untagged_responses = {}
        for line in lines:
            match = _COPIED.search(line) if isinstance(line, bytes) else None
            if match:
                uids = spread(match[4])
                return uids[-1] if uids else None
        return None

    def _fetch_lines(self, numbers: str, what: str) -> list[bytes]:
        kind, data = self._imap.fetch(numbers, what)
        self.client._checkok("fetch", kind, data)
        return [line for line in data if isinstance(line, bytes)]

    def _take(self, kind: str) -> list[bytes]:
        found = self._imap.untagged_responses.pop(kind, [])
        return [line for line in found if isinstance(line, bytes)]


def spread(sets: bytes) -> list[int]:
    """The numbers of a sequence set; bounded, for a server may say anything."""
    found: list[int] = []
    if not _SETS.match(sets):
        return found
    for one in sets.split(b","):
        first, _, last = one.partition(b":")
        if first.isdigit() and (last.isdigit() or not last):
            low, high = sorted((int(first), int(last or first)))
            found.extend(range(low, min(high, low + _MOST_RANGE) + 1))
    return found


def flag_bits(flags: Sequence[Any]) -> int:
    """The five that everybody has, as a number; keywords are left out."""
    names = {(flag.decode("ascii", "replace") if isinstance(flag, bytes) else str(flag)).lower() for flag in flags}
    return sum(1 << number for number, flag in enumerate(FLAGS) if f"\\{flag}" in names)


def flag_names(value: int) -> list[str]:
    """The inverse, as the server wants them."""
    return [f"\\{flag.capitalize()}" for number, flag in enumerate(FLAGS) if value >> number & 1]


def _uids_and_flags(lines: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for line in lines:
        uid = _UID.search(line) if isinstance(line, bytes) else None
        flags = _FLAGS.search(line) if uid else None
        if uid and flags:
            yield int(uid[1]), flag_bits(flags[1].split())


def _fetched(uid: int, said: dict[Any, Any]) -> Fetched | None:
    body = next((value for key, value in said.items() if isinstance(key, bytes) and key.startswith(b"BODY[")), None)
    if body is None or b"RFC822.SIZE" not in said:
        return None
    date = said.get(b"INTERNALDATE")
    return Fetched(
        uid=uid,
        flags=flag_bits(said.get(b"FLAGS", ())),
        size=int(said[b"RFC822.SIZE"]),
        date=int(date.timestamp()) if date is not None else 0,
        raw=bytes(body) if isinstance(body, bytes) else str(body).encode(),
    )


def attachments(structure: Any) -> list[tuple[str, str, int]]:
    """Names, types and sizes (decoded, about) of the parts that are no text to read, out of a BODYSTRUCTURE."""
    found: list[tuple[str, str, int]] = []
    stack = [structure]
    while stack and len(found) < 200:
        part = stack.pop()
        if not isinstance(part, tuple) or not part:
            continue
        if isinstance(part[0], list | tuple):
            stack.extend(
                reversed(part[0] if isinstance(part[0], list) else [one for one in part if isinstance(one, tuple)])
            )
            continue
        kind = "/".join(_word(one).lower() for one in part[:2])
        pairs = [pair for pair in part[2:] if isinstance(pair, tuple)]
        given = _parameters(pairs)
        attached = any(pair and _word(pair[0]).lower() == "attachment" for pair in pairs)
        named = {key.replace("name", "filename", 1) if key.startswith("name") else key: given[key] for key in given}
        name = clean_name({key: value for key, value in named.items() if key.startswith("filename")})
        if attached or name or kind not in ("text/plain", "text/html"):
            size = part[6] if len(part) > 6 and isinstance(part[6], int) else 0
            encoding = _word(part[5]).lower() if len(part) > 5 else ""
            found.append((name or kind.replace("/", "."), kind, size * 57 // 78 if encoding == "base64" else size))
    return found


def _parameters(pairs: Sequence[Any]) -> dict[str, str]:
    """`("charset" "utf-8" "name" "x")` and `("attachment" ("filename" "x"))` alike; nested ones too."""
    found: dict[str, str] = {}
    for pair in pairs:
        for name, value in zip(pair[::2], pair[1::2], strict=False):
            if isinstance(value, tuple):
                found |= _parameters([value])
            elif isinstance(name, bytes) and isinstance(value, bytes | str):
                found[_word(name).lower()] = _word(value)
    return found


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value) if isinstance(value, str | int) else ""


def _number(said: Any) -> int | None:
    """The last of several: a server that says EXISTS twice means the second."""
    if not said:
        return None
    last = said[-1]
    text = last if isinstance(last, bytes) else str(last).encode()
    return int(text) if text.strip().isdigit() else None
