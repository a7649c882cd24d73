"""Turns that lean on the ones before: "make it 4 pm instead", "and the day after?", "no, to Bob", 那后天呢, 鸡蛋不要了.

Knows what was called and shown before and the present words; decides a step by code alone. A change of an act that was
done (or waits for a yes) replaces it: the old one is taken back first. Whole requests never come here: templates are
first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from assistant.conversation.arguments import PEOPLE, World
from assistant.conversation.changes import shifted, with_person, with_value
from assistant.conversation.focus import Focus, Shown, title
from assistant.conversation.people import known, mentions
from assistant.conversation.phrases import first_group, phrases
from assistant.conversation.recalling import asked_of
from assistant.conversation.referring import chosen, taking_tool
from assistant.conversation.spans import TOKEN, Masked
from assistant.errors import AskAgain, Rejected
from assistant.models import Call, Language, Step
from assistant.values import Duration, Impossible, Moment, Number, Span, parse

_CLOCK = re.compile(r"^(?:at )?\d{1,2}(?::\d\d)?$")
_SHIFTS = {"day_after": 1, "day_before": -1, "week_after": 7, "week_before": -7}
_HOURS = 24
_NAME_WORDS = 3
_BESIDE = 3
"""So many letters beside a corrected time are no request of their own."""
_PROPERTIES = {
    "location": ("location", "place", "venue", "room", "地点", "位置", "地方"),
    "title": ("title", "name", "标题", "题目", "名称", "名字"),
    "subject": ("subject", "title", "主题", "标题"),
    "text": ("text", "内容"),
}
"""What people call an argument that they set."""


@dataclass(frozen=True)
class Followed:
    """The step that the words mean after what was before."""

    step: Step
    replaces: bool = False
    """Whether what was done before is taken back first."""
    data: Mapping[str, object] | None = None
    """The thing that was shown before and that a reply speaks of."""
    sure: bool = False
    """Whether it is meant even where a template takes the sentence for a whole request."""


@dataclass(frozen=True)
class Leaning:
    """A sentence, and what it leans on."""

    masked: Masked
    text: str
    """Times and amounts masked, without marks at its ends."""
    language: Language
    focus: Focus
    before: Sequence[Call]
    effect: str
    """Of the last call before."""
    world: World
    asked: bool = False
    """Whether a question is open: "forget that" drops it."""

    @property
    def how(self) -> Mapping[str, re.Pattern[str]]:
        """The language's patterns."""
        return phrases(self.language)

    @property
    def clauses(self) -> list[str]:
        """The parts of the sentence between its commas."""
        return _clauses(self.text)

    @property
    def acted(self) -> bool:
        """Whether what was done before changed something."""
        return self.effect != "read"


def _clauses(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"[,，;；。]|\.\s", text) if part.strip()]


def followed(
    masked: Masked, language: Language, focus: Focus, world: World, *, undone: bool, asked: bool = False
) -> Followed | None:
    """The step of a turn that leans on the turns before; None where it does not.

    `undone`: the last act was. `asked`: a question is open.
    """
    if answer := asked_of(masked.said, language, focus, world):
        return Followed(answer.step, data=answer.data)
    before = focus.acted
    if not before:
        return None
    effect = world.skills.tool(before[-1].tool).declaration.effect
    text = masked.text.strip(" \t\n.。!！?？…~～,，;；")
    said = Leaning(masked, text, language, focus, before, effect, world, asked)
    if undone and said.how["again"].match(text) and (calls := _last_act(focus, world)):
        return Followed(Step(kind="call", calls=calls, via="intent"))
    try:
        for read in (_told_of_me, _other_one, _more, _more_words, _added, _taken_off, _property, _change):
            if found := read(said):
                return found
    except AskAgain as question:
        step = Step(
            kind="ask", calls=tuple(before), missing=question.missing, reply=world.explain(question), via="intent"
        )
        return Followed(step, replaces=said.acted)
    except Rejected as refusal:
        return Followed(Step(kind="refuse", calls=tuple(before[-1:]), reply=world.explain(refusal), via="intent"))
    return None


