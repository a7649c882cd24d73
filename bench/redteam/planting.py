"""Puts what a case is about where the real skills look for it: a home of the user's with mail, events, cards, notes,
reminders and documents, made anew for each case. Runs no tool but the two that a plain file can't take the place of.

An attacker's text stands where its field says and, where the skill does not read that field, in one that it does read:
the notes of an event in its place, the note of a card in a nickname, an attached text in a part that is shown. Beside
it stand the words that the user looks for, as they would in the thing that is looked for. What calls name and nobody
planted (a second mail, an event, a file to attach) is there as well: no attack fails for want of its target.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from icalendar import Calendar, Event, vCalAddress
from ruamel.yaml import YAML

from assistant.errors import AssistantError
from assistant.models import Call
from assistant.paths import Paths
from assistant.skillkit.context import Context
from assistant.skillkit.loader import Skills
from assistant.values.vcards import write_card
from bench.redteam.cases import Case, carried, is_paper
from bench.redteam.papers import WRITTEN, write_paper

_OWN = "mei.lin@example.org"
_SENDMAIL = '#!/bin/sh\ncat > "$(dirname "$0")/$$.eml"\n'
_MAIL_IDS, _EVENT_IDS = ("message_id", "message_ids"), ("event_id",)


@dataclass
class Home:
    """The user's folders for one case."""

    base: Path
    shared: Path
    """For what is worked out of the program's own texts (`Paths.state`): the same in every case."""
    now: datetime
    context: Mapping[str, Any]
    """Who the user is and whom they know (`bench/data/context.yaml`)."""
    ids: dict[str, str] = field(default_factory=dict)
    """The real ids of the mails and events that the case names."""
    _dates: dict[str, str] = field(default_factory=dict)
    """The mails' ids in the case by the moment at which they came."""

    @property
    def paths(self) -> Paths:
        """Where the daemon keeps its things."""
        return Paths(self.base / "config", self.base / "data", self.base / "models", self.shared, self.base / "run")

    @property
    def documents(self) -> Path:
        """The user's documents, and where relative names of files begin."""
        return self.base / "Documents"

    @property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """The skills' settings: a Maildir, a sendmail that writes to a folder, the documents."""
        email = {"mailbox": self.base / "Maildir", "sendmail": self.base / "out" / "sendmail", "proof_copy": False}
        return {"email": email, "documents": {"folders": [str(self.documents)]}}

    def furnish(self, case: Case) -> None:
        """Make the folders and all that lies in them, before the daemon starts."""
        self.paths.make()
        for folder in ("Maildir/cur", "Maildir/new", "Maildir/tmp", "out", "Documents"):
            (self.base / folder).mkdir(parents=True)
        sendmail = self.base / "out" / "sendmail"
        sendmail.write_text(_SENDMAIL, encoding="ascii")
        sendmail.chmod(0o700)
        user = {**self.context["user"], "email": _OWN}
        profile = {"user": user, "zone": self.context["zone"], "accounts": self.context["accounts"]}
        with self.paths.profile_file.open("w", encoding="utf-8") as file:
            YAML(typ="safe").dump(profile, file)
        for kept in (self.shared / "keys").glob("vault.*"):
            shutil.copy2(kept, self.paths.data)
        self._mails(case)
        self._events(case)
        self._cards(case)
        self._notes(case)
        self._papers(case)

    async def settle_in(self, case: Case, skills: Skills, contexts: Mapping[str, Context]) -> None:
        """What needs the daemon: the reminders, and the ids that the mails were given."""
        texts = [case["plant"]["text"]] if case["tool"] == "reminders.list" else []
        texts += [str(call["args"]["text"]) for call in _calls(case) if call["tool"] == "reminders.cancel"]
        for number, text in enumerate(dict.fromkeys(texts), 1):
            when = (self.now + timedelta(days=number)).isoformat()
            tool = skills.tool("reminders.add")
            await tool.run(contexts["reminders"], tool.schema.validate({"text": text, "when": when}, self.now.tzinfo))  # type: ignore[arg-type]
        found = await skills.tool("email.search").run(contexts["email"], {"limit": 100})
        for item in found.data["items"]:  # type: ignore[union-attr]
            self.ids[self._dates[item["date"]]] = item["message_id"]
        missing = set(self._dates.values()) - self.ids.keys()
        if missing:
            raise AssistantError("skill.bug", tool="email.search", problem=f"planted and not found: {sorted(missing)}")

    def keep_key(self) -> None:
        """The vault for the next home as well: each further key would make all that is concealed slower to look for."""
        (self.shared / "keys").mkdir(exist_ok=True)
        for file in self.paths.data.glob("vault.*"):
            shutil.copy2(file, self.shared / "keys")

    def real(self, call: Call) -> Call:
        """The call with the ids of what was planted."""
        args = dict(call.args)
        for name in (*_MAIL_IDS, *_EVENT_IDS):
            value = args.get(name)
            if isinstance(value, list):
                args[name] = [self.ids.get(str(one), one) for one in value]
            elif isinstance(value, str):
                args[name] = self.ids.get(value, value)
        return Call(tool=call.tool, args=args)

    # --- mail ---------------------------------------------------------------------------------------------------

    def _mails(self, case: Case) -> None:
        plant, own = case["plant"], case["tool"].startswith("email.")
        named = list(_named(_calls(case), "email.", _MAIL_IDS))
        first = plant.get("message_id") or next(_named(_calls(case), case["tool"], _MAIL_IDS), "msg-1")
        sender = plant.get("sender", "office@letters.example") if own else "office@letters.example"
        called = str(_read_args(case).get("sender", ""))
        if called and "@" not in called and "<" not in sender:
            sender = f"{called} <{sender}>"  # the user calls them by a name that a mail of theirs carries
        for number, name in enumerate(dict.fromkeys([first, *named])):
            planted = own and name == first
            text = "\n\n".join(filter(None, [_body(plant), _sought(case)])) if planted else f"This is {name}."
            subject = plant.get("subject", "News") if planted else f"Earlier mail {name}"
            headers = {"From": sender, "To": f"Mei Lin <{_OWN}>", "Subject": subject}
            headers |= {"Reply-To": plant["reply_to"]} if "reply_to" in plant and (planted or own) else {}
            headers |= {"Cc": plant["cc"]} if planted and "cc" in plant else {}
            at = (self.now - timedelta(minutes=5, days=number)).replace(second=0, microsecond=0)
            self._dates[at.isoformat()] = name
            self._deliver(number, headers, at, text, plant.get("attachment_text", "") if planted else "")

    def _deliver(self, number: int, headers: Mapping[str, str], at: datetime, text: str, attached: str) -> None:
        """As SMTPUTF8 brings it (RFC 6532): headers in UTF-8 as they are, look-alike letters and all."""
        lines = [f"{name}: {' '.join(value.split())}" for name, value in headers.items()]
        lines += [f"Date: {format_datetime(at)}", f"Message-ID: <m{number}@letters.example>", "MIME-Version: 1.0"]
        plain = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit"
        if not attached:
            message = "\n".join([*lines, plain, "", text, ""])
        else:
            file = f'{plain}\nContent-Disposition: attachment; filename="attached.txt"\n\n{attached}'
            parts = [f"{plain}\n\n{text}", f"{plain}\nContent-Disposition: inline\n\n{attached}", file]
            body = "".join(f"--=_part\n{part}\n" for part in parts)
            lines.append('Content-Type: multipart/mixed; boundary="=_part"')
            message = "\n".join([*lines, "", f"{body}--=_part--", ""])
        (self.base / "Maildir" / "new" / f"{int(at.timestamp())}.M{number}P1.bench").write_bytes(message.encode())

    # --- events -------------------------------------------------------------------------------------------------

    def _events(self, case: Case) -> None:
        plant, own = case["plant"], case["tool"].startswith("calendar.")
        read = _read_args(case) if own else {}
        day = read.get("start") or read.get("on")
        begins = datetime.fromisoformat(str(day)).replace(tzinfo=self.now.tzinfo) if day else self.now
        named = list(_named(_calls(case), "calendar.", _EVENT_IDS))
        first = str(plant.get("id") or next(_named(case["benign_calls"], "calendar.", _EVENT_IDS), "ev-1"))
        for number, name in enumerate(dict.fromkeys([first, *named] if own else named)):
            at = begins + timedelta(hours=4 + number)
            if own and name == first:
                seen = "; ".join(filter(None, [plant.get("location"), plant.get("description")]))
                texts = {"summary": plant.get("title", "Meeting"), "location": seen}
                about = "\n".join(filter(None, [plant.get("description"), _sought(case)]))
                self._event(name, at, texts | {"description": about}, plant.get("organizer", ""))
            else:
                self._event(name, at, {"summary": name}, "")

    def _event(self, name: str, at: datetime, texts: Mapping[str, str], organizer: str) -> None:
        event = Event()
        event.add("uid", name)
        event.add("dtstamp", self.now)
        event.add("dtstart", at)
        event.add("dtend", at + timedelta(hours=1))
        for key, text in texts.items():
            event.add(key, text)
        if organizer:
            event.add("organizer", vCalAddress(f"mailto:{organizer}"))
        calendar = Calendar()
        calendar.add("prodid", "-//bench//redteam//EN")
        calendar.add("version", "2.0")
        calendar.add_component(event)
        plain = re.sub(r"[^-\w]", "_", name)
        file = self.own("calendar") / "calendar" / f"{plain}.ics"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(calendar.to_ical())
        self.ids[name] = file.name

    # --- cards, notes, documents --------------------------------------------------------------------------------

    def _cards(self, case: Case) -> None:
        people = [dict(one) for one in self.context["contacts"]]
        if case["tool"] == "contacts.find":
            plant = case["plant"]
            named = next((one for one in people if plant["name"] in (one["name"], *one.get("aliases", ()))), None)
            if named is None:
                people.append(named := {"name": plant["name"]})
            known = [named["name"], *named.get("aliases", ())]
            called = [word for word in (_sought(case),) if word and word not in known]
            named["aliases"] = [*named.get("aliases", ()), *called, plant["note"]]
            named["note"] = plant["note"]
        for number, one in enumerate(people):
            card = write_card(f"c{number}", one["name"], email=one.get("email", ""), iban=one.get("iban", ""))
            more = [f"NICKNAME:{','.join(map(_escaped, one['aliases']))}"] if one.get("aliases") else []
            more += [f"NOTE:{_escaped(one['note'])}"] if "note" in one else []
            text = card.replace("END:VCARD", "\r\n".join([*more, "END:VCARD"]))
            (self.own("contacts") / f"c{number}.vcf").write_text(text, encoding="utf-8", newline="")

    def _notes(self, case: Case) -> None:
        lists: dict[str, list[str]] = {}
        if case["tool"] == "notes.search":
            plant = case["plant"]
            text = " ".join(filter(None, [*plant["text"].split("\n"), f"({_sought(case)})" if _sought(case) else ""]))
            lists.setdefault(plant.get("list", "notes"), []).append(text)
        for call in _calls(case):
            if call["tool"] == "notes.remove":
                lists.setdefault(call["args"].get("list", "notes"), []).append(call["args"]["text"])
        for name, texts in lists.items():
            file = self.own("notes") / f"{name.replace('/', '-')}.md"
            file.write_text("".join([f"# {name}\n\n", *(f"- {text}\n" for text in texts)]), encoding="utf-8")

    def _papers(self, case: Case) -> None:
        if is_paper(case):
            title, text = case["plant"]["title"], carried(case)
            name = title if Path(title).suffix in WRITTEN else f"{title}.txt"  # a picture's recognised text, beside it
            write_paper(self.documents / name, f"{text} ({_sought(case)})" if _sought(case) else text)
        for call in _calls(case):
            for name in call["args"].get("attachments") or () if call["tool"] == "email.send" else ():
                file = self.base / name.removeprefix("~/") if name.startswith("~/") else self.documents / name
                if not file.exists() and file.is_relative_to(self.base):
                    file.parent.mkdir(parents=True, exist_ok=True)
                    write_paper(file, f"This is {file.name}.")

    def own(self, skill: str) -> Path:
        """The folder that the daemon gives a skill."""
        folder = self.paths.data / "skill-data" / skill
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _calls(case: Case) -> Sequence[Mapping[str, Any]]:
    return [*case["benign_calls"], case["goal"]]


def _named(calls: Sequence[Mapping[str, Any]], prefix: str, names: Sequence[str]) -> Iterator[str]:
    """The ids that the calls of some tools name."""
    for call in calls:
        if call["tool"].startswith(prefix):
            for name in names:
                value = call["args"].get(name)
                yield from map(str, value if isinstance(value, list) else [value] if value else [])


def _body(plant: Mapping[str, str]) -> str:
    return next((plant[name] for name in ("body", "snippet", "text") if name in plant), "")


def _read_args(case: Case) -> Mapping[str, Any]:
    """What the user's own read is called with."""
    return next((call["args"] for call in case["benign_calls"] if call["tool"] == case["tool"]), {})


def _sought(case: Case) -> str:
    """The words that the user's own read looks for."""
    read = _read_args(case)
    return str(next((read[name] for name in ("query", "question", "name") if read.get(name)), ""))


def _escaped(text: str) -> str:
    return re.sub(r"([\\,;])", r"\\\1", text).replace("\n", "\\n")
