"""Changes of a series at one place: one occurrence, or that one and all that follow. Pure, writes nothing.

RFC 5545: one occurrence is changed by a VEVENT of its own with a RECURRENCE-ID, and left out by an EXDATE. A change of
"this and all that follow" ends the series before it (UNTIL) and begins another with a UID of its own and RELATED-TO;
RANGE=THISANDFUTURE, which few programs follow, is not written.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from assistant.skillkit import Rejected

from .build import content, text_line, time_line
from .change import Change, blocks_of, changed, invite, move, stamp
from .edit import Block, File
from .events import Event, Item, parse
from .expand import followed, rule_starts, starts_from

_TOKEN = re.compile(r"(\d{8})(?:T(\d{6}))?(Z)?")
_MOST = 20_000
"""Occurrences that are counted: sixty years of days."""
_ONLY_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE")


@dataclass(frozen=True)
class Parted:
    """A series that was ended, and the one that goes on in its place."""

    before: bytes
    after: bytes
    uid: str


def one_changed(data: bytes, item: Item, at: datetime, change: Change, zone: ZoneInfo, now: datetime) -> bytes:
    """The file after one occurrence was changed. `at` is when the series has it, wall-clock. Raises Rejected."""
    file = File(data)
    blocks = blocks_of(file, item.main.uid)
    main = main_of(blocks)
    event = next((one for one in item.changed if one.replaces == at), None)
    if event is not None:
        block = _override(blocks, item, at)
    else:
        event = replace(item.main, start=at)
        block = _made(main, item.main, at)
        file.insert(block, blocks[-1])
    for name, text in (("SUMMARY", change.title), ("LOCATION", change.location)):
        if text is not None:
            block.put(name, text_line(name, text) if text else None)
    if change.timed:
        alone = replace(event, rule="", more=(), without=frozenset())
        move(file, [block], block, Item(alone), change, zone)
    invite(block, change)
    stamp(block, now, again=change.timed)
    return file.data()


def one_deleted(data: bytes, item: Item, at: datetime, now: datetime) -> bytes | None:
    """The file without one occurrence; None where it was the last one."""
    file = File(data)
    blocks = blocks_of(file, item.main.uid)
    main = main_of(blocks)
    event = item.main
    for block in _overrides(blocks, item, {at}):
        file.drop(block)
    main.add(time_line("EXDATE", at, event.zone, main.tzid("DTSTART"), event.all_day))
    stamp(main, now, again=True)
    after = file.data()
    return after if _has_any(after, event.uid) else None


def ended(data: bytes, item: Item, at: datetime, now: datetime) -> bytes | None:
    """The file with a series that ends before `at`; None where nothing of it is left. Raises Rejected."""
    file = File(data)
    blocks = blocks_of(file, item.main.uid)
    main = main_of(blocks)
    event = item.main
    if at <= event.start:
        raise Rejected("calendar.series_from")
    if _goes_on(event, at):
        until = _until(event, at)
        main.rewrite("RRULE", lambda line: _bounded(line, f"UNTIL={until}"))
    for name in ("RDATE", "EXDATE"):
        main.sift(name, lambda value, tzid: _wall(value, tzid, event) < at)
    for block in _overrides(
        blocks, item, {one.replaces for one in item.changed if one.replaces and one.replaces >= at}
    ):
        file.drop(block)
    stamp(main, now, again=True)
    after = file.data()
    return after if _has_any(after, event.uid) else None


def parted(data: bytes, item: Item, at: datetime, uid: str, change: Change, zone: ZoneInfo, now: datetime) -> Parted:
    """Two files: the series up to `at`, and one with this UID from there on, changed. Raises Rejected."""
    before = ended(data, item, at, now)
    if before is None or not _is_of_rule(item.main, at):
        raise Rejected("calendar.series_from")
    file = File(data)
    file.keep_zones()
    for block in [one for one in file.blocks if (one.text("UID") or "") != item.main.uid]:
        file.drop(block)
    blocks = blocks_of(file, item.main.uid)
    early = {one.replaces for one in item.changed if one.replaces and one.replaces < at}
    for block in _overrides(blocks, item, early):
        file.drop(block)
        blocks.remove(block)
    main = main_of(blocks)
    _restart(main, item.main, at)
    for block in blocks:
        block.put("UID", text_line("UID", uid))
        block.put("SEQUENCE", content("SEQUENCE", "0"))
    main.add(text_line("RELATED-TO", item.main.uid))
    rest = file.data()
    following = next((one for one in parse(rest) or [] if one.main.uid == uid), None)
    if following is None:
        raise Rejected("calendar.series_from")
    after = changed(rest, following, replace(change, about=at), zone, now)
    return Parted(before, after, uid)


def first_from(item: Item, wall: datetime) -> datetime | None:
    """The first occurrence of a series at or after a wall-clock time, as the series has it."""
    return next((start for start in islice(starts_from(item.main, wall), 1)), None)


def has(item: Item, at: datetime) -> bool:
    """Whether the series has an occurrence then."""
    return first_from(item, at) == at


def is_first(item: Item, at: datetime) -> bool:
    """Whether nothing of the series lies before `at`."""
    earliest = first_from(item, datetime.min.replace(year=2))
    return earliest is None or at <= earliest


def main_of(blocks: list[Block]) -> Block:
    """The VEVENT of the series itself."""
    return next((one for one in blocks if one.get("RECURRENCE-ID") is None), blocks[0])


def occurrence_block(blocks: list[Block], item: Item, at: datetime, *, made: bool = False) -> Block | None:
    """The VEVENT of one occurrence; `made`: one as the series has it where it has none of its own."""
    found = _overrides(blocks, item, {at})
    if found:
        return found[0]
    return _made(main_of(blocks), item.main, at) if made else None


def _made(main: Block, series: Event, at: datetime) -> Block:
    """A VEVENT for one occurrence, as the series has it."""
    block = main.copy()
    for name in _ONLY_SERIES:
        block.put(name, None)
    tzid = main.tzid("DTSTART")
    block.put("DTSTART", time_line("DTSTART", at, series.zone, tzid, series.all_day))
    if main.get("DTEND") is not None:
        block.put("DTEND", time_line("DTEND", _end(series, at), series.zone, tzid, series.all_day))
    block.add(time_line("RECURRENCE-ID", at, series.zone, tzid, series.all_day))
    return block


def _end(event: Event, start: datetime) -> datetime:
    if event.zone is None or event.all_day:
        return start + event.length
    exact = start.replace(tzinfo=event.zone).astimezone(UTC) + event.length
    return exact.astimezone(event.zone).replace(tzinfo=None)


def _restart(main: Block, series: Event, at: datetime) -> None:
    """The series from `at` on."""
    tzid = main.tzid("DTSTART")
    if series.rule and "COUNT=" in series.rule.upper():
        past = sum(1 for _ in takewhile(lambda one: one < at, islice(rule_starts(series), _MOST)))
        count = int(re.search(r"COUNT=(\d+)", series.rule, re.IGNORECASE)[1])  # type: ignore[index]
        main.rewrite("RRULE", lambda line: _bounded(line, f"COUNT={max(count - past, 1)}"))
    for name in ("RDATE", "EXDATE"):
        main.sift(name, lambda value, zone: _wall(value, zone, series) >= at)
    main.put("DTSTART", time_line("DTSTART", at, series.zone, tzid, series.all_day))
    if main.get("DTEND") is not None:
        main.put("DTEND", time_line("DTEND", _end(series, at), series.zone, tzid, series.all_day))


def _is_of_rule(series: Event, at: datetime) -> bool:
    """Whether the rule gives this time: a further date (RDATE) can't be where a series begins anew in its rhythm."""
    if not series.rule or not followed(series.rule):
        return not series.rule
    return next((one for one in islice(rule_starts(series), _MOST) if one >= at), None) == at


