"""Brings the replica of a folder in step with the server: by what the server says has changed, else by looking.

QRESYNC (RFC 7162) where there is, else CONDSTORE and a list of UIDs, else UIDs and flags. New messages come newest
first, in batches that are kept one by one, so that a sync that is cut off goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from .record import Ready, Recorder, ready
from .replica import Place
from .session import HEAD, Fetched, Selected, Session

_LEAST, _BATCH = 8, 64
_HEADS = 500


class Sync:
    """One account's sync over one connection."""

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        *,
        breathe: Callable[[], None],
        progress: Callable[[int, int], None],
    ) -> None:
        """`breathe` is called between batches: others may want the connection. `progress` is told done and total."""
        self._session = session
        self._record = recorder
        self._breathe = breathe
        self._progress = progress
        self._size = _LEAST

    def folder(self, place: Place) -> bool:
        """Bring one folder in step; whether anything was new. Raises IMAPClientError, OSError."""
        since = (place.uidvalidity, place.modseq) if place.filled and place.uidvalidity and place.modseq else None
        selected = self._session.select(place.name, since=since)
        if selected.uidvalidity != place.uidvalidity:
            self._record.opened(place, selected.uidvalidity)
        changed = self._known(place, selected)
        new = self._new(place, selected)
        if new:
            changed = True
            self._take(place, new)
        top = max([selected.uidnext, *(uid + 1 for uid in new)], default=1)
        self._record.filled(place, top, selected.modseq)
        place.uidnext, place.modseq, place.filled = top, selected.modseq, True
        return changed

    def reopen(self, place: Place) -> None:
        """After others used the connection: the folder whose messages are being fetched."""
        if self._session.selected != place.name:
            selected = self._session.select(place.name)
            if selected.uidvalidity != place.uidvalidity:
                raise OSError("the folder was made anew while it was read")

    def _known(self, place: Place, selected: Selected) -> bool:
        """Flags and disappearance of messages that are known."""
        record = self._record
        if selected.resynced:
            gone = record.vanished(place, selected.vanished)
            return bool(record.flags(place, selected.flags)) or bool(gone)
        known = record.known(place)
        if not known:
            return False
        if place.filled and place.modseq and selected.modseq and place.uidnext:
            changed = record.flags(place, self._session.changed_since(place.modseq))
            # As many as we know and as are new: none is missing, and nobody has to list them all.
            fresh = len([uid for uid in self._session.new_uids(place.uidnext) if uid not in known])
            if selected.exists - fresh == len(known):
                return bool(changed)
        there: set[int] = set()
        changed = 0
        for part in self._session.uids(selected.exists):
            there |= part.keys()
            changed += record.flags(
                place, {uid: flags for uid, flags in part.items() if known.get(uid, flags) != flags}
            )
            self._breathe()
            self.reopen(place)
        gone = record.vanished(place, [uid for uid in known if uid not in there])
        return bool(changed or gone)

    def _new(self, place: Place, selected: Selected) -> list[int]:
        """UIDs that are not here yet, newest first."""
        if place.filled and place.uidnext:
            if selected.uidnext == place.uidnext:
                return []
            found = self._session.new_uids(place.uidnext)
        else:
            found = [uid for part in self._session.uids(selected.exists) for uid in part]
        known = self._record.known(place) if found else {}
        return sorted((uid for uid in found if uid not in known), reverse=True)

    def _take(self, place: Place, uids: Sequence[int]) -> None:
        done, total = 0, len(uids)
        doubles = self._session.gmail
        self._progress(0, total)
        for part in _parts(uids, _HEADS):
            rest = list(part)
            if doubles or place.rank == 2 or self._record.loose(place):
                self.reopen(place)
                heads = self._session.heads(rest)
                bound = self._record.recognise(place, heads, doubles=doubles)
                rest = [uid for uid in rest if uid not in bound]
                done += len(bound)
            elif len(rest) < _HEADS:
                rest = self._left_behind(place, rest)
            while rest:
                # Small at first: on a line that breaks again and again every connection brings the sync a bit further.
                some, rest = rest[: self._size], rest[self._size :]
                self.reopen(place)
                found = list(self._fetched(some))
                self._record.add(place, [self._read(one) for one in found])
                self._size = min(self._size * 2, _BATCH)
                done += len(some)
                self._progress(done, total)
                self._breathe()

    def _read(self, one: Fetched) -> Ready:
        """Between any two mails others may go first: this is what takes the processor's time."""
        self._breathe()
        return ready(one)

    def _left_behind(self, place: Place, uids: list[int]) -> list[int]:
        """Without those that are a copy marked \\Deleted of a message that is shown elsewhere: a move without MOVE."""
        if "UIDPLUS" in self._session.has or not place.filled:
            return uids
        heads = self._session.heads(uids)
        bound = self._record.recognise(place, heads, doubles=False)
        return [uid for uid in uids if uid not in bound]

    def _fetched(self, uids: Sequence[int]) -> Iterator[Fetched]:
        """Messages, and for long ones what hangs on them."""
        for one in self._session.fetch(uids):
            if one.size > HEAD and len(one.raw) >= HEAD:
                yield self._described(one)
            else:
                yield one

    def _described(self, one: Fetched) -> Fetched:
        from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

        try:
            found = self._session.structure(one.uid)
        except IMAPClientAbortError:
            raise
        except (IMAPClientError, ValueError, TypeError, IndexError):  # a server that describes a mail in its own way
            found = None
        return Fetched(one.uid, one.flags, one.size, one.date, one.raw, found or [])


def changed_status(place: Place, status: dict[str, int], known: int) -> bool:
    """Whether STATUS shows that a folder has changed since it was last read."""
    if not place.filled or status.get("UIDVALIDITY") != place.uidvalidity or status.get("UIDNEXT") != place.uidnext:
        return True
    if status.get("HIGHESTMODSEQ") and place.modseq:
        return status["HIGHESTMODSEQ"] != place.modseq
    return status.get("MESSAGES") != known


def retry_after(tries: int, *, least: float, most: float, random: Callable[[], float]) -> float:
    """Seconds until the next try: twice as long each time, with jitter, so that many don't come at once."""
    return min(most, least * 2.0 ** min(tries, 12)) * (0.75 + random() / 2)


def _parts(uids: Sequence[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield list(uids[start : start + size])


def now_running() -> float:
    """Seconds of a clock that goes on while the computer sleeps, unlike `time.monotonic`."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if clock is None else time.clock_gettime(clock)
