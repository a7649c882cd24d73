"""Calendar messages (iTIP, RFC 5546): made of an event's file, and read. Pure text; mails nothing and writes no file.

What only the user's own calendar should know stays there: alarms, notes of other programs (X- properties), who sends
invitations for it (SCHEDULE-AGENT, RFC 6638).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from .build import content, text_line
from .change import blocks_of, sequence
from .edit import Block, File, parameter, value_of, with_parameter
from .events import Event, Item, address_of, parse
from .series import main_of, occurrence_block

Method = Literal["REQUEST", "REPLY", "CANCEL"]
Answer = Literal["ACCEPTED", "DECLINED", "TENTATIVE"]
_TOLD = frozenset(
    "UID DTSTAMP SEQUENCE DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID SUMMARY LOCATION DESCRIPTION"
    " ORGANIZER ATTENDEE STATUS TRANSP CLASS PRIORITY URL GEO CREATED LAST-MODIFIED RELATED-TO COMMENT".split()
)
_ASKED = frozenset("UID DTSTAMP SEQUENCE DTSTART DTEND DURATION RECURRENCE-ID SUMMARY LOCATION ORGANIZER".split())
_OWN = ("SCHEDULE-AGENT", "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
_METHOD = re.compile(r"^METHOD:[ \t]*([A-Za-z]+)[ \t]*\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """A calendar message that came in."""

    method: Method
    item: Item
    """The event; of a single occurrence that occurrence."""
    at: str
    """RECURRENCE-ID as it is written; empty where the whole event is meant."""
    data: bytes

    @property
    def event(self) -> Event:
        """What it is about."""
        return self.item.main

    @property
    def key(self) -> str:
        """The same for all messages about one event, or about one occurrence."""
        return f"{self.event.uid}\n{self.at}"

    @property
    def order(self) -> tuple[int, float]:
        """Of two messages about the same, the later one has the larger (RFC 5546 §2.1.5)."""
        return self.event.sequence, self.event.stamped.timestamp() if self.event.stamped else 0.0


def read(data: bytes) -> Message | None:
    """The message; None for what is none, or of a kind that is not handled."""
    found = _METHOD.search(data.decode("utf-8", "replace"))
    method = found[1].upper() if found else ""
    items = [item for item in parse(data) or [] if item.main.uid]
    if method not in ("REQUEST", "REPLY", "CANCEL") or not items:
        return None
    item = items[0]
    block = next(iter(blocks_of(File(data), item.main.uid)), None)
    alone = block is not None and item.main.replaces is None and not item.changed
    at = (block.value("RECURRENCE-ID") or "") if block is not None and alone else ""
    return Message(method, item, at, data)  # type: ignore[arg-type]


def request(data: bytes, item: Item, now: datetime, *, at: datetime | None = None) -> str:
    """An invitation to the event as the file has it now, or to one occurrence of it."""
    file, blocks = _begun(data, item, "REQUEST")
    if at is not None:
        wanted = occurrence_block(blocks, item, at)
        for block in blocks:
            if block is not wanted:
                file.drop(block)
        blocks = [wanted] if wanted is not None else []
    for block in blocks:
        _told(block, _TOLD, now)
    return _text(file)


def cancel(
    data: bytes,
    item: Item,
    now: datetime,
    *,
    at: datetime | None = None,
    people: Collection[str] | None = None,
) -> str:
    """That the event (as the file had it), or one occurrence, does not take place; for `people`: not with them."""
    file, blocks = _begun(data, item, "CANCEL")
    kept = occurrence_block(blocks, item, at, made=True) if at is not None else main_of(blocks)
    for block in blocks:
        if block is not kept:
            file.drop(block)
    if kept is not None and kept not in file.blocks:
        file.append(kept)
    assert kept is not None
    again = sequence(kept) + 1
    _told(kept, _TOLD - {"RRULE", "RDATE", "EXDATE"} if at is not None else _TOLD, now)
    kept.put("SEQUENCE", content("SEQUENCE", str(again)))
    if people is not None:
        kept.rewrite("ATTENDEE", lambda line: line if address_of(value_of(line)) in people else None)
    kept.put("STATUS", content("STATUS", "CANCELLED"))
    return _text(file)


def reply(message: Message, address: str, name: str, answer: Answer, now: datetime, comment: str = "") -> str:
    """The answer of one who is invited (RFC 5546 §3.2.3)."""
    file, blocks = _begun(message.data, message.item, "REPLY")
    block = blocks[0]
    for other in blocks[1:]:
        file.drop(other)
    _told(block, _ASKED, now)
    named = {"CN": name} if name else {}
    block.add(content("ATTENDEE", f"mailto:{address}", named | {"PARTSTAT": answer}))
    if comment:
        block.add(text_line("COMMENT", comment))
    return _text(file)


def taken(message: Message, addresses: Collection[str], answer: Answer) -> bytes:
    """The event of an invitation as it goes into the calendar, the user's answer in it."""
    file = File(message.data)
    file.keep_zones()
    for block in file.blocks:
        if (block.text("UID") or "") != message.event.uid:
            file.drop(block)
            continue
        block.rewrite("ATTENDEE", lambda line: _answered(line, addresses, answer))
        block.rewrite("ORGANIZER", lambda line: with_parameter(line, "SCHEDULE-AGENT", "CLIENT"))
        if not any(address_of(value_of(line)) in addresses for line in block.all("ATTENDEE")) and addresses:
            block.add(content("ATTENDEE", f"mailto:{min(addresses)}", {"PARTSTAT": answer}))
    return file.data()


