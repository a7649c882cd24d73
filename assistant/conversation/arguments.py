"""From the words of a sentence to a tool's arguments: times resolved, names made people, ids looked up.

Decides nothing about whether a call may run; a value that is not in the words is left out, so that it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assistant.conversation.filling import SLOTS_OF, STARTS, money, sayable, span_arguments
from assistant.conversation.people import account, account_names, known, plain
from assistant.conversation.phrases import introduces, invites
from assistant.conversation.spans import Masked
from assistant.errors import AskAgain, AssistantError, Rejected
from assistant.models import Call, Step, UserContext, Via
from assistant.skillkit.loader import Skills, Tool
from assistant.skillkit.manifest import Lookup
from assistant.skillkit.schema import Argument
from assistant.values import parse_integer, parse_money

PEOPLE = frozenset({"sender", "to", "cc", "attendees", "name", "counterparty"})
"""Arguments that hold people, in every skill of the contract."""
ACCOUNTS = frozenset({"account", "from_account"})
"""Arguments that hold one of the user's own bank accounts."""
Spelling = Literal["heard", "spelled", "new"]
"""Whether a name may be misheard, is as it was said, or is somebody's who is not known yet."""
_RECIPIENTS = frozenset({"to", "cc"})
_HEADLINE = 50
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_BRACKETED = re.compile(r"<([^<>@\s]+@[^<>\s]+)>\s*$")
_BANK_ACCOUNT = re.compile(r"(?:[0-9][\s-]?){8,}")


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
    if tool.declaration.outward_if in PEOPLE and not invites(masked.said):
        args.pop(str(tool.declaration.outward_if), None)  # "lunch with Bob" goes out to nobody
    names = sayable(tool, world.skills, {*words, *times})
    try:
        spans = {slot: masked.spans[index] for slot, index in times.items()}
        args |= span_arguments(spans, names, world.text)
        how = spelling(tool, masked.said)
        args = {name: _of_type(names.get(name), name, value, world, how) for name, value in args.items()}
        if args.get("to") and args["to"] == args.get("from_account"):
            del args["to"]  # "75 euros need to go out of savings": nobody pays an account from itself
        if tool.declaration.effect in ("outward", "money"):
            _known_only(args, world.user)
    except AskAgain as question:
        said = {name: value for name, value in args.items() if name not in question.missing}
        return Step(
            kind="ask",
            calls=(Call(tool=tool.name, args=said),),
            missing=question.missing,
            choices=question.choices,
            reply=world.explain(question),
            via=via,
        )
    except Rejected as refusal:
        return Step(kind="refuse", calls=(Call(tool=tool.name),), reply=world.explain(refusal), via=via)
    args |= _of_the_user(tool, args, world)
    for name, source in world.skills.derived(tool.skill).items():
        if name in tool.schema.required and not args.get(name) and args.get(source):
            args[name] = headline(str(args[source]))
    calls = _looked_up(tool, args, world)
    for place, call in enumerate(calls):
        required = world.skills.tool(call.tool).schema.required
        lacking = [name for name in required if call.args.get(name) in (None, "", [])]
        if lacking:  # what is made of another argument is not asked for first
            missing = tuple(sorted(lacking, key=lambda name: name in world.skills.derived(tool.skill)))
            return Step(kind="ask", calls=calls, missing=missing, about=place - len(calls), via=via)
    if _changes_nothing(tool, calls[-1], world):
        new = next(name for name in (*STARTS, *tool.schema.properties) if name in tool.schema.properties)
        return Step(kind="ask", calls=calls, missing=(new,), via=via)
    return Step(kind="call", calls=calls, via=via)


def _changes_nothing(tool: Tool, call: Call, world: World) -> bool:
    """Whether a thing is looked up to be changed, and nothing is said that it should be changed to."""
    required = set(tool.schema.required)
    open_ = tool.schema.properties.keys() - required
    looked_up = required <= world.skills.lookups(tool.skill).keys()
    updates = tool.name.partition(".")[2].startswith("update")
    return updates and looked_up and bool(open_) and call.args.keys() <= required