def _goes_on(series: Event, at: datetime) -> bool:
    """Whether the rule gives a time from `at` on; one that ends by itself before a further date keeps its own end."""
    if not series.rule or not followed(series.rule):
        return True
    return any(one >= at for one in islice(rule_starts(series), _MOST))


def _until(event: Event, at: datetime) -> str:
    """The last moment before `at`, in the form that the series' start asks for (RFC 5545 §3.3.10)."""
    if event.all_day:
        return f"{at - timedelta(days=1):%Y%m%d}"
    last = at - timedelta(seconds=1)
    if event.zone is None:
        return f"{last:%Y%m%dT%H%M%S}"
    return f"{at.replace(tzinfo=event.zone).astimezone(UTC) - timedelta(seconds=1):%Y%m%dT%H%M%SZ}"


def _bounded(line: str, bound: str) -> str:
    """An RRULE line with this COUNT or UNTIL."""
    name, _, rule = line.partition(":")
    kept = [part for part in rule.split(";") if part and not part.upper().startswith(("COUNT=", "UNTIL="))]
    return f"{name}:{';'.join((*kept, bound))}"


def _wall(value: str, tzid: str, series: Event) -> datetime:
    """A value of RDATE or EXDATE on the wall of the series; of a period its beginning."""
    found = _TOKEN.match(value.strip())
    if found is None:
        return datetime.max
    day, clock, utc = found.groups()
    try:
        at = datetime.strptime(f"{day}{clock or '000000'}", "%Y%m%d%H%M%S")
    except ValueError:
        return datetime.max
    if clock is None:
        return at
    own: tzinfo | None = UTC if utc else _zone(tzid)
    if own is None or series.zone is None:
        return at
    return at.replace(tzinfo=own).astimezone(series.zone).replace(tzinfo=None)


def _zone(tzid: str) -> tzinfo | None:
    try:
        return ZoneInfo(tzid) if tzid else None
    except (KeyError, ValueError, OSError):
        return None


def _override(blocks: list[Block], item: Item, at: datetime) -> Block:
    found = _overrides(blocks, item, {at})
    if not found:
        raise Rejected("calendar.series_from")
    return found[0]


def _overrides(blocks: list[Block], item: Item, which: Collection[datetime]) -> list[Block]:
    """The VEVENTs of these changed occurrences: `item.changed` has them in the order of the file."""
    own = [one for one in blocks if one.get("RECURRENCE-ID") is not None]
    if len(own) != len(item.changed):
        return []
    return [block for block, event in zip(own, item.changed, strict=True) if event.replaces in which]


def _has_any(data: bytes, uid: str) -> bool:
    """Whether anything of the series takes place at all."""
    item = next((one for one in parse(data) or [] if one.main.uid == uid), None)
    if item is None:
        return False
    replaced = {one.replaces for one in item.changed}
    left = islice(starts_from(item.main, datetime.min.replace(year=2)), len(replaced) + 1)
    return any(start not in replaced for start in left) or any(not one.cancelled for one in item.changed)
