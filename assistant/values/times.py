"""Time expressions in free text, English and Chinese, also mixed. Pure: the present is an argument.

Weeks start on Monday; "next Friday" and 下周五 are the Friday of the next calendar week, "Friday" and 周五 the coming
one. A day without a time stands for 9:00 (`hours` tells how hours are read). A repeated moment carries its first
occurrence after now. Days and dates without a year lie ahead unless `prefer="past"`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from assistant.values import chinese, english, wall
from assistant.values.atoms import Atom, MonthDay, Rule, fold, scan
from assistant.values.days import resolve_day
from assistant.values.durations import parse_iso
from assistant.values.frames import clusters, days_between, meaning, moved, shared
from assistant.values.kinds import Duration, Impossible, Moment, Period, Preference, Span, TimeValue
from assistant.values.recurrence import canonical_rule

_RULES: list[Rule] = [*english.RULES, *chinese.RULES]
_TO = re.compile(r"\s?(?:to|until|till|til|through|thru|-|–|—|~|到|至|和|and)(?:了)?\s?(?:the\s)?")
_BETWEEN = re.compile(r"(?:between|from|from the|between the|从|自|在)\s?$")
_SINCE = re.compile(r"(?:since|自从|自)\s?$")
_SINCE_END = re.compile(r"(?:以来|至今|到现在)")
_LEAD = re.compile(r"(?<![a-z])(?:at|on|in|on the|in the|at around)\s$|(?<![现正存])在$|于$")
_SHIFT = re.compile(r"\s(before|after)\s")
_EDGES = " \t\r\n,.!?;:，。！？；：、的"
_NOW = {"now", "right now", "at the moment", "现在", "此刻", "马上", "立刻"}
_GAP = 12


def find(text: str, now: datetime, *, prefer: Preference | None = None) -> list[Span]:
    """The time expressions in `text`, in order and not overlapping, with offsets into `text`.

    `now` carries the user's zone. Never raises, whatever the text; takes time linear in its length.
    """
    folded = fold(text)
    frames = clusters(folded, scan(folded, _RULES))
    frames = _joined(folded, frames)
    spans: list[Span] = []
    position = 0
    while position < len(frames):
        taken, span = _read(folded, frames, position, now, prefer)
        position += taken
        if span is not None and (not spans or span.start >= spans[-1].end):
            spans.append(replace(span, text=text[span.start : span.end]))
    return spans


def parse(text: str, now: datetime, *, prefer: Preference | None = None) -> TimeValue | None:
    """What the whole of `text` means (also ISO 8601 and RFC 5545 rules); None where it is not one time expression."""
    folded = fold(text).strip(_EDGES)
    iso = _iso(folded, now)
    if iso is not None:
        return iso
    if folded in _NOW:
        return Moment(now.replace(microsecond=0))
    spans = find(folded, now, prefer=prefer)
    if len(spans) != 1:
        return None
    rest = folded[: spans[0].start] + folded[spans[0].end :]
    rest = re.sub(r"(?<![a-z])(?:on|at|in|by|from|for|the|every|around)(?![a-z])", "", rest)
    return spans[0].value if not rest.strip(_EDGES + "在于从") else None


def rule(text: str, now: datetime) -> str | None:
    """The RRULE of a repetition, given as a rule or in words ("daily", "every Monday", 每天); None where it is none."""
    given = canonical_rule(text)
    if given is not None:
        return given
    value = parse(text, now)
    return value.recurrence if isinstance(value, Moment) else None


def _iso(text: str, now: datetime) -> TimeValue | None:
    if re.fullmatch(r"p[0-9a-z.,]{1,40}", text):
        length = parse_iso(text)
        return Duration(length) if length is not None else None
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[t ][0-9:.+\-z]{4,24}", text):
        return None
    try:
        at = datetime.fromisoformat(text.upper())
        return Moment(wall.at(at, now.tzinfo) if at.tzinfo is None else at.astimezone(now.tzinfo))
    except (ValueError, OverflowError):
        day = resolve_day(MonthDay(int(text[5:7]), int(text[8:10]), int(text[:4])), now.date(), "future")
        return day if isinstance(day, Impossible) else Impossible("values.no_such_time", time=text[11:])


def _joined(text: str, frames: list[Atom]) -> list[Atom]:
    """Ranges of times share their day and half of the day; weak pieces that nothing confirms are dropped."""
    frames = list(frames)
    confirmed = [not frame.weak for frame in frames]
    for index in range(len(frames) - 1):
        first, second = frames[index], frames[index + 1]
        if second.start - first.end > _GAP or not _TO.fullmatch(text[first.end : second.start]):
            continue
        if first.clock and second.clock and (confirmed[index] or not second.weak or second.day):
            confirmed[index] = confirmed[index + 1] = True
            frames[index], frames[index + 1] = shared(first, second)
    return [frame for frame, sure in zip(frames, confirmed, strict=True) if sure]


def _read(
    text: str, frames: list[Atom], position: int, now: datetime, prefer: Preference | None
) -> tuple[int, Span | None]:
    """How many frames make up the next expression, and the expression."""
    first = frames[position]
    since = _SINCE.search(text[max(0, first.start - _GAP) : first.start])
    start = first.start - len(since.group()) if since else _start(text, first)
    value = meaning(first, now, "past" if since else prefer, text[first.start : first.end])
    if position + 1 < len(frames):
        second = frames[position + 1]
        gap = text[first.end : second.start] if second.start - first.end <= _GAP else ""
        side = _SHIFT.fullmatch(gap)
        if side and first.length is not None:
            target = meaning(second, now, prefer, text[second.start : second.end])
            if isinstance(target, Moment) and not target.recurrence:
                return 2, _span(start, second.end, moved(target, first.length, side[1]))
        period = _range(text, first, second, gap, value, now, prefer)
        if period is not None:
            return 2, _span(_range_start(text, first), second.end, period)
    ended = _SINCE_END.match(text, first.end)
    if (since or ended) and isinstance(value, Moment | Period) and not (isinstance(value, Moment) and value.recurrence):
        return 1, _since(text, first, start, ended.end() if ended else first.end, now)
    return 1, _span(start, first.end, value)


def _since(text: str, frame: Atom, start: int, end: int, now: datetime) -> Span:
    value = meaning(frame, now, "past", text[frame.start : frame.end])
    begin = value.start if isinstance(value, Period) else value.day if isinstance(value, Moment) else None
    if begin is None or begin > now.date():
        return _span(start, end, value)
    return _span(start, end, Period(begin, now.date()))


def _range(
    text: str, first: Atom, second: Atom, gap: str, value: TimeValue, now: datetime, prefer: Preference | None
) -> Period | None:
    link = _TO.fullmatch(gap)
    if not link or first.clock or second.clock or first.every or second.every:
        return None
    if link.group().strip() in ("and", "和") and not re.search(
        r"between(?: the)? ?$|在$", text[max(0, first.start - _GAP) : first.start]
    ):
        return None
    anchor = value.day if isinstance(value, Moment) else value.start if isinstance(value, Period) else None
    if anchor is None:
        return None
    seen = wall.combine(anchor, 0, 0, now.tzinfo) if anchor > now.date() else now
    direction: Preference | None = prefer
    if anchor < now.date() and not isinstance(value, Period):
        seen, direction = wall.combine(anchor + timedelta(days=1), 0, 0, now.tzinfo), "future"
    absolute = meaning(second, now, direction, text[second.start : second.end])
    later = meaning(second, seen, direction, text[second.start : second.end])
    return days_between(value, absolute) or days_between(value, later)


def _range_start(text: str, first: Atom) -> int:
    before = text[max(0, first.start - _GAP) : first.start]
    lead = _BETWEEN.search(before)
    return first.start - len(lead.group()) if lead else _start(text, first)


def _start(text: str, frame: Atom) -> int:
    """Where the expression starts with its preposition: what is cut out must not leave an "on" behind."""
    if frame.length is not None:
        return frame.start
    lead = _LEAD.search(text[max(0, frame.start - _GAP) : frame.start])
    return frame.start - len(lead.group()) if lead else frame.start


def _span(start: int, end: int, value: TimeValue) -> Span:
    return Span(start, end, "", value)
