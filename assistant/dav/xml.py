"""WebDAV's XML: requests as text, answers as plain values (RFC 4918). Entities and outside files are never followed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit
from xml.sax.saxutils import escape

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CARDDAV = "{urn:ietf:params:xml:ns:carddav}"
APPLE = "{http://apple.com/ns/ical/}"
CALENDARSERVER = "{http://calendarserver.org/ns/}"
_SPACES = {"d": DAV, "c": CALDAV, "a": CARDDAV, "i": APPLE, "s": CALENDARSERVER}
_DECLARED = " ".join(f'xmlns:{short}="{name[1:-1]}"' for short, name in _SPACES.items())
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})")
_SAFE = "/@:+,;=!$&'()*~-._"


class NotXml(ValueError):
    """It is no XML, or XML that asks for more than it holds."""


@dataclass
class Response:
    """What a server says of one address."""

    path: str
    status: int = 200
    """Of the whole; 404 where it is gone."""
    props: dict[str, Any] = field(default_factory=dict)
    """Elements by `{namespace}name`, those alone that are there."""

    def text(self, name: str) -> str:
        """A property's text; "" where it is not there."""
        found = self.props.get(name)
        return "".join(found.itertext()).strip() if found is not None else ""

    def names(self, name: str) -> set[str]:
        """The names of the elements within a property, at any depth."""
        found = self.props.get(name)
        return {str(one.tag) for one in found.iter()} - {name} if found is not None else set()

    def href(self, name: str) -> str:
        """The address in a property; "" for none."""
        found = self.props.get(name)
        inner = found.find(f"{DAV}href") if found is not None else None
        return (inner.text or "").strip() if inner is not None else ""


@dataclass
class Multistatus:
    """An answer 207 (RFC 4918 §13)."""

    responses: list[Response]
    token: str = ""
    """The sync-token of RFC 6578."""


def propfind(*names: str) -> bytes:
    """The request for properties, each as `d:getetag`."""
    return _document(f"<d:propfind {_DECLARED}><d:prop>{_empty(names)}</d:prop></d:propfind>")


def sync_collection(token: str) -> bytes:
    """What has changed since the token (RFC 6578 §3.2); all, where it is empty."""
    return _document(
        f"<d:sync-collection {_DECLARED}><d:sync-token>{escape(token)}</d:sync-token><d:sync-level>1</d:sync-level>"
        "<d:prop><d:getetag/></d:prop></d:sync-collection>"
    )


def multiget(kind: str, paths: Iterable[str]) -> bytes:
    """Several items whole: `kind` is `c:calendar` (RFC 4791 §7.9) or `a:addressbook` (RFC 6352 §8.7)."""
    data = "c:calendar-data" if kind == "c:calendar" else "a:address-data"
    hrefs = "".join(f"<d:href>{escape(path)}</d:href>" for path in paths)
    return _document(f"<{kind}-multiget {_DECLARED}><d:prop><d:getetag/><{data}/></d:prop>{hrefs}</{kind}-multiget>")


def multistatus(body: bytes, base: str) -> Multistatus:
    """Read an answer 207. Addresses become paths; those on another host are left out. Raises NotXml."""
    root = parse(body)
    if root.tag != f"{DAV}multistatus":
        raise NotXml(str(root.tag))
    responses = []
    for one in root.findall(f"{DAV}response"):
        for href in one.findall(f"{DAV}href"):
            path = path_of((href.text or "").strip(), base)
            if path is not None:
                responses.append(_response(one, path))
    return Multistatus(responses, (root.findtext(f"{DAV}sync-token") or "").strip())


def conditions(body: bytes) -> set[str]:
    """The names in an error's body (RFC 4918 §16), such as `{DAV:}valid-sync-token`; none where it says none."""
    try:
        root = parse(body)
    except NotXml:
        return set()
    return {str(one.tag) for one in root.iter()} if root.tag == f"{DAV}error" else set()


def parse(body: bytes) -> Any:
    """The root element. Raises NotXml."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotXml(str(error)) from error
    if root is None or root.getroottree().docinfo.doctype:
        raise NotXml("a document type is declared")
    return root


def path_of(href: str, base: str) -> str | None:
    """An address as a path in one way of writing it; None for one on another host."""
    whole = urlsplit(urljoin(base, href))
    here = urlsplit(base)
    if whole.hostname != here.hostname:
        return None
    if re.search("%2f", whole.path, re.IGNORECASE):  # a slash within a name: any rewriting would lose it
        return whole.path
    return quote(unquote(whole.path), safe=_SAFE)


def _response(element: Any, path: str) -> Response:
    found = Response(path, _status(element.findtext(f"{DAV}status")))
    stats = element.findall(f"{DAV}propstat")
    for stat in stats:
        if 200 <= _status(stat.findtext(f"{DAV}status")) < 300:
            found.props |= {str(prop.tag): prop for holder in stat.findall(f"{DAV}prop") for prop in holder}
    return found


def _status(line: str | None) -> int:
    match = _STATUS.search(line or "")
    return int(match[1]) if match else 200


def _empty(names: Iterable[str]) -> str:
    return "".join(f"<{name}/>" for name in names)


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
