"""Time expressions taken out of a sentence before templates are matched, and put back afterwards.

A span becomes one character of Unicode's private use area, so that `{when}` can stand beside a wildcard even in
Chinese, where no space parts the two (seen: `提醒我{when}{text}` never matches otherwise).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from assistant.values import Duration, Impossible, Moment, Period, Span, find

_FIRST = 0xE000
_MOST = 64


@dataclass(frozen=True)
class Masked:
    """A sentence whose time expressions are single characters."""

    text: str
    spans: tuple[Span, ...]

    def restore(self, text: str) -> str:
        """The words behind every token in `text`."""
        for index, span in enumerate(self.spans):
            text = text.replace(token(index), span.text)
        return text

    def tokens_in(self, text: str) -> list[int]:
        """Numbers of the spans whose token occurs in `text`."""
        return [index for index in range(len(self.spans)) if token(index) in text]

    def of_kind(self, slot: str) -> list[int]:
        """Numbers of the spans that may fill a `{when}`, `{period}` or `{duration}` slot."""
        return [index for index, span in enumerate(self.spans) if fits(span, slot)]


def token(index: int) -> str:
    """The character that stands for span `index`."""
    return chr(_FIRST + index)


def mask(text: str, now: datetime) -> Masked:
    """Take the time expressions out of `text`."""
    spans = tuple(find(text, now))[:_MOST]
    parts: list[str] = []
    position = 0
    for index, span in enumerate(spans):
        parts += (text[position : span.start], token(index))
        position = span.end
    parts.append(text[position:])
    return Masked("".join(parts), spans)


def fits(span: Span, slot: str) -> bool:
    """Whether a span can stand in a slot. What is impossible (30 February) fits all, so that it can be refused."""
    value = span.value
    if isinstance(value, Impossible):
        return True
    if slot == "duration":
        return isinstance(value, Duration)
    if slot == "period":
        return isinstance(value, Period) or (isinstance(value, Moment) and not value.recurrence)
    return isinstance(value, Moment)
