"""A parsed mail as JSON and back: what a worker read out of it, for the daemon, which need not parse it again."""

from __future__ import annotations

import json
from datetime import datetime

from .parse import Address, Attachment, Mail

_TEXT = 100_000  # characters of a mail's text that are kept


def to_json(mail: Mail) -> str:
    """All of it, very long texts cut."""
    return json.dumps(
        {
            "message_id": mail.message_id,
            "sender": _pair(mail.sender),
            "reply_to": [_pair(one) for one in mail.reply_to],
            "to": [_pair(one) for one in mail.to],
            "cc": [_pair(one) for one in mail.cc],
            "subject": mail.subject,
            "date": mail.date.isoformat() if mail.date else None,
            "references": mail.references,
            "bulk": mail.bulk,
            "text": mail.text[:_TEXT],
            "attachments": [(one.name, one.type, one.size) for one in mail.attachments],
            "digest": mail.digest,
        },
        ensure_ascii=False,
    )


def from_json(text: str) -> Mail:
    """The inverse."""
    said = json.loads(text)
    return Mail(
        message_id=said["message_id"],
        sender=Address(*said["sender"]),
        reply_to=tuple(Address(*one) for one in said["reply_to"]),
        to=tuple(Address(*one) for one in said["to"]),
        cc=tuple(Address(*one) for one in said["cc"]),
        subject=said["subject"],
        date=datetime.fromisoformat(said["date"]) if said["date"] else None,
        references=tuple(said["references"]),
        bulk=said["bulk"],
        text=said["text"],
        attachments=tuple(Attachment(*one) for one in said["attachments"]),
        digest=said["digest"],
    )


def _pair(one: Address) -> tuple[str, str]:
    return one.name, one.address
