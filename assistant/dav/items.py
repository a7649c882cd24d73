"""What can be asked of one collection: what has changed, items whole, put one, delete one. Keeps nothing.

RFC 4791 (CalDAV), RFC 6352 (CardDAV), RFC 6578 (sync-collection).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from assistant.dav.discover import CTAG, Collection, Kind
from assistant.dav.web import Answer, TooLarge, Trouble, Web
from assistant.dav.xml import CALDAV, CARDDAV, DAV, Multistatus, conditions, multiget, propfind, sync_collection

LARGEST = 5_000_000
"""Bytes of one item; a larger one stays on the server alone."""
_BATCH = 50
_PAGES = 1_000
_NO_REPORT = (400, 405, 415, 501)


@dataclass(frozen=True)
class Changes:
    """What a collection says is new."""

    etags: dict[str, str]
    """Of items that are there, by path; all of them where `whole`."""
    gone: frozenset[str]
    token: str
    whole: bool


@dataclass(frozen=True)
class Item:
    """One item of the server; `data` is None where it is gone, or too large to be fetched."""

    path: str
    etag: str
    data: bytes | None
    too_large: bool = False


class Gone(Exception):
    """The collection is not there any more."""


class Items:
    """The items of one collection."""

    def __init__(self, web: Web, collection: Collection, kind: Kind) -> None:
        self._web = web
        self._kind = kind
        self.collection = collection

    async def changes(self, token: str) -> Changes:
        """Since the token; with "" (or one that the server has forgotten) all. Raises Trouble, Gone."""
        if self.collection.syncs and not token.startswith("ctag:"):
            found = await self._synced(token)
            if found is None and token:
                found = await self._synced("")
            if found is not None:
                return found
        return await self._listed(token)

    async def fetch(self, paths: Sequence[str]) -> AsyncIterator[list[Item]]:
        """The items whole, in batches. Raises Trouble."""
        for at in range(0, len(paths), _BATCH):
            batch = paths[at : at + _BATCH]
            yield await self._several(batch) if len(batch) > 1 else [await self.get(batch[0])]

    async def get(self, path: str) -> Item:
        """One item. Raises Trouble."""
        try:
            answer = await self._web.send("GET", self._url(path), most=LARGEST)
        except TooLarge:
            return Item(path, "", None, too_large=True)
        if answer.status in (404, 410):
            return Item(path, "", None)
        if not answer.good:
            raise Trouble("server", f"GET {answer.status}")
        return Item(path, strong(answer.etag) or _mark(answer.body), answer.body)

    async def put(self, path: str, data: bytes, etag: str | None) -> Answer:
        """Write it: over the version of `etag`, or (None) as a new one. Raises Trouble."""
        headers = {"Content-Type": "text/vcard; charset=utf-8" if self._kind == "contacts" else _CALENDAR}
        headers |= {"If-None-Match": "*"} if etag is None else _only(etag)
        return await self._web.send("PUT", self._url(path), body=data, headers=headers)

    async def delete(self, path: str, etag: str) -> Answer:
        """Delete it, if it is still of that version. Raises Trouble."""
        return await self._web.send("DELETE", self._url(path), headers=_only(etag))

    def path_for(self, name: str) -> str:
        """Where a new item of a name goes."""
        ending = ".vcf" if self._kind == "contacts" else ".ics"
        return f"{self.collection.path}{quote(name, safe='@+-._~')}{ending}"

    def holds(self, path: str) -> bool:
        """Whether a path is one of an item right in this collection."""
        own = self.collection.path
        return path.startswith(own) and path != own and "/" not in path[len(own) :].rstrip("/")

    def _url(self, path: str) -> str:
        return urljoin(self.collection.url, path)

    async def _synced(self, token: str) -> Changes | None:
        """None where the server does not know the token, or the report."""
        etags: dict[str, str] = {}
        gone: set[str] = set()
        current, whole = token, not token
        for _ in range(_PAGES):
            answer, seen = await self._web.multistatus(
                "REPORT", self.collection.url, sync_collection(current), depth="0"
            )
            if answer.status in (404, 410):
                raise Gone
            if answer.status != 207:
                self._refused(answer, bool(token))
                return None
            more = self._read(seen, etags, gone)
            if not seen.token:
                return None
            if not more or seen.token == current:
                return Changes(etags, frozenset(gone), seen.token, whole)
            current = seen.token
        return None

    def _refused(self, answer: Answer, had_token: bool) -> None:
        """Raise what is no reason to ask for everything."""
        if answer.status in (403, 409, 412, 507) and (had_token or answer.status == 507):
            return
        if answer.status in _NO_REPORT or f"{DAV}supported-report" in conditions(answer.body):
            return
        raise Trouble("server", f"REPORT {answer.status}")

    def _read(self, seen: Multistatus, etags: dict[str, str], gone: set[str]) -> bool:
        """Take in one page; True where the server has more (RFC 6578 §3.6)."""
        more = False
        for one in seen.responses:
            if one.path.rstrip("/") == self.collection.path.rstrip("/"):
                more = more or one.status == 507
            elif not self.holds(one.path):
                continue
            elif one.status in (404, 410):
                gone.add(one.path)
                etags.pop(one.path, None)
            elif not one.path.endswith("/"):
                etags[one.path] = strong(one.text(f"{DAV}getetag"))
                gone.discard(one.path)
        return more

    async def _listed(self, token: str) -> Changes:
        """Servers without sync-collection: nothing where the collection's ctag is the same, else every etag."""
        _, own = await self._web.multistatus("PROPFIND", self.collection.url, propfind("s:getctag"), depth="0")
        ctag = next((one.text(CTAG) for one in own.responses), "")
        if ctag and token == f"ctag:{ctag}":
            return Changes({}, frozenset(), token, whole=False)
        answer, seen = await self._web.multistatus(
            "PROPFIND", self.collection.url, propfind("d:getetag", "d:resourcetype"), depth="1"
        )
        if answer.status in (404, 410):
            raise Gone
        if answer.status != 207:
            raise Trouble("server", f"PROPFIND {answer.status}")
        etags = {
            one.path: strong(one.text(f"{DAV}getetag"))
            for one in seen.responses
            if self.holds(one.path) and f"{DAV}collection" not in one.names(f"{DAV}resourcetype")
        }
        return Changes(etags, frozenset(), f"ctag:{ctag}", whole=True)

    async def _several(self, paths: Sequence[str]) -> list[Item]:
        """By one multiget; what it leaves out is asked for alone."""
        kind, name = (
            ("a:addressbook", f"{CARDDAV}address-data")
            if self._kind == "contacts"
            else (
                "c:calendar",
                f"{CALDAV}calendar-data",
            )
        )
        try:
            _, seen = await self._web.multistatus("REPORT", self.collection.url, multiget(kind, paths), depth="1")
        except TooLarge:
            seen = Multistatus([])
        found: dict[str, Item] = {}
        for one in seen.responses:
            etag = strong(one.text(f"{DAV}getetag"))
            if one.path in paths and etag and (element := one.props.get(name)) is not None:
                data = "".join(element.itertext())
                # XML turns the line breaks of RFC 5545 into bare ones.
                found[one.path] = Item(one.path, etag, _with_breaks(data).encode())
        return [found[path] if path in found else await self.get(path) for path in paths]


def strong(etag: str) -> str:
    """A proxy that packs an answer makes its ETag a weak one, which If-Match would never take (RFC 9110 §13.1.1)."""
    return etag.removeprefix("W/")


_OWN_MARK = "sha256:"
_CALENDAR = "text/calendar; charset=utf-8"


def _with_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").lstrip("\r\n\ufeff ")


def _only(etag: str) -> dict[str, str]:
    """If-Match; a server that gives no ETags is asked without."""
    return {"If-Match": etag} if is_strong(etag) else {}


def is_strong(etag: str) -> bool:
    """Whether it is one that the server gave."""
    return bool(etag) and not etag.startswith(_OWN_MARK)


def _mark(data: bytes) -> str:
    import hashlib

    return f"{_OWN_MARK}{hashlib.sha256(data).hexdigest()}"
