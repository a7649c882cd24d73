"""Words that point at what was spoken of before: "her", "on it", "the second one", 他, 那封. They become what is meant.

Names are put into the sentence before templates and the model see it; a thing becomes the id that was shown.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from assistant.conversation.arguments import World
from assistant.conversation.filling import STARTS
from assistant.conversation.focus import Focus, Item, picked, title
from assistant.conversation.people import named_in
from assistant.conversation.phrases import phrases
from assistant.models import Call, Language, Step, UserContext

TAKING = ("cancel", "delete", "delete_event", "remove", "forget", "archive")
"""Tools, by the name without the skill's, that take something away."""


def spelled_out(text: str, focus: Focus, language: Language, now: datetime) -> str:
    """`text` with the person that a pronoun means, the list that "it" means, and the day of "that morning"."""
    how = phrases(language)
    person = focus.person
    if whose := how["topic"].match(text):  # "Li Na, what's her mail about?"
        about = named_in(whose["who"], focus.user)
        if len(about) == 1 and len(named_in(text, focus.user)) == 1:
            rest = text[whose.end() :]
            named = how["theirs"].sub(
                lambda found: found[0].replace(found["who"], _possessive(whose["who"], language)), rest, 1
            )
            named = how["them"].sub(lambda found: found[0].replace(found["who"], whose["who"]), named, 1)
            text = named if named != rest else text
    if person and not named_in(text, focus.user):
        text = how["theirs"].sub(lambda found: found[0].replace(found["who"], _possessive(person, language)), text, 1)
        text = how["them"].sub(lambda found: found[0].replace(found["who"], person), text, 1)
    if (found := how["that_day"].search(text)) and (at := focus.moment(now)):
        text = text[: found.start()] + _day(at, found["part"] or "", language) + text[found.end() :]
    if focus.list:
        text = how["the_list"].sub(lambda found: found[0].replace(found["what"], _list(focus.list, language)), text, 1)
    return text


def pointed(step: Step, text: str, focus: Focus, language: Language, world: World) -> Step:
    """ "Delete it", "read the second one": a thing that was shown is meant where the sentence names none itself."""
    call = step.calls[-1] if step.calls else None
    if call is None or not focus.shown:
        return step
    tool = world.skills.tool(call.tool)
    lookups = world.skills.lookups(tool.skill)
    name = next((name for name in tool.schema.required if name in lookups), "")
    if not name:
        return _by_title(step, call, text, focus, language, world)
    if not (_open(step, name) or _finds_a_pointer(step, name, language)):
        return step
    items = focus.with_field(lookups[name][0].field, tool.skill)
    reads = tool.declaration.effect == "read"
    item = chosen(text, items, language, focus.user, reads=reads) or chosen(
        "", items, language, focus.user, reads=reads
    )
    if item is None:
        return step
    value = str(item[lookups[name][0].field])
    args = {**call.args, name: [value] if tool.schema.argument(name).many else value}
    missing = tuple(one for one in tool.schema.required if args.get(one) in (None, "", []))
    kind = "ask" if missing else "call"
    return step.model_copy(
        update={"kind": kind, "calls": (Call(tool=call.tool, args=args),), "missing": missing, "about": -1, "reply": ""}
    )


def named_as_shown(step: Step, focus: Focus, language: Language) -> Step:
    """ "Put that in my calendar": what is written down is called what was shown."""
    item = next((one.items[0] for one in focus.shown if len(one.items) == 1), None)
    if item is None or len(step.calls) != 1:
        return step
    [call] = step.calls
    for name in ("title", "text"):
        said = call.args.get(name)
        if isinstance(said, str) and said and phrases(language)["pointer"].fullmatch(said):
            return step.model_copy(update={"calls": (Call(tool=call.tool, args={**call.args, name: title(item)}),)})
    return step


def before_it(step: Step, text: str, focus: Focus, language: Language, world: World) -> Step:
    """ "Remind me the evening before": the day before what was spoken of, and that is what it is about."""
    match = phrases(language)["eve"].search(text)
    newest = focus.newest
    at = focus.moment(world.now) if match and newest else None
    if match is None or at is None or newest is None or len(step.calls) != 1 or len(newest.items) != 1:
        return step
    call = step.calls[0]
    name = next((name for name in STARTS if name in call.args), "")
    if not name:
        return step
    said = datetime.fromisoformat(str(call.args[name]))
    args = {**call.args, name: datetime.combine(at.date() - timedelta(days=1), said.time()).isoformat("T", "minutes")}
    if match[0].casefold() in str(args.get("text", "")).casefold():
        left = re.sub(re.escape(match[0]), "", str(args["text"]), count=1, flags=re.IGNORECASE).strip(" ,，")
        args["text"] = phrases(language)["errand"].sub("", left) or title(newest.items[0])
    return step.model_copy(update={"calls": (Call(tool=call.tool, args=args),)})


def taking_tool(skill: str, world: World) -> str:
    """The tool that takes a thing of that skill away; empty if there is none."""
    names = {tool.name for tool in world.skills.tools()}
    return next((f"{skill}.{short}" for short in TAKING if f"{skill}.{short}" in names), "")


def chosen(
    text: str, items: tuple[Item, ...], language: Language, user: UserContext, *, reads: bool = False
) -> Item | None:
    """The thing that words mean: one picked by them, or where they only point, the only one (to be read, the first)."""
    if not items:
        return None
    place = picked(text, items, language, user)
    if place is None and phrases(language)["pointer"].fullmatch(text.strip()) and (len(items) == 1 or reads):
        place = 0
    return None if place is None else items[place]


def _open(step: Step, name: str) -> bool:
    return step.kind == "ask" and len(step.calls) == 1 and step.missing[:1] == (name,)


def _finds_a_pointer(step: Step, name: str, language: Language) -> bool:
    """Whether the thing is looked up by words that name nothing: "the second one"."""
    if len(step.calls) != 2 or not isinstance(step.calls[1].args.get(name), dict):
        return False
    said = step.calls[0].args
    words = [value for value in said.values() if isinstance(value, str)]
    return said.keys() <= {"limit"} or (
        bool(words) and all(phrases(language)["pointer"].fullmatch(word.strip()) for word in words)
    )


def _by_title(step: Step, call: Call, text: str, focus: Focus, language: Language, world: World) -> Step:
    """A tool that takes words instead of an id: "cancel the last one" names the reminder that was shown last."""
    skill, _, short = call.tool.partition(".")
    said = str(call.args.get("text") or "")
    if short not in TAKING or "text" not in world.skills.tool(call.tool).schema.required:
        return step
    if said and not phrases(language)["pointer"].fullmatch(said):
        return step
    items = next((one.items for one in focus.shown if one.skill == skill and one.items), ())
    item = chosen(said or text, items, language, focus.user)
    if item is None:
        return step
    called = Call(tool=call.tool, args={**call.args, "text": title(item)})
    return Step(kind="call", calls=(called,), via=step.via)


def _day(at: datetime, part: str, language: Language) -> str:
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日{part}"
    return f"on {at:%Y-%m-%d}" + ("" if part == "day" else f" at {part}" if part == "night" else f" in the {part}")


def _possessive(name: str, language: Language) -> str:
    return f"{name}的" if language == "zh" else f"{name}'s"


def _list(name: str, language: Language) -> str:
    if language == "zh":
        return name if name.endswith("单") else f"{name}清单"
    return f"the {name.removeprefix('the ')}" + ("" if name.endswith("list") else " list")
