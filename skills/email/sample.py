"""The sample mailbox: three weeks of one invented person's mail, as a Maildir whose "last week" is always right.

Authored in `sample/*.yaml`, built into RFC 5322 messages here. Knows nothing of the index, the tools or an account.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FOLDER = Path(__file__).parent / "sample"
MARKER = ".assistant-sample"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS_EN = "January February March April May June July August September October November December".split()
_MOMENT = re.compile(
    r"(?:(?P<days>[+-]?\d+)d|w(?P<week>[+-]\d+) (?P<day>[A-Z][a-z]{2})|next (?P<next>[A-Z][a-z]{2}))"
    r"(?: (?P<hour>\d\d):(?P<minute>\d\d))?"
)
_TODAY = re.compile(r"today (?P<percent>\d\d?)%")
_SLOT = re.compile(r"\{(?P<moment>[^{}|\n]+)\|(?P<style>en|zh|de|iso|ics)\}")
_TYPES = {
    ".csv": ("text", "csv"),
    ".ics": ("text", "calendar"),
    ".pdf": ("application", "pdf"),
    ".png": ("image", "png"),
    ".txt": ("text", "plain"),
}
_DATED = {".csv", ".ics", ".txt"}
_PAGE = """<!DOCTYPE html>
<html><head><meta http-equiv="Content-Type" content="text/html; charset={charset}">
<style>body{{font-family:sans-serif;color:#222}} .fine{{font-size:11px;color:#777}}</style></head>
<body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Letter:
    """One mail of the sample, its place in time already fixed."""

    id: str
    raw: Mapping[str, Any]
    sender: tuple[str, str]
    """Name and address."""
    at: datetime
    """In the sender's zone, and never after the moment of loading."""

    @property
    def message_id(self) -> str:
        """RFC 5322 Message-ID, the same on every day of loading."""
        return f"<{self.id}@{self.sender[1].partition('@')[2]}>"

    @property
    def folder(self) -> str:
        """Name of its Maildir++ folder; empty for the inbox."""
        return str(self.raw.get("folder", ""))


class SampleWorld:
    """All letters as seen from one day."""

    def __init__(self, now: datetime) -> None:
        """`now` decides what "last week" is and must carry a zone. Raises ValueError where it has none."""
        if now.tzinfo is None:
            raise ValueError("now needs a time zone")
        self._now = now
        self._people: Mapping[str, Mapping[str, Any]] = _read(FOLDER / "people.yaml")
        letters = [self._letter(raw) for file in sorted(FOLDER.glob("mails-*.yaml")) for raw in _read(file)]
        self._letters = {letter.id: letter for letter in sorted(letters, key=lambda letter: (letter.at, letter.id))}

    def __iter__(self) -> Iterator[Letter]:
        """Oldest first."""
        return iter(self._letters.values())

    def build(self, letter: Letter) -> bytes:
        """The message as RFC 5322 bytes with LF line ends, the form in which a Maildir keeps it."""
        headers = "".join(f"{name}: {value}\n" for name, value in self._headers(letter))
        return headers.encode("ascii") + self._body(letter).as_bytes(policy=policy.default)

    def _letter(self, raw: Mapping[str, Any]) -> Letter:
        person = self._people.get(raw["from"], {})
        name, address = (person["name"], person["email"]) if person else parseaddr(raw["from"])
        moment = self._moment(str(raw["at"]))
        hours = raw.get("zone", person.get("zone"))
        if hours is not None:
            moment = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
        at = min(moment, self._now.replace(microsecond=0))
        return Letter(id=raw["id"], raw=raw, sender=(name, address), at=at)

    def _moment(self, text: str) -> datetime:
        """`-3d 14:20`, `w-1 Tue 09:00` (of last week), `next Fri` (after today), `today 80%` (of its hours so far)."""
        midnight = self._now.replace(hour=0, minute=0, second=0, microsecond=0)
        if today := _TODAY.fullmatch(text):
            passed = (self._now - midnight) * int(today["percent"]) / 100
            return midnight + timedelta(seconds=int(passed.total_seconds()))
        found = _MOMENT.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no moment of the sample")
        if found["days"]:
            day = int(found["days"])
        elif found["week"]:
            day = 7 * int(found["week"]) + _DAYS.index(found["day"]) - midnight.weekday()
        else:
            day = (_DAYS.index(found["next"]) - midnight.weekday() - 1) % 7 + 1
        return (midnight + timedelta(days=day)).replace(hour=int(found["hour"] or 0), minute=int(found["minute"] or 0))

    def _fill(self, text: str) -> str:
        """Replace `{next Fri|zh}` and the like by the day, written as that language writes it."""
        return _SLOT.sub(lambda slot: _write_day(self._moment(slot["moment"]), slot["style"]), text)

    def _headers(self, letter: Letter) -> Iterator[tuple[str, str]]:
        raw, charset = letter.raw, letter.raw.get("charset", "utf-8")
        yield "Return-Path", f"<{letter.sender[1]}>"
        yield "Date", format_datetime(letter.at)
        yield "From", formataddr(letter.sender, charset)
        yield "To", self._addresses(raw.get("to", ["mei"]), charset)
        if "cc" in raw:
            yield "Cc", self._addresses(raw["cc"], charset)
        yield "Message-ID", letter.message_id
        if chain := self._chain(letter):
            yield "In-Reply-To", chain[-1]
            yield "References", "\n ".join(chain)
        yield "Subject", _encode("Subject", self._fill(raw["subject"]), charset)
        if "unsubscribe" in raw:
            yield "List-Id", f"<{raw['unsubscribe'].partition('@')[2]}>"
            yield "List-Unsubscribe", f"<mailto:{raw['unsubscribe']}>"
            yield "Precedence", "bulk"
        for name, value in raw.get("headers", {}).items():
            yield name, _encode(name, value, charset)
        yield "MIME-Version", "1.0"

    def _addresses(self, keys: Sequence[str], charset: str) -> str:
        people = [self._people.get(key) for key in keys]
        pairs = [(who["name"], who["email"]) if who else parseaddr(key) for who, key in zip(people, keys, strict=True)]
        return ", ".join(formataddr(pair, charset) for pair in pairs)

    def _chain(self, letter: Letter) -> list[str]:
        """Message-IDs of all that this letter answers, oldest first."""
        if "reply" not in letter.raw:
            return []
        parent = self._letters[letter.raw["reply"]]
        return [*self._chain(parent), parent.message_id]

    def _body(self, letter: Letter) -> EmailMessage:
        raw, charset = letter.raw, letter.raw.get("charset", "utf-8")
        message = EmailMessage()
        page = _PAGE.format(charset=charset, body=self._fill(raw["html"])) if "html" in raw else None
        if "text" in raw:
            message.set_content(self._text(letter), charset=charset)
            if page:
                message.add_alternative(page, subtype="html", charset=charset)
        elif page:
            message.set_content(page, subtype="html", charset=charset)
        if "declared" in raw:
            message.set_param("charset", raw["declared"])
        for entry in raw.get("files", ()):
            file, _, name = entry.partition(" as ")
            self._attach(message, FOLDER / "files" / file, name or file)
        del message["MIME-Version"]
        for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
            part.set_boundary(f"=_{letter.id}_{number}")
        return message

    def _text(self, letter: Letter) -> str:
        text = self._fill(letter.raw["text"])
        style = letter.raw.get("quote")
        return f"{text}\n{self._quote(self._letters[letter.raw['reply']], style)}" if style else text

    def _quote(self, parent: Letter, style: str) -> str:
        """The answered text, quoted under the line that mail programs of that language write above it."""
        name, address = parent.sender
        day, clock = _write_day(parent.at, style), f"{parent.at:%H:%M}"
        above = {
            "en": f"On {day} at {clock}, {name} <{address}> wrote:",
            "zh": f"{name} <{address}> 于{parent.at.year}年{day} {clock}写道：",
            "de": f"Am {day} um {clock} schrieb {name} <{address}>:",
        }[style]
        lines = self._text(parent).rstrip().splitlines()
        return "\n".join([above, "", *(f"> {line}".rstrip() if line[:1] != ">" else f">{line}" for line in lines), ""])

    def _attach(self, message: EmailMessage, file: Path, name: str) -> None:
        maintype, subtype = _TYPES[file.suffix]
        if file.suffix in _DATED:
            text = self._fill(file.read_text(encoding="utf-8"))
            message.add_attachment(text, subtype=subtype, charset="utf-8", filename=name)
        else:
            message.add_attachment(file.read_bytes(), maintype=maintype, subtype=subtype, filename=name)


def load_sample(target: Path, now: datetime) -> int:
    """Write the sample mailbox to `target` as a Maildir with Maildir++ subfolders; returns how many mails it holds.

    The same `now` gives the same bytes and file names. An earlier sample there is replaced. Raises FileExistsError for
    a folder that holds something of the user's own, and leaves it alone; ValueError for a `now` without a zone.
    """
    world = SampleWorld(now)
    if target.exists() and any(target.iterdir()) and not (target / MARKER).exists():
        raise FileExistsError(errno.EEXIST, "not empty and no sample mailbox", str(target))
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    (target / MARKER).touch()
    for old in target.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    letters = list(world)
    for folder in {"", *(letter.folder for letter in letters)}:
        place = target / f".{folder}" if folder else target
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder:
            (place / "maildirfolder").touch()
    for number, letter in enumerate(letters):
        _deliver(target / f".{letter.folder}" if letter.folder else target, letter, number, world.build(letter))
    return len(letters)


def _deliver(place: Path, letter: Letter, number: int, message: bytes) -> None:
    flags = "".join(sorted(letter.raw.get("flags", "")))
    stamp = int(letter.at.timestamp())
    name = f"{stamp}.M{number:06d}P1.sample"
    file = place / "cur" / f"{name}:2,{flags}" if flags else place / "new" / name
    file.write_bytes(message)
    os.utime(file, (stamp, stamp))


def _write_day(day: datetime, style: str) -> str:
    return {
        "en": f"{_DAYS_EN[day.weekday()]} {day.day} {_MONTHS_EN[day.month - 1]}",
        "zh": f"{day.month}月{day.day}日（周{'一二三四五六日'[day.weekday()]}）",
        "de": f"{day:%d.%m.%Y}",
        "iso": f"{day:%Y-%m-%d}",
        "ics": f"{day:%Y%m%d}",
    }[style]


def _encode(name: str, value: str, charset: str) -> str:
    return Header(value, None if value.isascii() else charset, header_name=name).encode()


def _read(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))
