"""What a conversation is about now: what was called, shown and named in its last turns. Read from the history alone.

After centering theory: what was spoken of last is what a pronoun means (Grosz, Joshi & Weinstein, 1995).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from assistant.conversation.arguments import PEOPLE
from assistant.conversation.people import named_in
from assistant.conversation.phrases import phrases
from assistant.conversation.sessions import Exchange
from assistant.conversation.shortlist import terms
from assistant.models import Call, Language, UserContext
from assistant.values import Moment, find

Item = Mapping[str, Any]
_TITLES = ("subject", "title", "text", "label", "name")
_MOMENTS = ("when", "start", "date")
_IDS = re.compile(r"^(?:id|\w+_id)$")
_NUMBER = re.compile(r"(?:no\.?|nr\.?|number|#|第)?\s*([1-9][0-9]?)\s*(?:号|个|位|項|项)?[.。)]?", re.IGNORECASE)
_COUNTED = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Shown:
    """What one turn called and showed."""

    said: str
    calls: tuple[Call, ...]
    items: tuple[Item, ...]
    skill: str
    """Whose things they are."""


@dataclass(frozen=True)
class Focus:
    """The last turns that called something, the newest first."""

    shown: tuple[Shown, ...] = ()
    user: UserContext = field(default_factory=UserContext)

    @property
    def newest(self) -> Shown | None:
        """What was called last."""
        return self.shown[0] if self.shown else None

    @property
    def acted(self) -> tuple[Call, ...]:
        """The calls of the newest turn that called something."""
        return next((shown.calls for shown in self.shown if shown.calls), ())

    @cached_property
    def person(self) -> str:
        """Who was spoken of last: the sender of the one mail that was shown, who was written to, looked for, named."""
        return next((who for shown in self.shown if (who := _person(shown, self.user))), "")

    @property
    def list(self) -> str:
        """The list that the newest call was about."""
        return next((str(call.args["list"]) for call in reversed(self.acted) if call.args.get("list")), "")

    def moment(self, now: datetime) -> datetime | None:
        """When that is which was spoken of last: an event, or the first time to come in a mail that was read."""
        for shown in self.shown:
            if len(shown.items) == 1 and (found := moment_of(shown.items[0], now)):
                return found
        return None

    def with_field(self, field: str, skill: str) -> tuple[Item, ...]:
        """The things of a skill that were shown last."""
        for shown in self.shown:
            if shown.skill == skill and (items := tuple(item for item in shown.items if item.get(field))):
                return items
        return ()


def focus_of(history: Sequence[Exchange], user: UserContext) -> Focus:
    """The focus after these turns, oldest first."""
    shown = [
        Shown(one.text, one.calls, _items(one.data), _skill(one)) for one in reversed(history) if one.calls or one.data
    ]
    return Focus(tuple(shown), user)


def recalled(item: Item, skill: str) -> dict[str, Any]:
    """The data of a reply that speaks of a thing shown before, so that the next turn's "it" means that."""
    return {"items": [item], "skill": skill}


def _skill(exchange: Exchange) -> str:
    if exchange.calls:
        return exchange.calls[-1].tool.partition(".")[0]
    return str(exchange.data.get("skill") or "") if isinstance(exchange.data, Mapping) else ""


def title(item: Item) -> str:
    """What a thing is called."""
    return next((str(item[name]) for name in _TITLES if item.get(name)), "")


def picked(text: str, items: Sequence[Item], language: Language, user: UserContext) -> int | None:
    """The number of the thing that "the second one", "the newest", 王伟那封 mean; None where the words pick none."""
    how = phrases(language)
    if not items:
        return None
    if (counted := numbered(text, language)) is not None:
        return counted if counted < len(items) else None
    dated = [(str(next((item[name] for name in _MOMENTS if item.get(name)), "")), n) for n, item in enumerate(items)]
    if how["newest"].search(text):
        return max(dated)[1]
    if how["oldest"].search(text):
        return min(dated)[1]
    if how["last"].search(text):
        return max(dated)[1] if "from" in items[0] else len(items) - 1
    people = {person.name for person in named_in(text, user)}
    by_sender = [n for n, item in enumerate(items) if people and sender_of(item, user) in people]
    if by_sender:
        return by_sender[0]
    wanted = set(terms([how["pointing_words"].sub(" ", text)]))
    scores = [(len(wanted & set(terms([title(item)]))), -n) for n, item in enumerate(items)]
    return -max(scores)[1] if max(scores)[0] > 0 else None


def numbered(text: str, language: Language) -> int | None:
    """The place that "the second one", 第二个 or a bare "2" names, from 0; None for other words."""
    if digits := _NUMBER.fullmatch(text.strip()):
        return int(digits[1]) - 1
    how = phrases(language)
    return next((place for place, name in enumerate(_COUNTED) if how[name].search(text)), None)


def _items(data: Any) -> tuple[Item, ...]:
    """The things in a result: its items, or the one that was made."""
    if not isinstance(data, Mapping):
        return ()
    if isinstance(found := data.get("items"), list):
        return tuple(one if isinstance(one, Mapping) else {"text": str(one)} for one in found)
    return (data,) if any(_IDS.match(name) for name in data) else ()


def _person(shown: Shown, user: UserContext) -> str:
    if len(shown.items) == 1 and (who := sender_of(shown.items[0], user)):
        return who
    for call in reversed(shown.calls):
        for name in PEOPLE & call.args.keys():
            value = call.args[name]
            value = value[0] if isinstance(value, list) and value else value
            if isinstance(value, str) and value:
                return value
    people = named_in(shown.said, user)
    return people[0].name if people else ""


def sender_of(item: Item, user: UserContext) -> str:
    """The contact who sent a mail, else the name or address in it."""
    address = str(item.get("from") or "").casefold()
    known = next((one.name for one in user.contacts if address and str(one.email or "").casefold() == address), "")
    return known or str(item.get("from_name") or item.get("from") or "")


def moment_of(item: Item, now: datetime) -> datetime | None:
    """When a thing is: an event's start, a reminder's time, the first time to come that a mail's text names."""
    if "from" in item:
        spans = find(str(item.get("body") or ""), now)
        times = [span.value for span in spans if isinstance(span.value, Moment) and span.value.dated]
        return next((one.at for one in times if one.at > now), None)
    value = next((str(item[name]) for name in _MOMENTS if item.get(name)), "")
    return datetime.fromisoformat(value) if value else None
