"""Time expressions in free text: English and Chinese, also mixed, or one more language. Pure: `now` is an argument.

Weeks start on Monday; "next Friday" and 下周五 are the Friday of the next calendar week, "Friday" and 周五 the coming
one. A day without a time stands for 9:00 (`hours` tells how hours are read). A repeated moment carries its first
occurrence after now. Days and dates without a year lie ahead unless `prefer="past"`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assistant.values import feasts, numeric_dates, wall
from assistant.values.atoms import Atom, DayOfMonth, MonthDay, scan
from assistant.values.days import resolve_day
from assistant.values.durations import parse_iso
from assistant.values.fillers import fluent
from assistant.values.frames import clusters, days_between, interval, meaning, moved, shared
from assistant.values.grammars import BILINGUAL, Grammar, prepared
from assistant.values.kinds import Duration, Impossible, Moment, Period, Preference, Span, TimeValue, Value
from assistant.values.recurrence import canonical_rule

_EDGES = " \t\r\n,.!?;:，。！？；：、的"
_GAP = 16
_LONG = 60
_CLOCK_FIRST = re.compile(
    r"[0-9]{1,2}(?![0-9]|st|nd|rd|th|[-./]| (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half|quarter|a quarter|noon|midnight)(?![a-z])"
)
"""A frame that begins with its clock has its day behind it."""
_LEADING = re.compile(r"(?:at|on|in) ")
_AMONG = re.compile(r"之间|期间|这段时间")
_MOVED = re.compile(r"(?<![a-z])(?:move|reschedule|shift|push|postpone|change|bring|delay|switch)(?![a-z])(?!.* to )")
""" "Move the meeting from 3 pm to 4 pm" names two times, not one interval."""


def find(text: str, now: datetime, *, prefer: Preference | None = None, locale: str = "en") -> list[Span]:
    """The time expressions in `text`, in order and not overlapping, with offsets into `text`.

    `now` carries the user's zone; `locale` decides what 5/12 is. Never raises, whatever the text; takes time linear
    in its length.
    """
    folded, grammar = prepared(text)
    heard = fluent(folded) if grammar is BILINGUAL else None
    if heard is None:
        found = _find(folded, grammar, now, prefer, locale)
    else:
        found = [heard.back(span) for span in _find(heard.text, grammar, now, prefer, locale)]
    return [replace(span, text=text[span.start : span.end]) for span in found]


def _find(folded: str, grammar: Grammar, now: datetime, prefer: Preference | None, locale: str) -> list[Span]:
    named = feasts.rules() if grammar is BILINGUAL else ()
    atoms = scan(folded, [*grammar.rules, *named, *numeric_dates.rules(grammar.dates or locale)])
    frames = _joined(folded, clusters(folded, atoms, grammar.glue), grammar)
    reading = _Reading(folded, grammar, now, prefer)
    spans: list[Span] = []
    position = 0
    while position < len(frames):
        first = frames[position]
        taken, span = reading.expression(frames, position)
        if taken == 1 and isinstance(first.day, DayOfMonth) and first.day.month is None and spans:
            span = reading.after(first, span, spans[-1].value)
        position += taken
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    return spans


def parse(text: str, now: datetime, *, prefer: Preference | None = None, locale: str = "en") -> TimeValue | None:
    """What the whole of `text` means (also ISO 8601 and RFC 5545 rules); None where it is not one time expression."""
    folded, grammar = prepared(text.strip(_EDGES))
    heard = fluent(folded) if grammar is BILINGUAL else None
    folded = heard.text.strip() if heard else folded
    iso = _iso(folded, now)
    if iso is not None:
        return iso
    if folded in grammar.now:
        return Moment(now.replace(microsecond=0))
    spans = _find(folded, grammar, now, prefer, locale)
    if len(spans) != 1:
        return None
    value = spans[0].value
    rest = folded[: spans[0].start] + "\n" + folded[spans[0].end :]
    return value if isinstance(value, TimeValue) and not grammar.rest.sub("", rest).strip(_EDGES) else None


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


def _joined(text: str, frames: list[Atom], grammar: Grammar) -> list[Atom]:
    """Ranges of times share their day and half of the day; weak pieces that nothing confirms are dropped."""
    frames = list(frames)
    confirmed = [not frame.weak for frame in frames]
    for index in range(len(frames) - 1):
        first, second = frames[index], frames[index + 1]
        if second.start - first.end > _GAP or not (link := grammar.to.fullmatch(text[first.end : second.start])):
            continue
        if second.weak and link.group().strip() in grammar.also and not _opened(text, first, grammar):
            continue
        if first.clock and second.clock and (confirmed[index] or not second.weak or second.day):
            confirmed[index] = confirmed[index + 1] = True
            behind = _CLOCK_FIRST.match(text, second.start) is not None
            frames[index], frames[index + 1] = shared(first, second, day_behind=behind)
    return [frame for frame, sure in zip(frames, confirmed, strict=True) if sure]


def _opened(text: str, frame: Atom, grammar: Grammar) -> bool:
    """Whether a "between" stands before a frame or before the clock in it ("tomorrow between 2 and 3")."""
    starts = range(frame.start, min(frame.end, frame.start + _LONG))
    return any(grammar.between.search(text[max(0, start - _GAP) : start]) for start in starts)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Frames of one text read as expressions."""

    text: str
    """Folded."""
    grammar: Grammar
    now: datetime
    prefer: Preference | None

    def expression(self, frames: list[Atom], position: int) -> tuple[int, Span]:
        """How many frames make up the next expression, and the expression."""
        first = frames[position]
        since = self.grammar.since.search(self._ahead_of(first))
        start = first.start - len(since.group()) if since else self._start(first)
        value = self._meaning(first, "past" if since else self.prefer)
        if position + 1 < len(frames):
            second = frames[position + 1]
            gap = self.text[first.end : second.start] if second.start - first.end <= _GAP else ""
            moment = self._moved(first, second, gap)
            if moment is not None:
                return 2, _span(start, second.end, moment)
            period = self._interval(first, second, gap) or self._range(first, second, gap, value)
            if period is not None:
                end = _AMONG.match(self.text, second.end)
                return 2, _span(self._range_start(first), end.end() if end else second.end, period)
        ended = self.grammar.ended.match(self.text, first.end)
        once = isinstance(value, Moment | Period) and not (isinstance(value, Moment) and value.recurrence)
        if (since or ended) and once:
            return 1, self._since(first, start, ended.end() if ended else first.end)
        return 1, _span(start, first.end, value)

    def after(self, frame: Atom, span: Span, before: Value) -> Span:
        """ "On January 8th and back on the 11th": the second day is the next one of that number after the first."""
        if not (isinstance(before, Moment) and before.dated and before.day > self.now.date()) or before.recurrence:
            return span
        if not isinstance(span.value, Moment) or span.value.recurrence:
            return span
        seen = wall.combine(before.day, 0, 0, self.now.tzinfo)
        return replace(span, value=self._meaning(frame, "future", seen))

    def _ahead_of(self, frame: Atom) -> str:
        return self.text[max(0, frame.start - _GAP) : frame.start]

    def _meaning(self, frame: Atom, prefer: Preference | None, now: datetime | None = None) -> TimeValue:
        return meaning(frame, now or self.now, prefer, self.text[frame.start : frame.end])

    def _moved(self, first: Atom, second: Atom, gap: str) -> TimeValue | None:
        """ "Two hours before tomorrow at 9"."""
        back = self.grammar.before.fullmatch(gap)
        if first.length is None or not (back or self.grammar.after.fullmatch(gap)):
            return None
        target = self._meaning(second, self.prefer)
        if not isinstance(target, Moment) or target.recurrence:
            return None
        return moved(target, first.length, "before" if back else "after")

    def _since(self, frame: Atom, start: int, end: int) -> Span:
        value = self._meaning(frame, "past")
        begin = value.start if isinstance(value, Period) else value.day if isinstance(value, Moment) else None
        if begin is None or begin > self.now.date():
            return _span(start, end, value)
        return _span(start, end, Period(begin, self.now.date()))

    def _interval(self, first: Atom, second: Atom, gap: str) -> TimeValue | None:
        link = self.grammar.to.fullmatch(gap)
        if not link or not first.clock or not second.clock or second.length or second.offset:
            return None
        among = _AMONG.match(self.text, second.end) or _opened(self.text, first, self.grammar)
        if link.group().strip() in self.grammar.also and not among:
            return None
        if _MOVED.search(self.text[max(0, first.start - _LONG) : first.start]):
            return None
        return interval(first, second, self.now, self.prefer, self.text[first.start : second.end])

    def _range(self, first: Atom, second: Atom, gap: str, value: TimeValue) -> Period | Impossible | None:
        link = self.grammar.to.fullmatch(gap)
        if not link or first.clock or second.clock or first.every or second.every:
            return None
        if link.group().strip() in self.grammar.also and not self.grammar.between.search(self._ahead_of(first)):
            return None
        if isinstance(first.day, DayOfMonth) and first.day.month is None and isinstance(second.day, MonthDay):
            # "Vom 5. bis zum 9. März": the month is said once.
            value = self._meaning(replace(first, day=replace(second.day, day=first.day.day)), self.prefer)
        anchor = value.day if isinstance(value, Moment) else value.start if isinstance(value, Period) else None
        if anchor is None:
            return None
        seen = wall.combine(anchor, 0, 0, self.now.tzinfo) if anchor > self.now.date() else self.now
        direction: Preference | None = self.prefer
        if anchor < self.now.date() and not isinstance(value, Period):
            seen, direction = wall.combine(anchor + timedelta(days=1), 0, 0, self.now.tzinfo), "future"
        absolute = self._meaning(second, direction)
        later = self._meaning(second, direction, seen)
        found = days_between(value, absolute) or days_between(value, later)
        return Impossible("values.ends_before") if found and _backwards(found, second) else found

    def _range_start(self, first: Atom) -> int:
        opens = self.grammar.opens.search(self._ahead_of(first))
        return first.start - len(opens.group()) if opens else self._start(first)

    def _start(self, frame: Atom) -> int:
        """Where the expression starts with its preposition: what is cut out must not leave an "on" behind."""
        if frame.length is not None or _LEADING.match(self.text, frame.start):
            return frame.start
        lead = self.grammar.lead.search(self._ahead_of(frame))
        return frame.start - len(lead.group()) if lead else frame.start


def _backwards(found: Period, second: Atom) -> bool:
    """ "From the 12th to the 10th of December": nobody means nearly a year by that."""
    if not isinstance(second.day, MonthDay) or second.day.year is not None:
        return False
    nearly_a_year = timedelta(days=330) < found.end - found.start
    return nearly_a_year and found.start.month == found.end.month


def _span(start: int, end: int, value: TimeValue) -> Span:
    return Span(start, end, "", value)
