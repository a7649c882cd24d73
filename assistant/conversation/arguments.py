"""From the words of a sentence to a tool's arguments: times resolved, names made people, ids looked up.

Decides nothing about whether a call may run; a value that is not in the words is left out, so that it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from assistant.conversation.people import known, plain
from assistant.conversation.spans import Masked
from assistant.errors import AskAgain, AssistantError, Rejected
from assistant.models import Call, Step, UserContext, Via
from assistant.skillkit.loader import Skills, Tool
from assistant.values import Duration, Impossible, Moment, Period, Span, format_duration, parse_integer

PEOPLE = frozenset({"sender", "to", "cc", "attendees", "name", "counterparty"})
"""Arguments that hold people, in every skill of the contract."""
_STARTS = ("when", "start", "since", "depart", "depart_at", "check_in")
_ENDS = ("until", "end", "return_date", "check_out")
_HEADLINE = 50
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class World:
    """What a sentence is read against."""

    now: datetime
    user: UserContext
    skills: Skills
    explain: Callable[[AssistantError], str]
    """An error's sentence in the turn's language."""
    text: Callable[..., str]
    """A catalogue sentence in the turn's language."""


def step_for(
    tool: Tool, words: Mapping[str, Any], times: Mapping[str, int], masked: Masked, world: World, via: Via
) -> Step:
    """The step that calls `tool` with what the sentence says.

    A question where something is missing or two contacts have the name; a refusal where it is impossible (30
    February). `words` are arguments and selectors as said (or fixed); `times` are numbers of spans by slot.
    """
    args: dict[str, Any] = dict(words)
    try:
        for slot, index in times.items():
            args |= time_arguments(tool, slot, masked.spans[index], world)
        args = {name: _of_type(tool, name, value, world) for name, value in args.items()}
    except AskAgain as question:
        said = {name: value for name, value in args.items() if name not in question.missing}
        return Step(
            kind="ask",
            calls=(Call(tool=tool.name, args=said),),
            missing=question.missing,
            reply=world.explain(question),
            via=via,
        )
    except Rejected as refusal:
        return Step(kind="refuse", calls=(Call(tool=tool.name),), reply=world.explain(refusal), via=via)
    for name, source in world.skills.derived(tool.skill).items():
        if name in tool.schema.required and not args.get(name) and args.get(source):
            args[name] = headline(str(args[source]))
    calls = _looked_up(tool, args, world)
    last = calls[-1]
    missing = tuple(name for name in tool.schema.required if last.args.get(name) in (None, "", []))
    if missing:
        return Step(kind="ask", calls=(*calls[:-1], last), missing=missing, via=via)
    return Step(kind="call", calls=calls, via=via)


def time_arguments(tool: Tool, slot: str, span: Span, world: World) -> dict[str, Any]:
    """The arguments of `tool` that a time expression fills, as ISO text. Raises Rejected for an impossible one."""
    value = span.value
    if isinstance(value, Impossible):
        raise Rejected("conversation.impossible_time", what=span.text, why=world.text(value.why, **value.data))
    properties = tool.schema.properties
    if isinstance(value, Duration):
        return {"duration": format_duration(value.length)} if "duration" in properties else {}
    start = next((name for name in _STARTS if name in properties), None)
    end = next((name for name in _ENDS if name in properties), None)
    if isinstance(value, Period) or slot == "period":
        first, last = (value.start, value.end) if isinstance(value, Period) else (value.at.date(), value.at.date())
        return {
            name: _edge(properties[name], day, at)
            for name, day, at in ((start, first, time.min), (end, last, time(23, 59)))
            if name and name != "when"
        } or ({start: _edge(properties[start], first, time.min)} if start else {})
    if start is None:
        return {end: _point(properties[end], value)} if end else {}
    filled: dict[str, Any] = {start: _point(properties[start], value)}
    if value.recurrence and "recurrence" in properties:
        filled["recurrence"] = value.recurrence
    return filled


def _edge(schema: Mapping[str, Any], day: date, at: time) -> str:
    return day.isoformat() if _format(schema) == "date" else datetime.combine(day, at).isoformat(timespec="minutes")


def _point(schema: Mapping[str, Any], value: Moment) -> str:
    if _format(schema) == "date":
        return value.at.date().isoformat()
    local = value.at.replace(tzinfo=None)
    return local.isoformat(timespec="seconds" if local.second else "minutes")


def _format(schema: Mapping[str, Any]) -> str:
    options = [schema, *schema.get("anyOf", ())]
    return next((str(option["format"]) for option in options if "format" in option), "")