def _last_act(focus: Focus, world: World) -> tuple[Call, ...]:
    """The calls of the newest turn that changed something."""
    effects = (
        (one.calls, world.skills.tool(one.calls[-1].tool).declaration.effect) for one in focus.shown if one.calls
    )
    return next((calls for calls, effect in effects if effect != "read"), ())


def _told_of_me(said: Leaning) -> Followed | None:
    """ "Forget that", "how do you know?", 忘掉这件事: what was just told of the user, or kept of them."""
    newest = said.focus.newest
    if said.asked or newest is None or newest.skill != "profile" or not newest.items:
        return None
    forgets = said.how["forget_that"].fullmatch(said.text) or (
        said.acted and said.how["forget_it"].fullmatch(said.text)
    )
    if not forgets and not said.how["how_known"].fullmatch(said.text):
        return None
    name = "profile.forget" if forgets else "profile.why"
    titles = tuple(str(item.get("text") or title(item)) for item in newest.items)  # the sentence, and not whose it is
    if len(titles) == 1:
        return Followed(Step(kind="call", calls=(Call(tool=name, args={"query": titles[0]}),), via="intent"), sure=True)
    asked = Step(kind="ask", calls=(Call(tool=name, args={}),), missing=("query",), choices=titles, via="intent")
    return Followed(asked, sure=True)


def _other_one(said: Leaning) -> Followed | None:
    """ "No, the one from Anna": the same again for another thing."""
    match = said.how["not_that"].match(said.text)
    who = said.masked.restore(first_group(match)) if match else ""
    people = known(who, said.world.user) if who else []
    call = said.before[-1]
    skill = call.tool.partition(".")[0]
    tool = said.world.skills.tool(call.tool)
    lookups = said.world.skills.lookups(skill)
    name = next((name for name in tool.schema.required if name in lookups), "")
    if len(people) != 1 or not name:
        return None
    lookup = lookups[name][0]
    selector = next((one for one in lookup.by if one in PEOPLE), "")
    if not selector:
        return None
    finder = Call(tool=f"{skill}.{lookup.tool}", args={selector: people[0].name, "limit": 1})
    again = Call(tool=call.tool, args={**call.args, name: {"$from": 0, "field": lookup.field}})
    return Followed(Step(kind="call", calls=(finder, again), via="intent"), replaces=said.acted)


def _more(said: Leaning) -> Followed | None:
    """ "And the day after?": the same question about another time or person."""
    more = "" if said.acted else first_group(said.how["more"].match(said.text))
    return _changed(more, said) if more else None


def _more_words(said: Leaning) -> Followed | None:
    """ "Add that I'll be there by noon": one sentence more in what was just written to somebody."""
    call = said.before[-1]
    match = said.how["adds_words"].match(said.masked.said.strip(" \t\n.。!！"))
    if match is None or said.effect != "outward" or not call.args.get("body"):
        return None
    body = str(call.args["body"])
    if not body.rstrip().endswith(tuple(".!?。！？…")):
        body += "。" if said.language == "zh" else "."
    new = match["new"].strip()
    joined = f"{body}{new}" if said.language == "zh" else f"{body} {new[:1].upper()}{new[1:]}"
    longer = Call(tool=call.tool, args={**call.args, "body": joined})
    return Followed(Step(kind="call", calls=(*said.before[:-1], longer), via="intent"), replaces=True, sure=True)


def _added(said: Leaning) -> Followed | None:
    """The same for one thing more: "and eggs" after "add milk to the shopping list"."""
    call = said.before[-1]
    bare = said.how["opening"].sub("", said.text)
    clauses = said.clauses
    if len(clauses) > 1 and said.how["reason"].match(clauses[-1]):
        bare = clauses[-2]  # "and eggs, we are nearly out of them"
    found = (first_group(said.how["add"].match(one)) for one in dict.fromkeys((bare, said.text)))
    added = next(filter(None, found), "")
    if not added or said.effect != "write" or not {"text", "list"} <= call.args.keys():
        return None
    one_more = Call(tool=call.tool, args={**call.args, "text": said.masked.restore(added)})
    return Followed(Step(kind="call", calls=(one_more,), via="intent"))


