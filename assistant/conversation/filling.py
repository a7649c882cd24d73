"""Which arguments a sentence can name, and what a time or an amount in it puts into them. Asks nobody anything.

A slot that has an argument's name fills that argument; `{when}`, `{period}`, `{duration}`, `{amount}` alone fill those
that such a value goes to in every skill of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from assistant.conversation.spans import is_sure_of_half
from assistant.errors import Rejected
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.manifest import Lookup
from assistant.skillkit.schema import Argument
from assistant.values import (
    Duration,
    Impossible,
    Interval,
    Moment,
    Money,
    Number,
    Period,
    Span,
    format_amount,
    format_duration,
)

STARTS = ("when", "start", "since", "depart", "depart_at", "check_in")
"""Arguments that a time goes to, and the beginning of a period."""
ENDS = ("until", "end", "return_date", "check_out", "arrive_by")
"""Arguments that the end of a period goes to."""
SLOTS_OF = {
    "date": ("when", "period"),
    "datetime": ("when", "period"),
    "duration": ("duration",),
    "money": ("amount",),
    "int": ("count",),
}
"""By an argument's type: the slots whose spans can be its value. Of other types the words are."""
_DAY_END = time(23, 59)


def sayable(tool: Tool, skills: Skills, named: Collection[str] = ()) -> dict[str, Argument]:
    """The arguments a person can name: ids give way to the selectors they are looked up by.

    Of several ways to look a thing up, those count that fit best what is `named` already.
    """
    names: dict[str, Argument] = {}
    lookups = skills.lookups(tool.skill)
    for argument in tool.schema.arguments:
        if argument.name not in lookups:
            names[argument.name] = argument
    for argument in tool.schema.arguments:
        for lookup in _fitting(lookups.get(argument.name, ()), named):
            finder = {one.name: one for one in skills.tool(f"{tool.skill}.{lookup.tool}").schema.arguments}
            for selector in lookup.by:
                names.setdefault(selector, finder[selector])
            if argument.name not in names and argument.type == "money":
                names[argument.name] = argument  # an amount is said more often than looked up
    return names


def _fitting(lookups: Sequence[Lookup], named: Collection[str]) -> list[Lookup]:
    fits = [sum(name in named for name in one.by) for one in lookups]
    return [one for one, fit in zip(lookups, fits, strict=True) if fit == max(fits)]


def span_arguments(
    chosen: Mapping[str, Span], names: Mapping[str, Argument], say: Callable[..., str]
) -> dict[str, Any]:
    """The arguments that spans fill, by the slot they stand in. Raises Rejected for what can't be."""
    filled: dict[str, Any] = {}
    length: timedelta | None = None
    for slot, span in chosen.items():
        value = span.value
        if isinstance(value, Impossible):
            raise Rejected("conversation.impossible_time", what=span.text, why=say(value.why, **value.data))
        if isinstance(value, Duration) and slot not in names:
            length = value.length
        elif slot in names and not (slot == "when" and _covers(value)):
            filled |= _fill(names[slot], span)
        elif not isinstance(value, Money | Number):
            filled |= _generic(value, slot, span, names)
        if isinstance(value, Money) and value.currency and "currency" in names:
            filled["currency"] = value.currency
        if isinstance(value, Moment | Interval) and value.recurrence and "recurrence" in names:
            filled["recurrence"] = value.recurrence
    if length is not None:
        filled |= _lasting(length, names, filled)
    filled |= _on_its_day(chosen.values(), filled, names)
    return filled | _in_order(chosen, filled, say)


def _in_order(chosen: Mapping[str, Span], filled: Mapping[str, Any], say: Callable[..., str]) -> dict[str, Any]:
    """An end that names no day is on the day of the start. Raises Rejected for one that lies before the start."""
    start = next((filled[name] for name in STARTS if name in filled), "")
    end = next((name for name in ENDS if name in filled), "")
    if not (start and end) or str(start)[:16] <= filled[end] or len(start) != len(filled[end]):
        return {}
    span = chosen.get(end)
    if span and isinstance(span.value, Moment) and not span.value.dated:
        later = datetime.combine(date.fromisoformat(start[:10]), span.value.at.time())
        later += timedelta(days=later <= datetime.fromisoformat(start))
        return {end: later.isoformat(timespec="minutes")}
    what = span.text if span else filled[end]
    raise Rejected("conversation.impossible_time", what=what, why=say("values.ends_before"))


