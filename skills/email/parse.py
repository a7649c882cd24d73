"""One mail's bytes to values (RFC 5322, MIME). Takes any bytes, raises nothing, and believes none of it."""

from __future__ import annotations

import base64
import email
import hashlib
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property

from . import quotes
from .text import clean, decode, html_to_text, line

_PARTS = 200
_DEPTH = 20
_HEADER_LIMIT = 20_000
_ADDRESSES = 200
_BULK = {"bulk", "list", "junk"}
_PREFIX = re.compile(
    r"^\s*(?:(?:re|aw|sv|fwd?|wg|回复|答复|回覆|转发|轉寄|答覆)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE
)
_ENCODED_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*+(?:"|\\?\Z))')  # one that is not closed goes to the end
_ADDRESS_AS_NAME = re.compile(r"(^|[,;:])(\s*)([^\s<>,;:()@\\]+@[^<>,;:()@\\]*?)(\s*<)")
_ID = re.compile(r"<[^<>\s]{1,300}>")


@dataclass(frozen=True)
class Address:
    """A name (may be empty, and may lie) and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name and self.name != self.address else self.address


@dataclass(frozen=True)
class Attachment:
    """A part that is not the text."""

    name: str
    type: str
    size: int
    """Bytes, decoded."""


@dataclass(frozen=True)
class Mail:
    """A parsed mail. Every value is another person's word."""

    message_id: str
    """With its angle brackets; empty where there is none."""
    sender: Address
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    subject: str
    date: datetime | None
    """Aware; None where the header is absent or unreadable."""
    references: tuple[str, ...]
    """The thread's message ids, oldest first, In-Reply-To last."""
    bulk: bool
    """A newsletter or mailing list (List-Unsubscribe, List-Id, Precedence)."""
    text: str
    attachments: tuple[Attachment, ...] = ()
    digest: str = field(default="", compare=False)
    """Hex SHA-256 of the bytes."""

    @cached_property
    def split(self) -> quotes.Split:
        """What the sender wrote, and what they quoted."""
        return quotes.split(self.text)

    @property
    def thread(self) -> str:
        """The same for all mails of a conversation: its first message id, else the subject without its prefixes."""
        return self.references[0] if self.references else self.message_id or bare_subject(self.subject).casefold()

    def snippet(self, limit: int = 140) -> str:
        """The beginning of what the sender wrote, on one line."""
        text = line(quotes.without_signature(self.split.fresh), limit + 1)
        return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def bare_subject(subject: str) -> str:
    """The subject without `Re:`, `Fwd:`, `回复：` and the like."""
    return _PREFIX.sub("", subject).strip()


def parse(raw: bytes) -> Mail:
    """Parse a mail. Anything that can't be read is left empty."""
    message = _message(raw)
    headers = _headers(message)
    senders = _addresses(headers.get("from", [])) or _addresses(headers.get("sender", []))
    text, attachments = _content(message)
    parents = _ID.findall(" ".join(headers.get("references", []))) + _ID.findall(
        " ".join(headers.get("in-reply-to", []))
    )
    ids = _ID.findall(" ".join(headers.get("message-id", [])[:1]))
    return Mail(
        message_id=ids[0] if ids else "",
        sender=senders[0] if senders else Address("", ""),
        reply_to=_addresses(headers.get("reply-to", [])),
        to=_addresses(headers.get("to", [])),
        cc=_addresses(headers.get("cc", [])),
        subject=line(_words(headers.get("subject", [""])[0])),
        date=_date(headers),
        references=tuple(dict.fromkeys(parents))[-50:],
        bulk=_is_bulk(headers),
        text=text,
        attachments=attachments,
        digest=hashlib.sha256(raw).hexdigest(),
    )


def headers_of(raw: bytes) -> bytes:
    """The header section alone."""
    end = re.search(rb"\r?\n\r?\n", raw)
    return raw[: end.end()] if end else raw


def parts(raw: bytes) -> Iterator[tuple[Attachment, bytes]]:
    """The attachments of a mail with their bytes, as a forward carries them on."""
    for part in _leaves(_message(raw)):
        if _is_attachment(part):
            data = _payload(part)
            yield _attachment(part, data), data


def clean_name(parameters: dict[str, str]) -> str:
    """The name of an attachment out of the parameters of its Content-Disposition (RFC 2183, 2231), never a path."""
    words = ["attachment"]
    for name, value in parameters.items():
        if re.fullmatch(r"[A-Za-z0-9*_.-]{1,60}", name):
            bare = line(value, 2000).replace("\\", "").replace('"', "")
            words.append(f"{name}={bare}" if name.endswith("*") else f'{name}="{bare}"')
    part = Message()
    part["Content-Disposition"] = "; ".join(words)
    return _name(part)


def _message(raw: bytes) -> Message:
    try:
        return email.message_from_bytes(raw)
    except Exception:  # the standard parser has raised on mutated input before
        return email.message_from_string(raw[:100_000].decode("latin-1").replace("\x00", ""))


def _headers(message: Message) -> dict[str, list[str]]:
    """Unfolded values by lower-case name, encoded words as they stand. `raw_items` keeps bytes `Message` replaces."""
    found: dict[str, list[str]] = {}
    for name, value in list(message.raw_items())[:500]:
        text = str(value)[:_HEADER_LIMIT]
        text = text if text.isascii() else decode(text.encode("utf-8", "surrogateescape"))
        found.setdefault(str(name).lower(), []).append(re.sub(r"\r?\n(?=[ \t])", "", text))
    return found


def _words(value: str) -> str:
    """Encoded words (RFC 2047 §2) to text; neighbours of one charset joined first: mailers cut characters."""
    text: list[str] = []
    held, charset, end = b"", "", 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[end : match.start()]
        if held and (between.strip() or match[1].lower() != charset):
            text.append(decode(held, charset))
            held = b""
        if between.strip() or not end:
            text.append(between)
        held, charset, end = held + _unpacked(match[2].lower(), match[3]), match[1].lower(), match.end()
    if held:
        text.append(decode(held, charset))
    return "".join(text) + value[end:]


def _unpacked(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding == "q":
        return quopri.decodestring(data.replace(b"_", b" "), header=False)
    data = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    data = data[:-1] if len(data) % 4 == 1 else data  # one letter too many holds no byte
    return base64.b64decode(data + b"==="[: -len(data) % 4])


def _addresses(values: list[str]) -> tuple[Address, ...]:
    try:
        pairs = getaddresses([_named(re.sub(r"[\r\n]+", " ", value)) for value in values])
    except Exception:  # as above
        return ()
    # Names are decoded after the split: an encoded comma or bracket must not make an address.
    found = (Address(line(_words(name), 200), line(address, 320).lower()) for name, address in pairs[:_ADDRESSES])
    return tuple(dict.fromkeys(address for address in found if address.address))


def _named(value: str) -> str:
    """`a@x.org <b@y.org>` is b@y.org's, that calls itself a@x.org: the library would make two of it, a@x.org first."""
    pieces = _QUOTED.split(value)
    pieces[::2] = [_ADDRESS_AS_NAME.sub(r'\1\2"\3"\4', piece) for piece in pieces[::2]]
    return "".join(pieces)


def _date(headers: dict[str, list[str]]) -> datetime | None:
    """The Date header; where it is unreadable, when the last server received it."""
    received = [value.rpartition(";")[2] for value in headers.get("received", [])[:1]]
    for value in [*headers.get("date", [])[:1], *received]:
        try:
            date = parsedate_to_datetime(value.strip())
            date = date if date.tzinfo else date.replace(tzinfo=UTC)
            if 1970 <= date.astimezone(UTC).year < 2200:
                return date
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _is_bulk(headers: dict[str, list[str]]) -> bool:
    precedence = headers.get("precedence", [""])[0].strip().lower()
    return "list-unsubscribe" in headers or "list-id" in headers or precedence in _BULK


def _content(message: Message) -> tuple[str, tuple[Attachment, ...]]:
    """The text a person reads, and what hangs on it. Of alternatives the plain text is taken, if it says anything."""
    plain: list[str] = []
    html: list[str] = []
    attachments: list[Attachment] = []
    for part in _leaves(message):
        if _is_attachment(part):
            attachments.append(_attachment(part, _payload(part)))
        elif part.get_content_type() == "text/html":
            html.append(html_to_text(_text(part)))
        else:
            plain.append(clean(_text(part)))
    body = "\n\n".join(text for text in plain if text.strip())
    rendered = "\n\n".join(text for text in html if text.strip())
    # Some senders put "your client can't show HTML" into the plain part.
    if not body or (rendered and len(body) < 100 and len(rendered) > 5 * len(body)):
        body = rendered or body
    return clean(body), tuple(attachments)


def _leaves(message: Message) -> Iterator[Message]:
    """Parts that are no containers. An attached mail is one part: its text is not this mail's."""
    stack = [(message, 0)]
    seen = 0
    while stack and seen < _PARTS:
        part, depth = stack.pop()
        seen += 1
        payload = part.get_payload() if part.is_multipart() else None  # reading a leaf's text can fail on its charset
        if isinstance(payload, list) and part.get_content_maintype() == "multipart" and depth < _DEPTH:
            stack.extend((child, depth + 1) for child in reversed(payload) if isinstance(child, Message))
        else:
            yield part


def _is_attachment(part: Message) -> bool:
    if part.get_content_type() not in {"text/plain", "text/html"}:
        return True
    return _parameter(part, "content-disposition").split(";")[0].strip().lower() == "attachment" or bool(_name(part))


def _attachment(part: Message, data: bytes) -> Attachment:
    name = _name(part)
    if not name and part.get_content_type() == "message/rfc822":
        name = "message.eml"
    return Attachment(name or part.get_content_type().replace("/", "."), part.get_content_type(), len(data))


def _name(part: Message) -> str:
    try:
        name = part.get_filename() or ""
    except Exception:  # RFC 2231 parameters that contradict each other
        return ""
    # A path or a direction mark in a name is an attempt to mislead.
    return line(_words(name), 150).replace("/", "_").replace("\\", "_")


def _payload(part: Message) -> bytes:
    try:
        if part.is_multipart():
            return b"\r\n".join(child.as_bytes() for child in part.get_payload() if isinstance(child, Message))
        data = part.get_payload(decode=True)
        return data if isinstance(data, bytes) else str(part.get_payload() or "").encode("utf-8", "surrogateescape")
    except Exception:  # can't be written again, an unknown transfer encoding, broken base64, a charset that is no name
        return b""


def _text(part: Message) -> str:
    try:
        declared = part.get_param("charset")
    except Exception:  # RFC 2231 again
        declared = None
    if isinstance(declared, tuple):
        declared = declared[2]
    data = _payload(part)
    if not declared and part.get_content_type() == "text/html":
        meta = re.search(rb"charset\s*=\s*[\"']?([A-Za-z0-9_-]{2,30})", data[:2000], re.IGNORECASE)
        declared = meta[1].decode() if meta else None
    return decode(data[:2_000_000], declared)


def _parameter(part: Message, header: str) -> str:
    return next((str(value) for name, value in part.raw_items() if str(name).lower() == header), "")
