"""Who is invited: names to addresses through the user's contacts. Sends nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.skillkit import AskAgain, Context, Label, Origin, Rejected

from .events import Attendee, Event
from .library import line

_ADDRESS = re.compile(r"[^\s@<>\"',;:]{1,64}@[^\s@<>\"',;:]+\.[^\s@<>\"',;:]+")
_NAMED = re.compile(r"([^<>]*)<([^<>]+)>")


@dataclass(frozen=True)
class Invited:
    """Somebody and how the user's words led to them."""

    name: str
    address: str
    origin: Origin

    @property
    def shown(self) -> str:
        """With the address: who is reached must be seen."""
        return f"{self.name} <{self.address}>" if self.name else self.address


def invited(ctx: Context, words: list[str]) -> list[Invited]:
    """The people that were named, each once, the user left out.

    Raises AskAgain for somebody unknown, without an address, or not the only one; Rejected for an ill-formed address.
    """
    found: dict[str, Invited] = {}
    for word in words:
        one = _one(ctx, word)
        if one.address != ctx.user.email.lower():
            found.setdefault(one.address, one)
    return list(found.values())


def others(ctx: Context, event: Event) -> list[Attendee]:
    """Who takes part in an event beside the user."""
    return [one for one in event.people if one.address != ctx.user.email.lower()]


def declined(ctx: Context, event: Event) -> bool:
    """Whether the user said no to it."""
    return any(one.declined for one in event.people if one.address == ctx.user.email.lower())


def _one(ctx: Context, word: str) -> Invited:
    if "@" in word:
        named = _NAMED.fullmatch(word.strip())
        name, address = (named[1].strip("\"' "), named[2].strip()) if named else ("", word.strip())
        if not _ADDRESS.fullmatch(address):
            raise Rejected("calendar.bad_address", address=line(word, 100))
        return Invited(line(name, 100), address.lower(), Origin(label=Label.USER))
    people = [person for person in ctx.user.contacts if person.called(word)]
    reachable = [person for person in people if person.email]
    if len(reachable) > 1:
        choices = [f"{person.name} <{person.email}>" for person in reachable]
        raise AskAgain("calendar.which_person", missing=["attendees"], choices=choices, name=line(word, 100))
    if not reachable:
        raise AskAgain("calendar.no_address", missing=["attendees"], name=people[0].name if people else line(word, 100))
    person = reachable[0]
    return Invited(person.name, str(person.email).lower(), Origin(label=Label.CONTACT, source=person.name))
