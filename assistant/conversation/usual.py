""" "As usual", 老样子: what shall be as always is filled in from the user's habits; what is offered is ordered.

Decides nothing about whether a call may run. A value that is filled in is shown like any other, and counts as known of
the user (`Label.PROFILE`), not as said by them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from assistant.conversation.phrases import phrases
from assistant.conversation.spans import Masked
from assistant.errors import AskAgain
from assistant.knowledge import Habit
from assistant.models import Call, Label, Origin, Step
from assistant.ports import Profile
from assistant.ports_profile import Habits
from assistant.safety.provenance import Evidence
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.schema import Argument
from assistant.values import Moment

_TYPES = {"time": ("datetime",), "amount": ("money",), "length": ("duration",)}
_NAMES = {
    "list": ("list",),
    "account": ("account", "from_account"),
    "place": ("location", "place", "destination", "origin"),
    "seat": ("seat",),
    "class": ("cabin", "class", "train_class"),
    "people": ("attendees", "to", "cc"),
}
_ADJECTIVE = re.compile(r"(?:usual|regular|normal|same old)\s|老|(?:平时|平常|往常|惯常|通常)的?", re.IGNORECASE)
_ONLY_NAMED = frozenset({"recurrence", "attendees", "cc", "uninvite"})
"""Arguments that "as usual" alone does not fill: what repeats or reaches others is said."""


@dataclass(frozen=True)
class Wanted:
    """What shall be as usual."""

    kinds: frozenset[str]
    """`time`, `amount`, …; empty is whatever is not said."""
    bare: bool
    """Whether nothing else was said: it answers a question."""


def without_usual(text: str) -> tuple[str, Wanted | None]:
    """The words without those that ask for the usual, and what they ask for; None where they don't."""
    pattern = phrases("any")["usual"]
    kinds = set()
    found = list(pattern.finditer(text))
    if not found:
        return text, None
    for match in found:
        kinds |= {name.removesuffix("_zh") for name, group in match.groupdict().items() if group}
    rest = re.sub(r"\s{2,}", " ", pattern.sub(_left, text)).strip(" ,，、")
    rest = re.sub(r"(?<=[一-鿿]) (?=[一-鿿])", "", rest)
    bare = not re.search(r"[^\W_]", rest)
    return (text if bare else rest), Wanted(frozenset(kinds), bare)


def _left(match: re.Match[str]) -> str:
    """What stays of the words: "to the usual list" speaks of a list still."""
    listed = match.groupdict().get("list") or match.groupdict().get("list_zh")
    return _ADJECTIVE.sub("", match.group()) if listed else " "


def says_usual(text: str) -> bool:
    """Whether words ask for the usual."""
    return bool(phrases("any")["usual"].search(text))


def as_usual(step: Step, wanted: Wanted, habits: Habits, skills: Skills, masked: Masked, now: datetime) -> Step:
    """The step with what is usual put in where nothing was said; what is not known is still asked for."""
    if step.kind not in ("call", "ask") or not step.calls:
        return step
    dated = _day_alone(masked)
    calls = tuple(_filled(call, wanted, habits, skills, dated, now) for call in step.calls)
    if calls == step.calls:
        return step
    if step.kind == "call":
        return step.model_copy(update={"calls": calls})
    call = calls[step.about]
    missing = [name for name in step.missing if call.args.get(name) in (None, "", [])]
    required = skills.tool(call.tool).schema.required
    missing += [name for name in required if call.args.get(name) in (None, "", []) and name not in missing]
    if missing:
        return step.model_copy(update={"calls": calls, "missing": tuple(missing)})
    return Step(kind="call", calls=calls, via=step.via)


def in_order(question: AskAgain, tool: str, profile: Profile | None, now: datetime) -> AskAgain:
    """A skill's question with its choices as they are offered, the usual one first."""
    if profile is not None and len(question.choices) > 1 and question.missing:
        question.choices = tuple(profile.habits.first(tool, question.missing[0], question.choices, now))
    return question


def offered(step: Step, profile: Profile | None, now: datetime) -> Step:
    """A step's question with its choices in the usual order."""
    if profile is None or len(step.choices) < 2 or not step.missing or not step.calls:
        return step
    choices = profile.habits.first(step.calls[step.about].tool, step.missing[0], step.choices, now)
    return step.model_copy(update={"choices": tuple(choices)})


def usual_origins(
    tool: Tool,
    args: Mapping[str, Any],
    origins: Mapping[str, Origin],
    evidence: Evidence,
    profile: Profile | None,
    now: datetime,
) -> dict[str, Origin]:
    """The origins of what the user asked to be as usual and did not say themselves: it is known of them."""
    if profile is None or not says_usual(evidence.said):
        return {}
    open_ = [name for name, origin in origins.items() if origin.label in (Label.USER, Label.UNTRUSTED)]
    return {
        name: Origin(label=Label.PROFILE)
        for name in open_
        if not evidence.said_whole(args[name])
        and profile.habits.is_usual(tool.name, name, args[name], {one: args[one] for one in args if one != name}, now)
    }


def _filled(call: Call, wanted: Wanted, habits: Habits, skills: Skills, dated: date | None, now: datetime) -> Call:
    tool = skills.tool(call.tool)
    if tool.declaration.effect == "read":
        return call
    args = dict(call.args)
    for argument in tool.schema.arguments:
        given = args.get(argument.name) not in (None, "", [])
        again = given and dated is not None and "time" in wanted.kinds and argument.type == "datetime"
        if (given and not again) or not _is_wanted(argument, wanted, tool):
            continue
        habit = habits.usual(tool.name, argument.name, args, now)
        value = None if habit is None else _value(habit, argument, dated, now)
        if value is not None:
            args[argument.name] = value
    return Call(tool=call.tool, args=args)


def _is_wanted(argument: Argument, wanted: Wanted, tool: Tool) -> bool:
    if not wanted.kinds:
        return argument.name not in _ONLY_NAMED and argument.name != tool.declaration.outward_if
    return any(argument.type in _TYPES.get(kind, ()) or argument.name in _NAMES.get(kind, ()) for kind in wanted.kinds)


def _value(habit: Habit, argument: Argument, dated: date | None, now: datetime) -> Any:
    """The habit as the argument's value; None where it is of another type."""
    if habit.value.startswith("T") and argument.type == "datetime":
        clock = time.fromisoformat(habit.value[1:])
        at = datetime.combine(dated or now.date(), clock)
        if dated is None and at <= now.replace(tzinfo=None):
            at += timedelta(days=1)
        return at.isoformat(timespec="minutes")
    if argument.type in ("date", "datetime"):
        return None
    if argument.many:
        return json.loads(habit.value) if habit.value.startswith("[") else [habit.value]
    return int(habit.value) if argument.type == "int" and habit.value.isdigit() else habit.value


def _day_alone(masked: Masked) -> date | None:
    """The day that is said without a time of day, where one is."""
    moments = [span.value for span in masked.spans if isinstance(span.value, Moment)]
    days = [one.day for one in moments if one.precision == "day"]
    return days[0] if len(moments) == len(days) == 1 else None
