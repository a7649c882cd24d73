"""The servers of an address, by itself: the table, MX, SRV, autoconfig, and at last the names that most servers have.

Asks the DNS, the address's own domain and nobody else; sends no password. Everything is bounded in time.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

import httpx

from assistant.accounts import autoconfig, wellknown
from assistant.accounts.names import Dns, Names, Service, Unanswered
from assistant.accounts.wellknown import Login, Provider
from assistant.models import Value
from assistant.remote import Place, Security

_STEP_S = 15.0
_TRY_S = 5.0

How = Literal["table", "mx", "srv", "autoconfig", "tried", "nothing", "offline"]
Opens = Callable[[str, int, bool], Awaitable[bool]]
"""Whether a verified TLS connection to a host and port comes about, or with False whether anybody answers."""


class Guess(Value):
    """What was found."""

    how: How
    provider: Provider | None = None
    imap: Place | None = None
    smtp: Place | None = None
    user: str = ""
    logins: tuple[Login, ...] = ("password",)
    caldav: str = ""
    carddav: str = ""
    elsewhere: tuple[str, ...] = ()
    """Hosts outside the address's domain that the DNS alone names (RFC 6186 §6: the person is asked)."""


async def servers(
    address: str, *, names: Names | None = None, web: autoconfig.Web | None = None, opens: Opens | None = None
) -> Guess:
    """The servers of `address`. Never raises; `nothing` and `offline` say what came of it."""
    if row := wellknown.by_address(address):
        return _of_row(row, "table")
    domain = _ascii(address.rpartition("@")[2])
    names, web, opens = names or Dns(), web or _web, opens or _opens
    answered = True
    try:
        for host in await names.mx(domain):
            if row := wellknown.by_mx(host):
                return _of_row(row, "mx")
        found = await _by_srv(domain, names)
    except Unanswered:
        answered, found = False, Guess(how="nothing")
    if found.imap is None and answered:
        published = await autoconfig.published(address, domain, web)
        if published is not None:
            dav = {"caldav": published.caldav or found.caldav, "carddav": published.carddav or found.carddav}
            logins = published.logins or ("password",)
            found = Guess(how="autoconfig", **{**published.model_dump(), **dav, "logins": logins})
    if (found.imap is None or found.smtp is None) and answered:
        found = await _tried(domain, found, opens)
    if not found.caldav and not found.carddav and answered:
        found = await _dav_tried(domain, found, web)
    if found.how == "nothing" and not answered:
        return Guess(how="offline")
    return found


def _of_row(row: Provider, how: How) -> Guess:
    return Guess(
        how=how,
        provider=row,
        imap=row.imap_place,
        smtp=row.smtp_place,
        logins=row.logins,
        caldav=row.caldav,
        carddav=row.carddav,
    )


async def _by_srv(domain: str, names: Names) -> Guess:
    """RFC 8314 and 6186 for mail, RFC 6764 for calendars and contacts. Raises Unanswered."""
    kinds = ("imaps", "imap", "submissions", "submission", "caldavs", "carddavs")
    answers = await asyncio.gather(*(names.srv(f"_{kind}._tcp.{domain}") for kind in kinds))
    found = dict(zip(kinds, answers, strict=True))
    imap = _place(found["imaps"], "tls") or _place(found["imap"], "starttls")
    smtp = _place(found["submissions"], "tls") or _place(found["submission"], "starttls")
    dav = {
        kind: await _dav_url(f"_{kind}s._tcp.{domain}", kind, found[f"{kind}s"], names)
        for kind in ("caldav", "carddav")
    }
    hosts = [place.host for place in (imap, smtp) if place] + [httpx.URL(url).host for url in dav.values() if url]
    foreign = tuple(dict.fromkeys(host for host in hosts if not f".{host}".endswith(f".{domain}")))
    return Guess(how="srv" if hosts else "nothing", imap=imap, smtp=smtp, elsewhere=foreign, **dav)


def _place(found: Sequence[Service], security: Security) -> Place | None:
    return Place(host=found[0].host, port=found[0].port, security=security) if found else None


async def _dav_url(name: str, kind: str, found: Sequence[Service], names: Names) -> str:
    """RFC 6764 §6: the TXT record's path, else the well-known one."""
    if not found:
        return ""
    paths = [text[5:] for text in await names.txt(name) if text.startswith("path=/")]
    port = "" if found[0].port == 443 else f":{found[0].port}"
    return f"https://{found[0].host}{port}{paths[0] if paths else f'/.well-known/{kind}'}"


async def _tried(domain: str, found: Guess, opens: Opens) -> Guess:
    """The names that most servers have. Only one that shows a good certificate for its name counts."""
    imap = [Place(host=host, port=993) for host in (f"imap.{domain}", f"mail.{domain}", domain)]
    smtp = [Place(host=host, port=465) for host in (f"smtp.{domain}", f"mail.{domain}", domain)]
    later = [Place(host=place.host, port=587, security="starttls") for place in smtp]

    async def first(places: Sequence[Place]) -> Place | None:
        answers = await asyncio.gather(*(opens(one.host, one.port, one.security == "tls") for one in places))
        return next((place for place, open in zip(places, answers, strict=True) if open), None)

    changes = {}
    if found.imap is None and (place := await first(imap)):
        changes["imap"] = place
    if found.smtp is None and (place := await first([*smtp, *later])):
        changes["smtp"] = place
    if not changes:
        return found
    return found.model_copy(update={**changes, "how": "tried" if found.how == "nothing" else found.how})


async def _dav_tried(domain: str, found: Guess, web: autoconfig.Web) -> Guess:
    """Whether the domain itself answers at the well-known addresses (RFC 6764 §5) like somebody who wants a login."""
    hosts = dict.fromkeys((domain, *(place.host for place in (found.imap,) if place)))
    changes: dict[str, str] = {}
    async with web() as client:
        for kind in ("caldav", "carddav"):
            for host in hosts:
                url = f"https://{host}/.well-known/{kind}"
                if await _wants_login(client, url):
                    changes[kind] = url
                    break
    if not changes:
        return found
    return found.model_copy(update={**changes, "how": "tried" if found.how == "nothing" else found.how})


async def _wants_login(client: httpx.AsyncClient, url: str) -> bool:
    try:
        async with asyncio.timeout(_TRY_S):
            for _ in range(4):
                async with client.stream("PROPFIND", url, headers={"Depth": "0"}) as response:
                    if response.is_redirect:
                        url = str(response.url.join(response.headers["location"]))
                        if not url.startswith("https://"):
                            return False
                        continue
                    return response.status_code in (207, 401)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, KeyError):
        return False
    return False


async def _opens(host: str, port: int, secure: bool) -> bool:
    try:
        async with asyncio.timeout(_TRY_S):
            context = await asyncio.to_thread(ssl.create_default_context) if secure else None
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    return True


def _web() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_TRY_S, trust_env=False, headers={"User-Agent": "hearth-assistant"})


def _ascii(domain: str) -> str:
    """A domain as it travels: 例子.公司 becomes xn--…"""
    try:
        return domain.strip().casefold().encode("idna").decode("ascii")
    except UnicodeError:
        return domain.strip().casefold()
