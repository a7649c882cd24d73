"""Mails and mailboxes for tests of the email skill, and the skill's modules as they are loaded."""

from __future__ import annotations

import importlib
import mailbox as standard
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from assistant.store.database import open_database
from assistant.store.index import SqlIndex
from tests.support.context import NOW, context, load_skill

EMAIL, SKILLS = load_skill("email")


_INDEXES: dict[Path, SqlIndex] = {}


def module(name: str) -> Any:
    """A module of the skill."""
    return importlib.import_module(f"assistant_skills.email.{name}")


def mail(
    sender: str = "Anna Schmidt <anna.schmidt@example.org>",
    subject: str = "Lunch",
    body: str = "Shall we have lunch on Friday?\n",
    *,
    to: str = "Mei Lin <mei@example.org>",
    at: datetime = NOW - timedelta(hours=1),
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
    files: dict[str, bytes] | None = None,
) -> bytes:
    """One mail's bytes."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = message_id or f"<{abs(hash((sender, subject, body, at)))}@example.org>"
    for name, value in (headers or {}).items():
        message[name] = value
    message.set_content(body)
    for name, data in (files or {}).items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def deliver(root: Path, *mails: bytes, folder: str = "", seen: bool = False) -> None:
    """Put mails where a delivery agent does."""
    box = standard.Maildir(root, create=True)
    place = box if not folder else box.add_folder(folder)
    for raw in mails:
        message = standard.MaildirMessage(raw)
        if seen:
            message.set_subdir("cur")
            message.add_flag("S")
        place.add(message)


def reading(folder: Path, **more: Any) -> Any:
    """A context whose mailbox is the Maildir `folder/mail`; all contexts of a folder share its index."""
    more.setdefault("index", _INDEXES.setdefault(folder, SqlIndex(open_database(":memory:"), "email")))
    settings = {"mailbox": str(folder / "mail"), **more.pop("settings", {})}
    return context(SKILLS, "email", folder, settings=settings, **more)