def _on_its_day(spans: Collection[Span], filled: Mapping[str, Any], names: Mapping[str, Argument]) -> dict[str, Any]:
    """ "Move tomorrow's meeting to 5 pm": a time that names no day is on the day of the thing that is moved."""
    start = filled.get("start")
    undated = any(isinstance(span.value, Moment) and not span.value.dated for span in spans)
    clock: dict[str, Any] = {}
    if undated and start and "clock" in names:  # its day, and which half of it, are known once the thing is found
        said = [span.text for span in spans if isinstance(span.value, Moment) and not span.value.dated]
        clock = {"clock": "exact" if all(map(is_sure_of_half, said)) else "either"}
    if not (undated and filled.get("on") and start):
        return clock
    return clock | {
        "start": datetime.combine(date.fromisoformat(filled["on"]), datetime.fromisoformat(start).time()).isoformat(
            timespec="minutes"
        )
    }


def _covers(value: object) -> bool:
    return isinstance(value, Period | Interval)


def _fill(argument: Argument, span: Span) -> dict[str, Any]:
    """`span` in `argument`, whatever its type; nothing where it can't be."""
    value = span.value
    if argument.type in ("date", "datetime"):
        late = argument.name in ENDS
        day = _day(value, late)
        if day is None:
            return {}
        if isinstance(value, Period):
            return {argument.name: _edge(argument, day, late)}
        if late and isinstance(value, Moment) and value.precision == "day":
            return {argument.name: _edge(argument, day, late)}
        return {argument.name: _point(argument, _instant(value, late))}
    if argument.type == "duration" and isinstance(value, Duration):
        return {argument.name: format_duration(value.length)}
    if argument.type == "money" and isinstance(value, Money | Number):
        return {argument.name: money(value, span.text)}
    if argument.type == "int" and isinstance(value, Number):
        return {argument.name: int(value.value)}
    return {argument.name: span.text}


def money(value: Money | Number, said: str) -> str:
    """The amount in the contract's form. Raises Rejected for none and for a negative one."""
    amount = value.amount if isinstance(value, Money) else value.value
    if amount <= 0:
        raise Rejected("conversation.not_an_amount", what=said)
    return format_amount(amount)


def _generic(value: object, slot: str, span: Span, names: Mapping[str, Argument]) -> dict[str, Any]:
    start = next((names[name] for name in STARTS if name in names), None)
    end = next((names[name] for name in ENDS if name in names), None)
    if isinstance(value, Interval):
        return {
            argument.name: _point(argument, at)
            for argument, at in ((start, value.start), (end, value.end))
            if argument and argument.type in ("date", "datetime")
        }
    if isinstance(value, Period) or (slot == "period" and isinstance(value, Moment)):
        first, last = (value.start, value.end) if isinstance(value, Period) else (value.day, value.day)
        edges = [
            (argument, day, late)
            for argument, day, late in ((start, first, False), (end, last, True))
            if argument is not None and argument.type in ("date", "datetime") and argument.name != "when"
        ]
        if not edges and start is not None:
            edges = [(start, first, False)]
        return {argument.name: _edge(argument, day, late) for argument, day, late in edges}
    target = start or end
    if target is None or not isinstance(value, Moment):
        return {}
    if target.type not in ("date", "datetime"):
        return {target.name: span.text}
    return {target.name: _point(target, value.at)}


def _lasting(length: timedelta, names: Mapping[str, Argument], filled: Mapping[str, Any]) -> dict[str, Any]:
    """A length of time: its own argument, or the end that it gives to the start ("for 3 nights")."""
    if "duration" in names:
        return {"duration": format_duration(length)}
    start = next((filled[name] for name in STARTS if name in filled), None)
    end = next((names[name] for name in ENDS if name in names), None)
    if start is None or end is None or end.name in filled:
        return {}
    return {end.name: _point(end, datetime.fromisoformat(start) + length)}


def _day(value: object, late: bool) -> date | None:
    if isinstance(value, Period):
        return value.end if late else value.start
    if isinstance(value, Interval):
        return (value.end if late else value.start).date()
    return value.day if isinstance(value, Moment) else None


def _instant(value: object, late: bool) -> datetime:
    if isinstance(value, Interval):
        return value.end if late else value.start
    assert isinstance(value, Moment)
    return value.at


def _edge(argument: Argument, day: date, late: bool) -> str:
    if argument.type == "date":
        return day.isoformat()
    return datetime.combine(day, _DAY_END if late else time.min).isoformat(timespec="minutes")


def _point(argument: Argument, at: datetime) -> str:
    if argument.type == "date":
        return at.date().isoformat()
    local = at.replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")