def spelling(tool: Tool, said: str) -> Spelling:
    """How near to a contact's name a name must be to mean that contact: what is written down to last is not guessed."""
    if not tool.declaration.lasting:
        return "heard"
    return "new" if introduces(said) else "spelled"


def _of_type(argument: Argument | None, name: str, value: Any, world: World, how: Spelling) -> Any:
    many = argument is not None and argument.many
    if name in PEOPLE:
        people = value if isinstance(value, list) else several(str(value))
        resolved = [person(str(word), world.user, name, how) for word in people]
        if not many and len(set(resolved)) > 1:
            raise AskAgain("conversation.which_one", missing=(name,), choices=list(dict.fromkeys(resolved)))
        return resolved if many else resolved[0]
    if many and not isinstance(value, list):
        return [value]
    if argument is None or not isinstance(value, str):
        return value
    if argument.type == "int":
        return parse_integer(value)
    if argument.type == "money" and (amount := parse_money(value)) is not None:
        return money(amount, value)
    if name in ACCOUNTS:
        return account(value, world.user)
    return value


def several(words: str) -> list[str]:
    """The people in "Anna and Bob"; the words themselves where they are one."""
    return [part for part in re.split(r"\s*(?:,|，|、|;|\band\b|和)\s*", words) if part] or [words]


def person(word: str, user: UserContext, argument: str, how: Spelling = "heard") -> str:
    """A contact's name for what the user calls them, the words themselves for a stranger. Raises AskAgain for two."""
    if found := _BRACKETED.search(word):
        word = found[1]  # one of the choices, as it was offered
    if how != "heard" and _ADDRESS.fullmatch(word.strip()):
        return word.strip()  # no name says as surely who is meant
    if how == "new":
        return plain(word)
    if _ADDRESS.fullmatch(word.strip()):
        whose = known(word, user)
        return whose[0].name if found and whose else word.strip()
    people = known(word, user, spelled=how == "spelled")
    if len(people) > 1:
        choices = [f"{one.name} <{one.email}>" if one.email else one.name for one in people]
        raise AskAgain("conversation.which_person", missing=(argument,), choices=choices, who=plain(word))
    if not people and argument == "to" and plain(word).casefold() in map(str.casefold, account_names(user)):
        return account(plain(word), user)
    return people[0].name if people else plain(word)


def _known_only(args: Mapping[str, Any], user: UserContext) -> None:
    """Nothing goes out to somebody who is neither a contact nor given by an address or account: raises AskAgain."""
    own = {name.casefold() for name in account_names(user)}
    for name in _RECIPIENTS & args.keys():
        for word in args[name] if isinstance(args[name], list) else [args[name]]:
            said = str(word).strip()
            addressed = _ADDRESS.fullmatch(said) or _BANK_ACCOUNT.search(said) or plain(said).casefold() in own
            if said and not (addressed or known(said, user)):
                raise AskAgain("conversation.unknown_person", missing=(name,), who=said)


def headline(text: str) -> str:
    """The beginning of a text as a title: its first clause, at most 50 characters, whole words."""
    first = re.split(r"[\n.!?;。！？；]|,\s|，", text.strip(), maxsplit=1)[0].strip()
    if len(first) > _HEADLINE:
        cut = first[:_HEADLINE]
        first = (cut[: cut.rfind(" ")] if " " in cut else cut).rstrip(" ,，") + "…"
    return first[:1].upper() + first[1:]