def _taken_off(said: Leaning) -> Followed | None:
    """ "Take the eggs off", 鸡蛋不用了: a thing of the list, or of what was shown, goes."""
    clauses = said.clauses
    gone = len(clauses) == 2 and bool(said.how["gone"].match(clauses[1]))
    parts = clauses[:1] if gone else dict.fromkeys((*clauses[:2], said.text))
    what = next(filter(None, (first_group(said.how["less"].match(part)) for part in parts)), "")
    what = what or (clauses[0] if gone else "")
    what = said.how["had"].sub("", said.masked.restore(what))  # "we still have peanuts, take them off"
    shown = _shown_of(what, said) if what else None
    name = taking_tool(shown.skill, said.world) if shown else ""
    if not name or shown is None:
        return None
    tool = said.world.skills.tool(name)
    item = chosen(what, shown.items, said.language, said.world.user)
    lookups = said.world.skills.lookups(tool.skill)
    argument = next((one for one in tool.schema.required), "")
    if argument in lookups:
        field = lookups[argument][0].field
        if item is None or field not in item:
            return None
        value: Any = [item[field]] if tool.schema.argument(argument).many else item[field]
        return Followed(Step(kind="call", calls=(Call(tool=name, args={argument: value}),), via="intent"))
    if item is None and not said.focus.list:
        return None
    args = {argument: _bare(what) if said.focus.list else title(item or {})}
    if said.focus.list and "list" in tool.schema.properties:
        args["list"] = said.focus.list
    return Followed(Step(kind="call", calls=(Call(tool=name, args=args),), via="intent"))


def _shown_of(what: str, said: Leaning) -> Shown | None:
    """What was shown last, or before that something of which the words name one thing."""
    newest = said.focus.newest
    if said.how["pointer"].fullmatch(what.strip()):
        return newest
    named = (one for one in said.focus.shown if chosen(what, one.items, said.language, said.world.user))
    return next(named, newest)


def _property(said: Leaning) -> Followed | None:
    """ "The place is room 5", 地点写二楼会议室: a property of what was just made."""
    if not said.acted:
        return None
    tool = said.world.skills.tool(said.before[-1].tool)
    found = said.how["set"].match(said.text) or said.how["place"].match(said.text)
    groups = found.groupdict() if found else {}
    wanted = (groups.get("what") or ("name" if groups.get("called") else "place")).casefold()
    name = next((name for name, words in _PROPERTIES.items() if wanted in words and name in tool.schema.properties), "")
    if not name or not groups:
        return None
    value = said.masked.restore(groups.get("name") or groups["new"]).strip()
    call = Call(tool=tool.name, args={**said.before[-1].args, name: value})
    return Followed(Step(kind="call", calls=(*said.before[:-1], call), via="intent"), replaces=True)


def _change(said: Leaning) -> Followed | None:
    """ "Make it 4 pm instead", "no, Thursday", 改到三点; "six is too tight, make it seven"."""
    last = said.clauses[-1] if len(said.clauses) == 2 else ""
    if said.acted and said.how["sure"].search(last) and (change := said.how["change"].match(last)):
        if re.fullmatch(TOKEN, change["new"]) and (found := _changed(change["new"], said)):
            return replace(found, sure=True)
    text = said.how["aside"].sub("", said.text).strip(" ,，")
    if said.how["sure"].search(text) or _is_value(text):
        if (change := said.how["change"].match(text)) and (found := _changed(change["new"], said)):
            return found
    return _only_value(text, said)


