"""Computers with the assistant's calendar, contacts and reminders on accounts of real servers, and what others see.

A `Machine` does what the daemon does: it runs the skills' tools on the copies, and rounds of the engine. `Others` is
an independent client: plain HTTP, nothing of ours.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import httpx
from pydantic import SecretStr

from assistant.dav.engine import Engine
from assistant.dav.replicas import replicas
from assistant.dav.state import Kept
from assistant.models import Notice, UserContext
from assistant.remote import Account, Credential
from assistant.resources import bundled
from assistant.skillkit import Context
from assistant.skillkit import testing as skills

NOW = datetime(2026, 11, 23, 10, tzinfo=ZoneInfo("Europe/Berlin"))
Kind = Literal["events", "tasks", "contacts"]
SKILL_OF: Mapping[Kind, str] = {"events": "calendar", "tasks": "reminders", "contacts": "contacts"}


class OneAccount:
    """`ports.Accounts` with one account, by the name `work`."""

    def __init__(self, account: Account, password: str) -> None:
        self.account = account
        self.password = password
        self.refused: list[str] = []

    def all(self) -> Mapping[str, Account]:
        return {"work": self.account}

    async def credential(self, account: str, *, refused: Credential | None = None) -> Credential:
        from assistant.errors import AccountError

        if refused is not None:
            self.refused.append(refused.secret.get_secret_value())
            if refused.secret.get_secret_value() == self.password:
                raise AccountError("accounts.refused", account=account, user=self.account.login)
        return Credential(user=self.account.login, secret=SecretStr(self.password))


class Machine:
    """One computer with one account."""

    def __init__(self, folder: Path, account: Account, password: str) -> None:
        self.folder = folder
        self.accounts = OneAccount(account, password)
        self.notices: list[Notice] = []
        self._engines: dict[Kind, Engine] = {}

    def context(self, kind: Kind, **settings: Any) -> Context:
        """What a tool of the skill is given."""
        skill = SKILL_OF[kind]
        own = self.folder / "skill-data" / skill
        own.mkdir(parents=True, exist_ok=True)

        async def notify(notice: Notice) -> None:
            self.notices.append(notice)

        made = skills.make_context(bundled("skills") / skill, folder=own, now=NOW, settings=settings)
        user = UserContext(name="Mei Lin", email="mei@example.org")
        return dataclasses.replace(made, accounts=self.accounts, notify=notify, user=user)

    def engine(self, kind: Kind) -> Engine:
        """The engine, as the daemon has it."""
        if kind not in self._engines:
            self._engines[kind] = Engine(self.context(kind), "work", self.accounts.account, kind)
        return self._engines[kind]

    def sync(self, kind: Kind = "events") -> int:
        """One round; how much changed."""
        return asyncio.run(self.engine(kind).round())

    def restart(self) -> None:
        """All that was only in memory is gone."""
        for one in self._engines.values():
            one.close()
        self._engines.clear()

    def collection(self, kind: Kind = "events") -> Path:
        """The folder of the first collection."""
        return replicas(self.folder / "skill-data" / SKILL_OF[kind])[0].folder

    def files(self, kind: Kind = "events") -> dict[str, bytes]:
        """What is in the folder, by UID."""
        found = {}
        for file in sorted(self.collection(kind).glob("*.vcf" if kind == "contacts" else "*.ics")):
            data = file.read_bytes()
            assert uid_of(data) not in found, f"{file.name} is there twice"
            found[uid_of(data)] = data
        return found

    def file(self, uid: str, kind: Kind = "events") -> Path:
        """The file of a UID."""
        return next(
            file
            for file in self.collection(kind).glob("*.vcf" if kind == "contacts" else "*.ics")
            if uid_of(file.read_bytes()) == uid
        )

    def conflicts(self, kind: Kind = "events") -> list[Kept]:
        """What waits for a choice."""
        return self.engine(kind).state.conflicts()


class Others:
    """Another device on the same collection."""

    def __init__(self, client: httpx.Client, collection: str) -> None:
        self.client = client
        self.collection = collection

    def items(self) -> dict[str, tuple[str, str]]:
        """Address and text by UID."""
        answer = self.client.request(
            "PROPFIND",
            self.collection,
            content=b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getetag/></prop></propfind>',
            headers={"Depth": "1", "Content-Type": "application/xml"},
        ).raise_for_status()
        hrefs = re.findall(r"<(?:\w+:)?href>([^<]+\.(?:ics|vcf))</", answer.text)
        found = {}
        for href in hrefs:
            url = urljoin(self.collection, href)
            text = self.client.get(url).raise_for_status().content.decode()
            assert uid_of(text.encode()) not in found, f"{url} is there twice"
            found[uid_of(text.encode())] = (url, text)
        return found

    def texts(self) -> dict[str, str]:
        """Text by UID."""
        return {uid: text for uid, (_, text) in self.items().items()}

    def put(self, name: str, data: bytes) -> None:
        """Write an item, over whatever is there."""
        kind = "text/vcard" if name.endswith(".vcf") else "text/calendar"
        answer = self.client.put(
            urljoin(self.collection, name), content=data, headers={"Content-Type": f"{kind}; charset=utf-8"}
        )
        assert answer.is_success, (answer.status_code, answer.text)

    def change(self, uid: str, old: str, new: str) -> None:
        """Replace words of an item."""
        url, text = self.items()[uid]
        assert old in text, text
        self.put(url, text.replace(old, new).encode())

    def delete(self, uid: str) -> None:
        """Delete an item."""
        assert self.client.delete(self.items()[uid][0]).is_success


def uid_of(data: bytes) -> str:
    """The UID, read with nothing of ours."""
    found = re.search(rb"^UID:(.*?)\r?$", re.sub(rb"\r?\n[ \t]", b"", data), re.MULTILINE)
    assert found is not None, data
    return found[1].decode()


def event(uid: str, title: str, *lines: str, start: str = "20261124T090000Z", end: str = "20261124T100000Z") -> bytes:
    """An event as another program writes it."""
    inside = (f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", f"DTEND:{end}", f"SUMMARY:{title}", *lines)
    return calendar("VEVENT", *inside)


def calendar(kind: str, *lines: str) -> bytes:
    """A file of one component."""
    whole = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//y",
        f"BEGIN:{kind}",
        *lines,
        f"END:{kind}",
        "END:VCALENDAR",
    )
    return "".join(f"{line}\r\n" for line in whole).encode()


def card(uid: str, name: str, *lines: str) -> bytes:
    """A contact as another program writes it."""
    whole = ("BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", *lines, "END:VCARD")
    return "".join(f"{line}\r\n" for line in whole).encode()