def _looked_up(tool: Tool, args: dict[str, Any], world: World) -> tuple[Call, ...]:
    """The call, preceded by one that finds what nobody says: an id, or all the money there is."""
    lookups = world.skills.lookups(tool.skill)
    own = tool.schema.properties
    for argument in tool.schema.required:
        if argument not in lookups or args.get(argument):
            continue
        lookup = max(lookups[argument], key=lambda one: sum(name in args for name in one.by))
        finder = world.skills.tool(f"{tool.skill}.{lookup.tool}")
        selectors = {name: args[name] for name in lookup.by if name in args and name not in own}
        if not selectors:
            selectors = {name: args[name] for name in lookup.by if name in args}
        if not selectors and not lookup.bare:
            continue
        for name, selector in lookup.also.items():
            if selector in selectors:
                args.setdefault(name, selectors[selector])
        if not tool.schema.argument(argument).many and "limit" in finder.schema.properties:
            selectors.setdefault("limit", 1)
        first = Call(tool=finder.name, args=selectors | _of_the_user(finder, selectors, world))
        kept = {name: value for name, value in args.items() if name in own}
        return first, Call(tool=tool.name, args=kept | {argument: {"$from": 0, "field": lookup.field}})
    return (Call(tool=tool.name, args={name: value for name, value in args.items() if name in own}),)


def _of_the_user(tool: Tool, args: Mapping[str, Any], world: World) -> dict[str, Any]:
    """The required arguments that nobody named and that are known of the user (`from_user`)."""
    fields = world.skills.from_user(tool.skill)
    short = tool.name.partition(".")[2]
    filled = {}
    for name in tool.schema.required:
        known_by = fields.get(f"{short}.{name}", fields.get(name, ()))
        value = next((value for field in known_by if (value := getattr(world.user, field, ""))), None)
        if value and not args.get(name):
            filled[name] = value
    return filled


def completed(step: Step, text: str, masked: Masked, world: World) -> Step | None:
    """The open question's step with `text` as its answer; None where `text` is no answer to it."""
    about = step.about % len(step.calls)
    before, call, after = step.calls[:about], step.calls[about], step.calls[about + 1 :]
    [call] = moved([call], -about, since=0)  # what it refers to stands before it, wherever it is put in the end
    tool = world.skills.tool(call.tool)
    name = step.missing[0]
    asked = tool.schema.argument(name)
    slots = SLOTS_OF.get(asked.type, ())
    for slot in slots:
        if found := masked.of_kind(slot):
            named = name if slot in ("amount", "count") or asked.type == "duration" else slot
            answered = step_for(tool, call.args, {named: found[0]}, masked, world, step.via)
            break
    else:
        if slots:
            return None
        lookups = world.skills.lookups(tool.skill).get(name)
        argument = name
        if lookups:
            argument = _selector(lookups[0], tool, text, world)
        answered = step_for(tool, {**call.args, argument: text.strip()}, {}, masked, world, step.via)
    more = len(answered.calls) - 1
    calls = (*before, *moved(answered.calls, about, since=-about), *moved(after, more, since=about))
    return answered.model_copy(update={"calls": calls, "about": about + more if answered.kind == "ask" else -1})


def _selector(lookup: Lookup, tool: Tool, text: str, world: World) -> str:
    """What an answer to "which one?" names: somebody, or words of the thing."""
    finder = world.skills.tool(f"{tool.skill}.{lookup.tool}")
    people = bool(known(text, world.user))
    fitting = [name for name in lookup.by if finder.schema.argument(name).type == "str"]
    named = [name for name in fitting if (name in PEOPLE) == people]
    return next(iter(named or fitting), lookup.by[-1]) if people or "query" not in lookup.by else "query"


def moved(calls: Sequence[Call], by: int, *, since: int) -> tuple[Call, ...]:
    """The calls, with every reference to call `since` or a later one moved on `by` places."""

    def place(value: Any) -> Any:
        if isinstance(value, dict) and "$from" in value and value["$from"] >= since:
            return value | {"$from": value["$from"] + by}
        return value

    return tuple(Call(tool=call.tool, args={name: place(value) for name, value in call.args.items()}) for call in calls)
