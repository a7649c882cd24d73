"""Who is invited: names to addresses through the user's contacts. Sends nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.skillkit import AskAgain, Context, Label, Mailer, Origin, Rejected

from .events import Attendee, Event
from .library import line

NO_ADDRESS = "invalid:nomail"
"""What calendar programs write for a guest whose address nobody knows."""
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
        if self.address == NO_ADDRESS:
            return self.name
        return f"{self.name} <{self.address}>" if self.name else self.address

    @property
    def uri(self) -> str:
        """As a CAL-ADDRESS."""
        return self.address if self.address == NO_ADDRESS else f"mailto:{self.address}"


def invited(ctx: Context, words: list[str]) -> list[Invited]:
    """The people that were named, each once, the user left out.

    Somebody without a known address is on the guest list by name alone: nobody is mailed from here anyway.
    Raises AskAgain for somebody who is not the only one of the name; Rejected for an ill-formed address.
    """
    found: dict[str, Invited] = {}
    for word in words:
        one = _one(ctx, word)
        if one.address not in ctx.user.addresses:
            found.setdefault(one.shown.casefold(), one)
    return list(found.values())


def myself(ctx: Context, mail: Mailer | None = None) -> Invited | None:
    """The user, who invites: by the address that the mails come from, where some do."""
    address = mail.address if mail is not None else ctx.user.email.lower()
    return Invited(ctx.user.name, address, Origin(label=Label.PROFILE)) if address else None


def others(ctx: Context, event: Event) -> list[Attendee]:
    """Who takes part in an event beside the user."""
    return [one for one in event.people if one.address not in ctx.user.addresses]


def declined(ctx: Context, event: Event) -> bool:
    """Whether the user said no to it."""
    return any(one.declined for one in event.people if one.address in ctx.user.addresses)


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
        name = people[0].name if people else line(word, 100)
        return Invited(name, NO_ADDRESS, Origin(label=Label.CONTACT if people else Label.USER, source=name))
    person = reachable[0]
    return Invited(person.name, str(person.email).lower(), Origin(label=Label.CONTACT, source=person.name))
