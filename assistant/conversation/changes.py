"""A call with one thing of it changed: another time, length, amount, person. Reads no sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from assistant.conversation.arguments import PEOPLE, World, person, spelling
from assistant.conversation.filling import ENDS, STARTS, money
from assistant.models import Call
from assistant.values import Duration, Interval, Moment, Money, Number, Period, Span, format_duration, parse


def with_value(call: Call, span: Span, world: World) -> Call:
    """The call with a time, an amount or a duration replaced; what depends on it moves with it."""
    args = dict(call.args)
    value = span.value
    if isinstance(value, Money | Number) and "amount" in args:
        args["amount"] = money(value, span.text)
    elif isinstance(value, Duration):
        args |= _lasting(call, value, world)
    elif isinstance(value, Moment | Interval | Period):
        args |= _moved(args, value, span.text)
    return Call(tool=call.tool, args=args)


def _lasting(call: Call, value: Duration, world: World) -> dict[str, Any]:
    """A duration, or the end that it means."""
    if "duration" in call.args:
        return {"duration": format_duration(value.length)}
    properties = world.skills.tool(call.tool).schema.properties
    start = call.args.get("start")
    if "end" not in properties or not isinstance(start, str) or "T" not in start:
        return {}
    return {"end": (datetime.fromisoformat(start) + value.length).isoformat(timespec="minutes")}


def _moved(args: Mapping[str, Any], value: Moment | Interval | Period, words: str) -> dict[str, Any]:
    """The start at its new time, the end moved with it; the day stays where only a time was said, and vice versa."""
    start = next((name for name in STARTS if isinstance(args.get(name), str)), None)
    end = next((name for name in ENDS if isinstance(args.get(name), str)), None)
    name = start or end
    if name is None:
        return {}
    if isinstance(value, Period):
        if value.start != value.end and datetime.fromisoformat(str(args[name])).time() != time.min:
            return {}  # "November" is no time of a dinner
        days = {start: value.start, end: value.end}
        return {one: _like(str(args[one]), datetime.combine(day, time.min)) for one, day in days.items() if one}
    at = value.start if isinstance(value, Interval) else value.at
    old = datetime.fromisoformat(str(args[name]))
    at = at.replace(tzinfo=old.tzinfo)
    if isinstance(value, Moment) and not value.dated:
        near = parse(words, old - timedelta(hours=6))  # "quarter past nine" for 8:15 is no evening
        at = datetime.combine(old.date(), (near if isinstance(near, Moment) else value).at.time(), old.tzinfo)
    elif isinstance(value, Moment) and value.precision == "day":
        at = datetime.combine(at.date(), old.time(), old.tzinfo)
    moved = {name: _like(str(args[name]), at)}
    if start and end:
        later = datetime.fromisoformat(str(args[end])) + (at - old)
        moved[end] = _like(str(args[end]), value.end if isinstance(value, Interval) else later)
    if isinstance(value, Moment | Interval) and value.recurrence and "recurrence" in args:
        moved["recurrence"] = value.recurrence
    return moved


def shifted(call: Call, by: timedelta) -> Call:
    """The call with all its times earlier or later."""
    moved = {
        name: _like(value, datetime.fromisoformat(value) + by)
        for name, value in call.args.items()
        if name in (*STARTS, *ENDS) and isinstance(value, str) and _iso(value)
    }
    return Call(tool=call.tool, args={**call.args, **moved})


def _iso(value: str) -> bool:
    return bool(re.match(r"\d{4}-\d\d-\d\d", value))


def _like(old: str, new: datetime) -> str:
    """`new` written as `old` is: a day, or a time."""
    return new.isoformat(timespec="minutes") if "T" in old else new.date().isoformat()


def with_person(call: Call, said: str, world: World) -> Call:
    """The call with another person in it. Raises AskAgain where two have the name."""
    name = next((name for name in call.args if name in PEOPLE), None)
    if name is None:
        return call
    who = person(said, world.user, name, spelling(world.skills.tool(call.tool), said))
    return Call(tool=call.tool, args={**call.args, name: [who] if isinstance(call.args[name], list) else who})
