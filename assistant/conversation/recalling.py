"""Questions about what was just shown: "who is it from?", "when is the appointment?", 几点集合. Answered from there.

Quotes what was shown; where only its title was, the thing is read first. Makes nothing up and calls no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assistant.conversation.arguments import World
from assistant.conversation.focus import Focus, Item, Shown, moment_of, picked, recalled, sender_of, title
from assistant.conversation.phrases import first_group, phrases
from assistant.conversation.shortlist import terms
from assistant.models import Call, Language, Step
from assistant.values import find

_SENTENCE = re.compile(r"(?<=[.!?。！？;；])\s*|\n+")
_SKILLS_BACK = 3
"""So many of the last turns that showed something a question may be about."""


@dataclass(frozen=True)
class Recalled:
    """The answer's step, and the thing that it speaks of."""

    step: Step
    data: Mapping[str, object]
    """What is spoken of, for the reply."""


def asked_of(text: str, language: Language, focus: Focus, world: World) -> Recalled | None:
    """The answer to a question about a thing that was shown; None where it is no such question."""
    how = phrases(language)
    text = text.strip(" \t\n.。!！?？…~～,，;；")
    for aspect, pattern in (("from", "ask_from"), ("when", "ask_when"), ("where", "ask_where"), ("who", "ask_who")):
        if match := how[pattern].match(text):
            found = _meant(first_group(match) if match.re.groups else "", text, language, focus)
            present = not how["past"].search(text)
            return _told(aspect, *found, focus, world, present=present) if found else None
    if how["ask_what"].match(text):
        found = _meant("", text, language, focus)
        return _whole(*found, world) if found else None
    return about_shown(text, language, focus, world) if how["question"].search(text) else None


def about_shown(text: str, language: Language, focus: Focus, world: World) -> Recalled | None:
    """What was shown lately that speaks of the content of `text`: its best sentence, or the whole thing read."""
    wanted = content_of(text, language)
    for shown in focus.shown[:_SKILLS_BACK]:
        scored = [(_overlap(wanted, item), -place) for place, item in enumerate(shown.items)]
        if scored and max(scored)[0] > 0:
            item = shown.items[-max(scored)[1]]
            return _read_on(wanted, item, shown, focus, world)
    return None


def content_of(text: str, language: Language) -> set[str]:
    """The words of a question that name what it is about."""
    how = phrases(language)
    for name in ("question", "little", "pointing_words"):
        text = how[name].sub(" ", text)
    return set(terms([text]))


def _meant(what: str, text: str, language: Language, focus: Focus) -> tuple[Item, str] | None:
    """The thing that was shown last, and its skill: the one that is picked, or the only or first one.

    A mail where the words speak of mail.
    """
    showing = [one for one in focus.shown if one.items]
    mails = [one for one in showing if "from" in one.items[0]] if phrases(language)["mails"].search(text) else []
    shown = next(iter(mails or showing), None)
    if shown is None:
        return None
    place = picked(what, shown.items, language, focus.user) if what else 0
    return None if place is None else (shown.items[place], shown.skill)


def _told(aspect: str, item: Item, skill: str, focus: Focus, world: World, *, present: bool) -> Recalled | None:
    """One property of the thing as a sentence."""
    value: object = None
    if aspect == "from":
        value = sender_of(item, focus.user)
    elif aspect == "when":
        found = next((str(item[name]) for name in ("when", "start", "date") if item.get(name)), "")
        ahead = moment_of(item, world.now) if present else None  # when what the mail speaks of is, not the mail
        value = ahead or (datetime.fromisoformat(found) if found else None)
    elif aspect == "where":
        value = item.get("location")
    elif aspect == "who":
        value = item.get("attendees")
    if not value:
        return None
    said = world.text(f"conversation.shown.{aspect}", value=value, title=title(item))
    return _reply(said, item, skill)


def _reply(said: str, item: Item, skill: str) -> Recalled:
    return Recalled(Step(kind="reply", reply=said, via="intent"), recalled(item, skill))


def _whole(item: Item, skill: str, world: World) -> Recalled | None:
    """The thing, read."""
    reader = _reader(skill, item, world)
    return Recalled(Step(kind="call", calls=(reader,), via="intent"), {}) if reader else None


def _read_on(wanted: set[str], item: Item, shown: Shown, focus: Focus, world: World) -> Recalled | None:
    if body := str(item.get("body") or ""):
        lines = [line.strip() for line in _SENTENCE.split(body) if line.strip()]
        timed = {line for line in lines if find(line, world.now)}
        best = max(lines, key=lambda line: (len(wanted & set(terms([line]))), line in timed), default="")
        if wanted & set(terms([best])):
            said = world.text("conversation.shown.quote", who=sender_of(item, focus.user), quote=best)
            return _reply(said, item, shown.skill)
    return _whole(item, shown.skill, world)


def _reader(skill: str, item: Mapping[str, object], world: World) -> Call | None:
    """The tool that reads one thing of this kind whole."""
    for tool in world.skills.tools():
        required = tool.schema.required
        if tool.skill == skill and tool.declaration.effect == "read" and len(required) == 1 and required[0] in item:
            return Call(tool=tool.name, args={required[0]: item[required[0]]})
    return None


def _overlap(wanted: set[str], item: Item) -> int:
    words = [str(item.get(name) or "") for name in ("subject", "title", "text", "label", "snippet", "body")]
    return len(wanted & set(terms(words)))