def _kind(schema: Mapping[str, Any]) -> str:
    options = [schema, *schema.get("anyOf", ())]
    return next((str(option["type"]) for option in options if option.get("type") not in (None, "null")), "string")


def _of_type(tool: Tool, name: str, value: Any, world: World) -> Any:
    if name in PEOPLE:
        people = value if isinstance(value, list) else _several(str(value))
        resolved = [person(str(word), world.user, name) for word in people]
        return resolved if _kind(tool.schema.properties.get(name, {})) == "array" else resolved[0]
    kind = _kind(tool.schema.properties.get(name, {}))
    if kind == "array" and not isinstance(value, list):
        return [value]
    if kind == "integer" and isinstance(value, str):
        return parse_integer(value)
    return value


def _several(words: str) -> list[str]:
    return [part for part in re.split(r"\s*(?:,|，|、|;|\band\b|和)\s*", words) if part] or [words]


def person(word: str, user: UserContext, argument: str) -> str:
    """A contact's name for what the user calls them, the words themselves for a stranger. Raises AskAgain for two."""
    if _ADDRESS.fullmatch(word.strip()):
        return word.strip()
    people = known(word, user)
    if len(people) > 1:
        choices = [f"{one.name} <{one.email}>" if one.email else one.name for one in people]
        raise AskAgain("conversation.which_person", missing=(argument,), choices=choices, who=plain(word))
    return people[0].name if people else plain(word)


def headline(text: str) -> str:
    """The beginning of a text as a title: its first clause, at most 50 characters, whole words."""
    first = re.split(r"[\n.!?;。！？；]|,\s|，", text.strip(), maxsplit=1)[0].strip()
    if len(first) > _HEADLINE:
        cut = first[:_HEADLINE]
        first = (cut[: cut.rfind(" ")] if " " in cut else cut).rstrip(" ,，") + "…"
    return first[:1].upper() + first[1:]


def _looked_up(tool: Tool, args: dict[str, Any], world: World) -> tuple[Call, ...]:
    """The call, preceded by one that finds an id nobody says."""
    lookups = world.skills.lookups(tool.skill)
    for argument in tool.schema.required:
        lookup = lookups.get(argument)
        if lookup is None or args.get(argument):
            continue
        finder = world.skills.tool(f"{tool.skill}.{lookup.tool}")
        selectors = {name: args.pop(name) for name in lookup.by if name in args and name not in tool.schema.properties}
        own = {name: args[name] for name in lookup.by if name in args}
        if not selectors and not own:
            continue
        single = _kind(tool.schema.properties[argument]) != "array"
        if single and "limit" in finder.schema.properties:
            selectors.setdefault("limit", 1)
        first = Call(tool=finder.name, args=selectors or own)
        return first, Call(tool=tool.name, args=args | {argument: {"$from": 0, "field": lookup.field}})
    return (Call(tool=tool.name, args={name: value for name, value in args.items() if name in tool.schema.properties}),)


def completed(step: Step, text: str, masked: Masked, world: World) -> Step | None:
    """The open question's step with `text` as its answer; None where `text` is no answer to it."""
    about = step.about % len(step.calls)
    before, call, after = step.calls[:about], step.calls[about], step.calls[about + 1 :]
    tool = world.skills.tool(call.tool)
    name = step.missing[0]
    schema = tool.schema.properties.get(name, {})
    if _format(schema) in ("date", "date-time", "duration"):
        slot = "duration" if _format(schema) == "duration" else "when"
        times = masked.of_kind(slot)
        if not times:
            return None
        answered = step_for(tool, call.args, {slot: times[0]}, masked, world, step.via)
    else:
        lookup = world.skills.lookups(tool.skill).get(name)
        argument = name if lookup is None else (lookup.by[0] if known(text, world.user) else lookup.by[-1])
        answered = step_for(tool, {**call.args, argument: text.strip()}, {}, masked, world, step.via)
    more = len(answered.calls) - 1
    calls = (*before, *moved(answered.calls, about, since=0), *moved(after, more, since=about))
    return answered.model_copy(update={"calls": calls, "about": about + more if answered.kind == "ask" else -1})


def moved(calls: Sequence[Call], by: int, *, since: int) -> tuple[Call, ...]:
    """The calls, with every reference to call `since` or a later one moved on `by` places."""

    def place(value: Any) -> Any:
        if isinstance(value, dict) and "$from" in value and value["$from"] >= since:
            return value | {"$from": value["$from"] + by}
        return value

    return tuple(Call(tool=call.tool, args={name: place(value) for name, value in call.args.items()}) for call in calls)
