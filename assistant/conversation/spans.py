"""Times, money and numbers taken out of a sentence before templates are matched, and put back afterwards.

A span becomes one character of Unicode's private use area, so that `{when}` can stand beside a wildcard even in
Chinese, where no space parts the two (seen: `提醒我{when}{text}` never matches otherwise).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from assistant.values import (
    Duration,
    Impossible,
    Interval,
    Moment,
    Money,
    Number,
    Period,
    Span,
    Value,
    find,
    find_money,
    find_numbers,
    parse,
)

_FIRST = 0xE000
_MOST = 64
_CORRECTION = re.compile(
    r"([\ue000-\ue03f])[\s,，、.…]*(?:(?:no|nope|wait|sorry|actually|scratch that|make (?:it|that)|or rather"
    r"|i mean(?:t)?|不对|不是|不不|错了|说错了|啊不|哦不|呃不|不|应该是|我是说)[\s,，、.…]+"
    r"|(?:不对|不是|说错了|啊不|应该是)){1,3}(?:the\s|for\s|on\s|at\s|是)?"
    r"([\ue000-\ue03f])",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"(?:\bnot\s+(?:on\s|at\s)?|不是|别在|不要)([\ue000-\ue03f])[\s,，、.…]*"
    r"(?:but\s|rather\s|make it\s|是|而是|改成)?(?=[\ue000-\ue03f])",
    re.IGNORECASE,
)
""" "Not Thursday, Wednesday": the first is out."""


@dataclass(frozen=True)
class Masked:
    """A sentence whose times and amounts are single characters."""

    said: str
    """The sentence itself."""
    spans: tuple[Span, ...]
    text: str
    """Times and money masked."""
    counted: str
    """Bare numbers masked as well."""
    rest: str = ""
    """What follows `said` in a long text and is not looked at; `REST` stands for it in `text` and `counted`."""

    def restore(self, text: str) -> str:
        """The words behind every token in `text`."""
        text = text.replace(REST, self.rest) if self.rest else text
        for index, span in enumerate(self.spans):
            text = text.replace(token(index), span.text)
        return text

    def of_kind(self, slot: str) -> list[int]:
        """Numbers of the spans that may fill a slot of that kind."""
        return [index for index, span in enumerate(self.spans) if fits(span, slot)]


TOKEN = "[\ue000-\ue03f]"
"""A pattern of such characters."""
REST = "\ue0ff"
LONG = 300
"""Characters beyond which a text is no request with a message behind it, but text: reading takes time that grows
faster than the words, and everybody else waits for it."""
_READ = (700, 300)


def token(index: int) -> str:
    """The character that stands for span `index`."""
    return chr(_FIRST + index)


def mask(text: str, now: datetime) -> Masked:
    """Take the times, the money and the numbers out of `text`; of a self-correction the last word counts."""
    found = [*map(partial(_waking, text, now), find(text, now)), *_bare_hours(text, now)]
    sure = _apart([*found, *find_money(text)])
    numbers = [span for span in find_numbers(text) if not any(_overlap(span, other) for other in sure)]
    spans = [*sure, *numbers][:_MOST]
    masked = _corrected(_masked(text, spans[: len(sure)]), spans)
    return Masked(text, tuple(spans), masked, _corrected(_masked(text, spans), spans))


def beginning(text: str, now: datetime) -> Masked:
    """The first words of a long text, with all that follows as one: "note that …", and then a whole page."""
    end = text.rfind(" ", LONG // 2, LONG)
    end = LONG if end < 0 else end
    masked = mask(text[:end], now)
    return replace(masked, rest=text[end:], text=masked.text + REST, counted=masked.counted + REST)


def abridged(text: str) -> str:
    """What a model reads of a long text: the beginning and the end, where people say what is to be done with it."""
    first, last = _READ
    return text if len(text) <= first + last else f"{text[:first].rstrip()} … {text[-last:].lstrip()}"


def _bare_hours(text: str, now: datetime) -> list[Span]:
    """ "Move the standup to 10": the hour alone, where something is moved and nothing else could be meant."""
    found = []
    for match in _MOVED_TO.finditer(text):
        value = parse(f"{match[1]} o'clock", now)
        if isinstance(value, Moment):
            found.append(Span(match.start(1), match.end(1), match[1], value))
    return found


def is_sure_of_half(said: str) -> bool:
    """Whether the words of a time tell morning from afternoon."""
    return bool(_HALF.search(said) or _CLOCK.search(said) or _MORNING.search(said))


def _waking(text: str, now: datetime, span: Span) -> Span:
    """Nobody is woken at 18:15: an alarm's hour that could be either is in the morning."""
    value = span.value
    late = isinstance(value, Moment) and value.precision == "minute" and value.at.hour >= _AFTERNOON
    if not late or not _ALARM.search(text) or _HALF.search(span.text):
        return span
    early = parse(f"早上{span.text}" if _EAST.search(span.text) else f"{span.text} in the morning", now)
    return replace(span, value=early) if isinstance(early, Moment) and early.precision == "minute" else span


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Without overlaps: the longer expression is the one meant."""
    chosen: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start - one.end, one.start)):
        if not any(_overlap(span, other) for other in chosen):
            chosen.append(span)
    return sorted(chosen, key=lambda one: one.start)


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _masked(text: str, spans: Sequence[Span]) -> str:
    parts: list[str] = []
    position = 0
    for index, span in sorted(enumerate(spans), key=lambda one: one[1].start):
        parts += (text[position : span.start], token(index))
        position = span.end
    return "".join((*parts, text[position:]))


def _corrected(text: str, spans: list[Span]) -> str:
    """ "Tuesday no wait Thursday" → "Thursday"; both must be of one kind. What the second leaves open stays."""

    def last(match: re.Match[str]) -> str:
        first, second = (spans[ord(match[group]) - _FIRST] for group in (1, 2))
        if not any(fits(first, slot) and fits(second, slot) for slot in _FITTING):
            return match.group()
        spans[ord(match[2]) - _FIRST] = replace(second, value=_together(first.value, second.value))
        return match[2]

    return _NEGATED.sub("", _CORRECTION.sub(last, text))


def _together(first: Value, second: Value) -> Value:
    """The second time on the day of the first where it names none, or at its hour where it names a day alone."""
    if not (isinstance(first, Moment) and isinstance(second, Moment)):
        return second
    if first.dated and not second.dated:
        return replace(second, at=datetime.combine(first.day, second.at.timetz()), dated=True)
    if first.precision == "minute" and second.precision == "day":
        return replace(first, at=datetime.combine(second.day, first.at.timetz()), dated=True)
    return second


_AFTERNOON = 13
_ALARM = re.compile(
    r"\balarm\b|\bwake\b|\bget (?:me|us) up\b|叫醒|叫我起|起床|闹钟|鬧鐘"
    r"|\bweck|réveil|despert|目覚まし|起こし",
    re.IGNORECASE,
)
_HALF = re.compile(
    r"\b[ap]\.?m\b|evening|night|afternoon|noon|(?<![:\d])(?:1[3-9]|2[0-3])\b|晚|下午|傍晚|中午|夜|午後|abend|nachmittag|soir|après-midi"
    r"|tarde|noche",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b\d\d:\d\d\b")
_MORNING = re.compile(r"\d\s?[ap]\.?m\b|morning|早|上午|凌晨|清晨|morgens|vormittag|matin|mañana", re.IGNORECASE)
_MOVED_TO = re.compile(
    r"\b(?:move|reschedule|shift|push|postpone|bring)\b.*\bto (1?\d|2[0-3])"
    r"(?=\s*[.!?]?\s*$|\s+(?:from|starting|instead|every|each|always|for good|permanently|just|only|please)\b)",
    re.IGNORECASE,
)
_EAST = re.compile(r"[㐀-䶿一-鿿]")
_FITTING: dict[str, tuple[type, ...]] = {
    "when": (Moment, Interval, Impossible),
    "once": (Moment, Interval, Impossible),
    "every": (Moment, Interval),
    "period": (Period, Moment, Interval, Impossible),
    "duration": (Duration,),
    "amount": (Money, Number),
    "count": (Number,),
}


def fits(span: Span, slot: str) -> bool:
    """Whether a span can stand in a slot. What is impossible (30 February) fits all times, so that it is refused."""
    value = span.value
    repeats = bool(getattr(value, "recurrence", None))
    if (slot in ("once", "period") and repeats) or (slot == "every" and not repeats):
        return False
    if slot == "duration" and isinstance(value, Impossible):
        return True
    return isinstance(value, _FITTING[slot])


_AND = re.compile(
    r"\s*[,，;；.。?？!！]?\s+(?:and then|and also|and|then|also|plus|und dann|und|et puis|et|y luego|y)\s+"
    r"|\s*[,，;；。？！]\s*(?:然后再?|再|顺便|同时|另外|并且|并|还要|还有|接着|and then )?|(?:然后再?|顺便)"
    r"|(?<=\w\w\w)[.?!]\s+",
    re.IGNORECASE,
)
_END = re.compile(r"[?？!！.。;；]|\b(?:then|also|plus|dann|puis|luego)\b|然后|顺便|另外|还有|同时", re.IGNORECASE)
_MOST_CUTS = 4


def halves(said: str, spans: Sequence[Span] = (), *, apart: bool = False) -> list[tuple[str, str]]:
    """The ways to cut a sentence in two at an "and", 然后, comma or end, but not in a time or an amount of `spans`.

    Only where a sentence or a thought ends, if `apart`.
    """
    cuts = [
        (said[: cut.start()].strip(), said[cut.end() :].strip())
        for cut in _AND.finditer(said)
        if not any(span.start < cut.end() and cut.start() < span.end for span in spans)
        and (not apart or _END.search(cut.group()))
    ]
    return [pair for pair in cuts if all(len(part) > 3 for part in pair)][:_MOST_CUTS]