def merged(data: bytes, message: Message, addresses: Collection[str], answer: Answer | None) -> bytes:
    """The file with what a message says in the place of what it had: all of the event, or one occurrence.

    Alarms that the user has set stay.
    """
    file = File(data)
    theirs = File(message.data)
    new = blocks_of(theirs, message.event.uid)
    old = blocks_of(file, message.event.uid)
    if message.at:
        old = [one for one in old if one.value("RECURRENCE-ID") == message.at] or old[:1]
        new = [one for one in new if one.value("RECURRENCE-ID") == message.at]
    kept = main_of(old).parts()
    for block in new:
        block.without_parts()
        if answer is not None:
            block.rewrite("ATTENDEE", lambda line: _answered(line, addresses, answer))
            block.rewrite("ORGANIZER", lambda line: with_parameter(line, "SCHEDULE-AGENT", "CLIENT"))
        elif message.method == "CANCEL":
            block.put("STATUS", content("STATUS", "CANCELLED"))
        block.add_parts(kept)
        for tzid in {block.tzid(name) for name in ("DTSTART", "DTEND", "RECURRENCE-ID")} - {""}:
            if not file.has_zone(tzid) and (zone := theirs.zone(tzid)):
                file.add_component(zone)
        file.insert(block, blocks_of(file, message.event.uid)[-1])
    for block in old:
        if not message.at or block.get("RECURRENCE-ID") is not None:
            file.drop(block)
    return file.data()


def answered(data: bytes, uid: str, addresses: Collection[str], answer: Answer | str, at: str = "") -> bytes:
    """The file with somebody's answer in it, in all of the event or in one occurrence that has a VEVENT."""
    file = File(data)
    for block in blocks_of(file, uid):
        if not at or block.value("RECURRENCE-ID") == at:
            block.rewrite("ATTENDEE", lambda line: _answered(line, addresses, answer))
    return file.data()


def cancelled(data: bytes, uid: str, at: str = "") -> bytes:
    """The file with the event, or one occurrence that has a VEVENT, marked as cancelled."""
    file = File(data)
    for block in blocks_of(file, uid):
        if not at or block.value("RECURRENCE-ID") == at:
            block.put("STATUS", content("STATUS", "CANCELLED"))
    return file.data()


def _answered(line: str, addresses: Collection[str], answer: str) -> str:
    if address_of(value_of(line)) not in addresses or parameter(line, "PARTSTAT").upper() == answer:
        return line
    return with_parameter(with_parameter(line, "PARTSTAT", answer), "RSVP", None)


def _begun(data: bytes, item: Item, method: Method) -> tuple[File, list[Block]]:
    """The file with this event alone and its METHOD."""
    file = File(data)
    file.keep_zones()
    file.put_first(content("METHOD", method))
    blocks = blocks_of(file, item.main.uid)
    for block in file.blocks:
        if block not in blocks:
            file.drop(block)
    return file, blocks


def _told(block: Block, names: Collection[str], now: datetime) -> None:
    """Only what others should know, said now."""
    block.without_parts()
    block.keep_only(names)
    for name in ("ORGANIZER", "ATTENDEE"):
        block.rewrite(name, _bare)
    block.put("DTSTAMP", content("DTSTAMP", f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"))
    if block.get("SEQUENCE") is None:
        block.add(content("SEQUENCE", "0"))


def _bare(line: str) -> str:
    for name in _OWN:
        line = with_parameter(line, name, None)
    return line


def _text(file: File) -> str:
    text = file.data().decode("utf-8", "replace")
    return re.sub(r"\r?\n", "\r\n", text)
