"""Turns that lean on the one before: "make it 4 pm instead", "and the day after?", "no, to Bob", 那后天呢.

Knows what was called before and the present words; decides a step by code alone. A change of an act that was done (or
waits for a yes) replaces it: the old one is taken back first. Whole requests never come here: templates are first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from assistant.conversation.arguments import PEOPLE, World, person
from assistant.conversation.filling import ENDS, STARTS, money
from assistant.conversation.people import known
from assistant.conversation.spans import Masked
from assistant.errors import AskAgain, Rejected
from assistant.locale.catalogue import read
from assistant.models import Call, Language, Step
from assistant.skillkit.loader import Skills
from assistant.values import Duration, Impossible, Interval, Moment, Money, Number, Period, Span, format_duration, parse

_TOKEN = "[\ue000-\ue03f]"
_CLOCK = re.compile(r"^(?:at )?\d{1,2}(?::\d\d)?$")
_SHIFTS = {"day_after": 1, "day_before": -1, "week_after": 7, "week_before": -7}


@cache
def _patterns(language: Language) -> Mapping[str, re.Pattern[str]]:
    """By name: how people change, ask on, add, and name the day after."""
    tree = read(Path(__file__).with_suffix(".yaml"))
    return {name: re.compile(text, re.VERBOSE | re.IGNORECASE) for name, text in tree[language].items()}


@dataclass(frozen=True)
class Followed:
    """The step that the words mean after `before`."""

    step: Step
    replaces: bool
    """Whether what was done before is taken back first."""


def followed(masked: Masked, language: Language, before: Sequence[Call], effect: str, world: World) -> Followed | None:
    """The step of a turn that leans on the calls before; None where it does not. `effect` is that of their last."""
    if not before:
        return None
    text = masked.text.strip(" \t\n.。!！?？…~～,，;；")
    how = _patterns(language)
    acted = effect != "read"
    try:
        if not acted and (more := _first(how["more"].match(text))):
            return _changed(more, masked, before, how, world, replaces=False)
        if effect == "write" and (added := _first(how["add"].match(text))):
            if step := _added(masked.restore(added), before[-1]):
                return Followed(step, replaces=False)
        if (how["sure"].search(text) or _is_value(text)) and (change := how["change"].match(text)):
            return _changed(change["new"], masked, before, how, world, replaces=acted)
    except AskAgain as question:
        asked = Step(
            kind="ask", calls=tuple(before), missing=question.missing, reply=world.explain(question), via="intent"
        )
        return Followed(asked, acted)
    except Rejected as refusal:
        refused = Step(kind="refuse", calls=tuple(before[-1:]), reply=world.explain(refusal), via="intent")
        return Followed(refused, replaces=False)
    return None


def pointing(step: Step, before: Sequence[Call], skills: Skills) -> Step:
    """ "Delete it", "reply to it": what the turn before found is meant where the sentence names nothing."""
    if step.kind != "ask" or len(step.calls) != 1:
        return step
    call, name = step.calls[0], step.missing[0]
    skill = call.tool.partition(".")[0]
    fields = {f"{skill}.{lookup.tool}": lookup.field for lookup in skills.lookups(skill).get(name, ())}
    found = next((one for one in before if one.tool in fields), None)
    if found is None:
        return step
    pointed = Call(tool=call.tool, args={**call.args, name: {"$from": 0, "field": fields[found.tool]}})
    missing = step.missing[1:]
    return step.model_copy(
        update={"calls": (found, pointed), "missing": missing, "about": -1, "kind": "ask" if missing else "call"}
    )


def _first(match: re.Match[str] | None) -> str:
    return next((group for group in match.groups() if group), "").strip() if match else ""


def _is_value(text: str) -> bool:
    return bool(re.fullmatch(rf"(?:(?:at|on|for|to) )?{_TOKEN}", text, re.IGNORECASE))


def _changed(
    new: str,
    masked: Masked,
    before: Sequence[Call],
    how: Mapping[str, re.Pattern[str]],
    world: World,
    *,
    replaces: bool,
) -> Followed | None:
    """The calls with the argument replaced that `new` is a value for. Raises AskAgain, Rejected."""
    new = new.strip(" ，,。.的")
    said = masked.restore(new)
    if days := next((days for name, days in _SHIFTS.items() if how[name].match(said)), 0):
        return _done([_shifted(call, days) for call in before], before, replaces)
    if span := _value(new, said, masked, world):
        if isinstance(span.value, Impossible):
            why = world.text(span.value.why, **span.value.data)
            raise Rejected("conversation.impossible_time", what=span.text, why=why)
        return _done([_with_value(call, span, world) for call in before], before, replaces)
    if known(said, world.user):
        return _done([_with_person(call, said, world) for call in before], before, replaces)
    return None


def _value(new: str, said: str, masked: Masked, world: World) -> Span | None:
    """The time or amount that `new` is; a bare number is a clock time."""
    if re.fullmatch(_TOKEN, new):
        return masked.spans[ord(new) - 0xE000]
    number = next((span for span in masked.spans if span.text == said and isinstance(span.value, Number)), None)
    if number or _CLOCK.match(said):
        at = parse(f"at {said.removeprefix('at ')}", world.now)
        return Span(0, 0, said, at) if isinstance(at, Moment) else number
    return None


def _done(calls: list[Call], before: Sequence[Call], replaces: bool) -> Followed | None:
    if calls == list(before):
        return None
    return Followed(Step(kind="call", calls=tuple(calls), via="intent"), replaces)


def _with_value(call: Call, span: Span, world: World) -> Call:
    args = dict(call.args)
    value = span.value
    if isinstance(value, Money | Number) and "amount" in args:
        args["amount"] = money(value, span.text)
    elif isinstance(value, Duration) and "duration" in args:
        args["duration"] = format_duration(value.length)
    elif isinstance(value, Moment | Interval | Period):
        args |= _moved(args, value, world.now)
    return Call(tool=call.tool, args=args)


def _moved(args: Mapping[str, Any], value: Moment | Interval | Period, now: datetime) -> dict[str, Any]:
    """The start at its new time, the end moved with it; the day stays where only a time was said, and vice versa."""
    start = next((name for name in STARTS if isinstance(args.get(name), str)), None)
    end = next((name for name in ENDS if isinstance(args.get(name), str)), None)
    name = start or end
    if name is None:
        return {}
    if isinstance(value, Period):
        days = {start: value.start, end: value.end}
        return {one: _like(str(args[one]), datetime.combine(day, time.min)) for one, day in days.items() if one}
    at = value.start if isinstance(value, Interval) else value.at
    old = datetime.fromisoformat(str(args[name]))
    at = at.replace(tzinfo=old.tzinfo)
    if isinstance(value, Moment) and not value.dated:
        at = datetime.combine(old.date(), at.time(), old.tzinfo)
    elif isinstance(value, Moment) and value.precision == "day":
        at = datetime.combine(at.date(), old.time(), old.tzinfo)
    moved = {name: _like(str(args[name]), at)}
    if start and end:
        later = datetime.fromisoformat(str(args[end])) + (at - old)
        moved[end] = _like(str(args[end]), value.end if isinstance(value, Interval) else later)
    if isinstance(value, Moment | Interval) and value.recurrence and "recurrence" in args:
        moved["recurrence"] = value.recurrence
    return moved


def _shifted(call: Call, days: int) -> Call:
    moved = {
        name: _like(value, datetime.fromisoformat(value) + timedelta(days=days))
        for name, value in call.args.items()
        if name in (*STARTS, *ENDS) and isinstance(value, str) and _iso(value)
    }
    return Call(tool=call.tool, args={**call.args, **moved})


def _iso(value: str) -> bool:
    return bool(re.match(r"\d{4}-\d\d-\d\d", value))


def _like(old: str, new: datetime) -> str:
    """`new` written as `old` is: a day, or a time."""
    return new.isoformat(timespec="minutes") if "T" in old else new.date().isoformat()


def _with_person(call: Call, said: str, world: World) -> Call:
    name = next((name for name in call.args if name in PEOPLE), None)
    if name is None:
        return call
    who = person(said, world.user, name)
    return Call(tool=call.tool, args={**call.args, name: [who] if isinstance(call.args[name], list) else who})


def _added(said: str, call: Call) -> Step | None:
    """The same for one thing more: "and eggs" after "add milk to the shopping list"."""
    if "text" not in call.args or "list" not in call.args:
        return None
    return Step(kind="call", calls=(Call(tool=call.tool, args={**call.args, "text": said}),), via="intent")
