"""Builds a mail, once, as it will leave: RFC 5322, UTF-8, ASCII on the wire. Sends nothing and looks nobody up."""

from __future__ import annotations

import base64
import mimetypes
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from .parse import Address, Mail, bare_subject
from .text import line

# ASCII on the wire: no server on the way has to know 8BITMIME.
_POLICY = policy.SMTP.clone(cte_type="7bit")
_QUOTED_LINES = 300
_QUOTED_CHARS = 20_000


@dataclass(frozen=True)
class File:
    """An attachment to send."""

    name: str
    type: str
    data: bytes


@dataclass(frozen=True)
class Draft:
    """What goes into a new mail."""

    sender: Address
    to: Sequence[Address]
    subject: str
    text: str
    """The whole body, the quotation included."""
    cc: Sequence[Address] = ()
    files: Sequence[File] = ()
    calendar: str = ""
    """An iCalendar object that the mail carries (RFC 6047)."""
    method: str = ""
    """Its METHOD."""
    in_reply_to: str = ""
    references: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Letter:
    """A frozen mail with its envelope: all that sending needs."""

    raw: bytes
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    """The envelope, the proof copy included."""
    proof: bool
    """Whether a copy comes back to the user: it shows that the mail has left."""
    hidden: bool
    """Whether that copy is asked for in the envelope alone; it belongs into Sent, not among the news."""
    account: str = ""
    """The account that it leaves from; empty for the server of the settings, or sendmail."""

    def payload(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "raw": base64.b64encode(self.raw).decode(),
            "message_id": self.message_id,
            "sender": self.sender,
            "recipients": list(self.recipients),
            "proof": self.proof,
            "hidden": self.hidden,
            "account": self.account,
        }

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Letter:
        """The letter of a payload."""
        return cls(
            raw=base64.b64decode(payload["raw"]),
            message_id=payload["message_id"],
            sender=payload["sender"],
            recipients=tuple(payload["recipients"]),
            proof=payload["proof"],
            hidden=payload["hidden"],
            account=str(payload.get("account", "")),
        )


def build(draft: Draft, *, at: datetime, proof: bool, account: str = "") -> Letter:
    """Freeze a draft. With `proof` the sender's own address joins the envelope, but no header."""
    domain = draft.sender.address.rpartition("@")[2]
    message_id = f"<{secrets.token_hex(16)}@{domain}>"
    message = EmailMessage(policy=_POLICY)
    message["From"] = _header(draft.sender)
    message["To"] = [_header(address) for address in draft.to]
    if draft.cc:
        message["Cc"] = [_header(address) for address in draft.cc]
    message["Subject"] = line(draft.subject, 900)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id
    if draft.in_reply_to:
        message["In-Reply-To"] = draft.in_reply_to
        # RFC 5322 §3.6.4; a very long chain keeps its beginning and its end.
        chain = list(dict.fromkeys((*draft.references, draft.in_reply_to)))
        message["References"] = " ".join(chain if len(chain) <= 20 else [chain[0], *chain[-19:]])
    message.set_content(draft.text.rstrip("\n") + "\n", charset="utf-8", cte=_encoding(draft.text))
    if draft.calendar:
        _carry(message, draft)
    for file in draft.files:
        main, _, sub = file.type.partition("/")
        if main in {"message", "multipart"} or not sub:
            main, sub = "application", "octet-stream"
        message.add_attachment(file.data, maintype=main, subtype=sub, filename=file.name)
    recipients = [address.address for address in (*draft.to, *draft.cc)]
    own = draft.sender.address
    added = proof and own.lower() not in {address.lower() for address in recipients}
    return Letter(
        raw=message.as_bytes(),
        message_id=message_id,
        sender=own,
        recipients=tuple(dict.fromkeys((*recipients, own) if added else recipients)),
        proof=proof,
        hidden=added,
        account=account,
    )


def _carry(message: EmailMessage, draft: Draft) -> None:
    """As the alternative that calendar programs take, and as a file for those who know none (RFC 6047 §2.4)."""
    text = draft.calendar.replace("\r\n", "\n")
    message.add_alternative(
        text, subtype="calendar", charset="utf-8", cte="base64", params={"method": draft.method.upper()}
    )
    message.add_attachment(
        draft.calendar.encode(), maintype="application", subtype="ics", filename="invite.ics", cte="base64"
    )


def type_of(name: str) -> str:
    """The media type of a file by its name."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def reply_subject(subject: str) -> str:
    """`Re:` once, whatever stood there."""
    return f"Re: {bare_subject(subject)}".strip()


def forward_subject(subject: str) -> str:
    """`Fwd:` once."""
    return f"Fwd: {bare_subject(subject)}".strip()


def quoted(mail: Mail) -> str:
    """What the sender wrote, marked with `>`; very long mails are cut."""
    lines = mail.split.fresh[:_QUOTED_CHARS].split("\n")
    marked = [f"> {text}" if text else ">" for text in lines[:_QUOTED_LINES]]
    return "\n".join(
        [*marked, *(["> […]"] if len(lines) > _QUOTED_LINES or len(mail.split.fresh) > _QUOTED_CHARS else [])]
    )


def _header(address: Address) -> HeaderAddress:
    return HeaderAddress(display_name=line(address.name, 100).replace('"', ""), addr_spec=address.address)


def _encoding(text: str) -> str:
    """Readable where it can be: plain ASCII, quoted-printable for mostly Latin, base64 for the rest."""
    if text.isascii() and all(len(one) < 990 for one in text.split("\n")):
        return "7bit"
    return "quoted-printable" if sum(not one.isascii() for one in text) * 6 < len(text) else "base64"
