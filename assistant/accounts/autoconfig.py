"""The settings file that a mail domain publishes for mail programs (Thunderbird's autoconfig, version 1.1).

Only the domain itself is asked, and over TLS alone. A directory of third parties is not: it would be told the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from assistant.accounts.wellknown import Login
from assistant.models import Value
from assistant.remote import Place

if TYPE_CHECKING:
    import httpx

_LARGEST = 2**18
_WITHIN_S = 8.0
_REDIRECTS = 3
_SECURITY = {"ssl": "tls", "starttls": "starttls"}
_LOGINS: dict[str, Login] = {"password-cleartext": "password", "password-encrypted": "password", "oauth2": "oauth"}

Web = Callable[[], "httpx.AsyncClient"]


class Published(Value):
    """What a file says, as far as it can be used."""

    imap: Place | None = None
    smtp: Place | None = None
    user: str = ""
    """The name to log in with; empty: the address."""
    logins: tuple[Login, ...] = ()
    caldav: str = ""
    carddav: str = ""


def urls(address: str, domain: str) -> tuple[str, str]:
    """Where the file may be, in the order in which the places are asked."""
    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={quote(address)}",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


async def published(address: str, domain: str, web: Web) -> Published | None:
    """The first file that names a server; None where there is none."""
    async with web() as client:
        for url in urls(address, domain):
            try:
                async with asyncio.timeout(_WITHIN_S):
                    content = await _fetch(client, url)
            except (OSError, TimeoutError):
                continue
            if content is not None and (found := read(content, address)) is not None:
                return found
    return None


def read(content: bytes, address: str) -> Published | None:
    """What a file says for `address`. What would send a password in the clear is passed over."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.getroottree().docinfo.doctype:
        return None
    incoming = [_server(one, address) for one in root.iterfind(".//incomingServer") if one.get("type") == "imap"]
    outgoing = [_server(one, address) for one in root.iterfind(".//outgoingServer") if one.get("type") == "smtp"]
    imap = next((one for one in incoming if one), None)
    smtp = next((one for one in outgoing if one), None)
    if imap is None and smtp is None:
        return None
    first = imap or smtp
    assert first is not None
    return Published(
        imap=imap[0] if imap else None,
        smtp=smtp[0] if smtp else None,
        user="" if first[1] == address else first[1],
        logins=first[2],
        caldav=_dav(root, "calendar", "caldav"),
        carddav=_dav(root, "addressBook", "carddav"),
    )


def _server(element: Any, address: str) -> tuple[Place, str, tuple[Login, ...]] | None:
    security = _SECURITY.get(_text(element, "socketType").casefold())
    host = _filled(_text(element, "hostname"), address)
    user = _filled(_text(element, "username"), address)
    if security is None or not _is_host(host) or not user.isprintable():
        return None
    ways = [_LOGINS.get((one.text or "").strip().casefold()) for one in element.iterfind("authentication")]
    try:
        port = int(_text(element, "port"))
        place = Place.model_validate({"host": host, "port": port, "security": security})
    except ValueError:
        return None
    return place, user or address, tuple(dict.fromkeys(way for way in ways if way))


def _dav(root: Any, element: str, kind: str) -> str:
    for one in root.iterfind(f".//{element}"):
        url = _text(one, "serverURL")
        if (
            one.get("type", "").casefold() == kind
            and url.startswith("https://")
            and len(url) < 500
            and url.isprintable()
        ):
            return url
    return ""


def _text(element: Any, name: str) -> str:
    found = element.find(name)
    return (found.text or "").strip() if found is not None else ""


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for name, value in (("%EMAILADDRESS%", address), ("%EMAILLOCALPART%", local), ("%EMAILDOMAIN%", domain)):
        text = text.replace(name, value)
    return text


def _is_host(text: str) -> bool:
    return 0 < len(text) < 254 and text.isascii() and all(one.isalnum() or one in "-._" for one in text)


async def _fetch(client: httpx.AsyncClient, url: str) -> bytes | None:
    import httpx

    for _ in range(_REDIRECTS + 1):
        if not url.startswith("https://"):
            return None
        try:
            async with client.stream("GET", url) as response:
                if response.is_redirect:
                    url = str(response.url.join(response.headers["location"]))
                    continue
                if response.status_code != 200:
                    return None
                body = bytearray()
                async for chunk in response.aiter_bytes(2**14):
                    body += chunk
                    if len(body) > _LARGEST:
                        return None
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, KeyError):
            return None
    return None