def _only_value(text: str, said: Leaning) -> Followed | None:
    """ "Eleven suits me better", "not her, it should go to Bob", "Friday, tomorrow is too soon": one value that is not
    turned down, and beside it words that say nothing else or why."""
    clauses = _clauses(text)
    shifts = (said.how["moved_by"].search(said.masked.restore(clause)) for clause in clauses)
    if shift := next(filter(None, shifts), None):
        return _changed(shift.group(), said)
    kept: list[str] = []
    for clause in clauses:
        values = [(match.start(), match.group()) for match in re.finditer(TOKEN, clause)]
        values += [(start, name) for start, name, _ in mentions(clause, said.world.user)]
        values = values or _hours(clause, said.masked)
        fits = [(start, one) for start, one in values if not _dropped(clause, start, one, said)]
        rest = clause
        for _, value in values:
            rest = rest.replace(value, " ")
        rest = re.sub(r"[\W_]+", "", said.how["around"].sub(" ", rest))
        if fits and len(rest) > _BESIDE:
            return None
        if not values and len(rest) > _BESIDE and not said.how["reason"].match(clause):
            return None
        kept += [value for _, value in sorted(fits)]
    return _changed(kept[-1], said) if kept else None


def _dropped(clause: str, start: int, value: str, said: Leaning) -> bool:
    """Whether a value is turned down: "not Thursday", "tomorrow is too soon", 明天赶不过去."""
    return bool(said.how["dropped"].search(clause[:start]) or said.how["unfit"].match(clause[start + len(value) :]))


def _hours(text: str, masked: Masked) -> list[tuple[int, str]]:
    """The numbers that may be hours, where they stand: "eleven's better"."""
    numbers = [span.text for span in masked.spans if isinstance(span.value, Number) and 1 < span.value.value <= _HOURS]
    numbers += re.findall(r"\w+(?=['’]s\b)", text)[:1]  # what is no hour changes nothing
    return [(match.start(), number) for number in numbers if (match := re.search(rf"(?<!\w){re.escape(number)}", text))]


def _bare(what: str) -> str:
    """Without what only points: "the eggs" → "eggs", 打印合同那个 → 打印合同."""
    return re.sub(r"^(?:the|those|that)\s+|(?:那|这)(?:个|条|项|份)?$|的$", "", what, flags=re.IGNORECASE).strip()


def _is_value(text: str) -> bool:
    return bool(re.fullmatch(rf"(?:(?:at|on|for|to) )?{TOKEN}", text, re.IGNORECASE))


def _changed(new: str, said: Leaning) -> Followed | None:
    """The calls with the argument replaced that `new` is a value for. Raises AskAgain, Rejected."""
    new = new.strip(" ，,。.的")
    words = said.masked.restore(new)
    if days := next((days for name, days in _SHIFTS.items() if said.how[name].match(words)), 0):
        return _done([shifted(call, timedelta(days=days)) for call in said.before], said)
    if moved := said.how["moved_by"].match(words):
        length = parse(moved["length"], said.world.now)
        if isinstance(length, Duration):
            by = length.length if moved["later"] else -length.length
            return _done([shifted(call, by) for call in said.before], said)
    if span := _value(new, words, said.masked, said.world):
        if isinstance(span.value, Impossible):
            why = said.world.text(span.value.why, **span.value.data)
            raise Rejected("conversation.impossible_time", what=span.text, why=why)
        return _done([with_value(call, span, said.world) for call in said.before], said)
    if known(words, said.world.user):
        return _done([with_person(call, words, said.world) for call in said.before], said)
    if not said.acted and len(words.split()) <= _NAME_WORDS:
        return _done([_with_name(call, words) for call in said.before], said)
    return None


def _with_name(call: Call, words: str) -> Call:
    """The same question about another place or list."""
    name = next((name for name in ("place", "list") if call.args.get(name)), None)
    return Call(tool=call.tool, args={**call.args, name: words}) if name else call


def _value(new: str, said: str, masked: Masked, world: World) -> Span | None:
    """The time or amount that `new` is; a bare number is a clock time."""
    if re.fullmatch(TOKEN, new):
        return masked.spans[ord(new) - 0xE000]
    number = next((span for span in masked.spans if span.text == said and isinstance(span.value, Number)), None)
    if number or _CLOCK.match(said) or said.isalpha():
        words = f"at {said.removeprefix('at ')}"
        at = parse(words, world.now)
        return Span(0, 0, words, at) if isinstance(at, Moment) else number
    return None


def _done(calls: list[Call], said: Leaning) -> Followed | None:
    if calls == list(said.before):
        return None
    return Followed(Step(kind="call", calls=tuple(calls), via="intent"), replaces=said.acted)
