"""Which calendars, task lists and address books an account has (RFC 6764, RFC 4791 §6.2, RFC 6352 §7.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin, urlsplit

from assistant.dav.web import Answer, Trouble, Web
from assistant.dav.xml import APPLE, CALDAV, CALENDARSERVER, CARDDAV, DAV, Multistatus, Response, path_of, propfind

Kind = Literal["events", "tasks", "contacts"]
"""events: collections that may hold VEVENT. tasks: VTODO. contacts: address books."""
_WANTED = (
    "d:resourcetype", "d:displayname", "d:current-user-principal", "d:current-user-privilege-set", "d:sync-token",
    "d:supported-report-set", "c:calendar-home-set", "a:addressbook-home-set", "c:supported-calendar-component-set",
    "i:calendar-color", "s:getctag",
)  # fmt: skip
_WRITING = {f"{DAV}write", f"{DAV}write-content", f"{DAV}all", f"{DAV}bind"}
_MOST = 200
"""Collections of one account."""


@dataclass(frozen=True)
class Collection:
    """A calendar, task list or address book on the server."""

    url: str
    """With a slash at its end."""
    name: str
    color: str = ""
    writable: bool = True
    syncs: bool = True
    """Whether it can tell what has changed (RFC 6578)."""

    @property
    def path(self) -> str:
        """The path of its address, in one way of writing it."""
        return path_of(self.url, self.url) or "/"


async def collections(web: Web, start: str, kind: Kind) -> list[Collection]:
    """All of that kind, by path. `start` may be a host, a principal, a home or a collection. Raises Trouble."""
    tried: list[str] = []
    places = [start] if urlsplit(start).path.strip("/") else [_well_known(start, kind), start]
    for place in places:
        answer, seen = await _ask(web, place)
        tried.append(f"{answer.status} {place}")
        if not seen.responses:
            continue
        here = _own(seen, answer)
        if _is(here, kind):
            found = _collection(here, answer.url, kind)
            return [found] if found else []
        homes = await _homes(web, here, answer.url, kind)
        found_all = [one for home in homes or [answer.url] for one in await _below(web, home, kind)]
        if found_all or homes:
            return sorted({one.path: one for one in found_all}.values(), key=lambda one: one.path)[:_MOST]
    raise Trouble("no_collections", "; ".join(tried))


async def look(web: Web, url: str, kind: Kind) -> Collection | None:
    """One collection as it is now; None where it is gone. Raises Trouble."""
    answer, seen = await _ask(web, url)
    if answer.status in (404, 410):
        return None
    if not seen.responses:
        raise Trouble("server", str(answer.status))
    here = _own(seen, answer)
    if here.status in (404, 410):
        return None
    return _collection(here, answer.url, kind)


async def _ask(web: Web, url: str, depth: str = "0") -> tuple[Answer, Multistatus]:
    return await web.multistatus("PROPFIND", url, propfind(*_WANTED), depth=depth)


async def _homes(web: Web, here: Response, base: str, kind: Kind) -> list[str]:
    """The folders that hold the collections; none where the server names none."""
    name = f"{CARDDAV}addressbook-home-set" if kind == "contacts" else f"{CALDAV}calendar-home-set"
    if homes := _hrefs(here, name, base):
        return homes
    principal = here.href(f"{DAV}current-user-principal")
    if not principal:
        return []
    answer, seen = await _ask(web, urljoin(base, principal))
    return _hrefs(_own(seen, answer), name, answer.url) if seen.responses else []


async def _below(web: Web, home: str, kind: Kind) -> list[Collection]:
    answer, seen = await _ask(web, home, "1")
    found = [_collection(one, answer.url, kind) for one in seen.responses if _is(one, kind)]
    return [one for one in found if one is not None]


def _collection(one: Response, base: str, kind: Kind) -> Collection | None:
    """None for one that holds something else."""
    held = {
        str(component.get("name", "")).upper()
        for component in one.props.get(f"{CALDAV}supported-calendar-component-set", ())
    }
    wanted = {"events": "VEVENT", "tasks": "VTODO"}.get(kind)
    if wanted and held and wanted not in held:
        return None
    rights = one.names(f"{DAV}current-user-privilege-set")
    path = one.path if one.path.endswith("/") else f"{one.path}/"
    reports = one.names(f"{DAV}supported-report-set")
    return Collection(
        url=urljoin(base, path),
        name=one.text(f"{DAV}displayname") or path.rstrip("/").rpartition("/")[2],
        color=one.text(f"{APPLE}calendar-color"),
        writable=not rights or bool(rights & _WRITING),
        syncs=f"{DAV}sync-collection" in reports or bool(one.text(f"{DAV}sync-token")),
    )


def _is(one: Response, kind: Kind) -> bool:
    name = f"{CARDDAV}addressbook" if kind == "contacts" else f"{CALDAV}calendar"
    return name in one.names(f"{DAV}resourcetype")


def _own(seen: Multistatus, answer: Answer) -> Response:
    """What is said of the address itself."""
    path = path_of(answer.url, answer.url) or "/"
    return next((one for one in seen.responses if one.path.rstrip("/") == path.rstrip("/")), seen.responses[0])


def _hrefs(here: Response, name: str, base: str) -> list[str]:
    found = here.props.get(name)
    if found is None:
        return []
    return [urljoin(base, (one.text or "").strip()) for one in found.iter(f"{DAV}href") if (one.text or "").strip()]


def _well_known(start: str, kind: Kind) -> str:
    return urljoin(start, "/.well-known/carddav" if kind == "contacts" else "/.well-known/caldav")


CTAG = f"{CALENDARSERVER}getctag"
