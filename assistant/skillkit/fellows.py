"""What one bundled skill offers the others, who can't import it: letters, invitations, its part of a day's briefing.

A skill offers by `@provides("mail")`: an async function that gets a context of its own skill. Who asks, asks
`ctx.fellows`, and gets None where nobody offers it. Skills that are not bundled offer nothing and are offered nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from assistant.errors import AskAgain, SkillFailed
from assistant.models import Value
from assistant.skillkit.guard import guarded

if TYPE_CHECKING:
    from assistant.skillkit.context import Context

logger = logging.getLogger(__name__)
Offer = Literal["mail", "invitations", "brief"]


class Post(Value):
    """A mail that carries a calendar message (RFC 6047)."""

    to: tuple[tuple[str, str], ...]
    """Name (may be empty) and address of each."""
    subject: str
    text: str
    """For people."""
    calendar: str
    """The iCalendar object (RFC 5546)."""
    method: Literal["REQUEST", "REPLY", "CANCEL"]
    in_reply_to: str = ""
    """The Message-ID of the mail it answers."""
    sender: str = ""
    """The address of the user that takes part in the event: the mail comes from there, if mail can leave from there."""


class CalendarMail(Value):
    """A mail that came in with a calendar message: another person's words, all of it."""

    message_id: str
    """The id by which the mail tools know it."""
    reference: str
    """Its Message-ID header."""
    name: str
    address: str
    """Who sent it, as its From says; in lower case."""
    shown: str
    """The sender for people: with the address where the name imitates somebody's."""
    date: datetime | None
    calendar: bytes


class Mailer(Protocol):
    """Mail, as other skills use it. What it sends is approved by then."""

    @property
    def addresses(self) -> frozenset[str]:
        """The user's own, in lower case."""
        ...

    @property
    def address(self) -> str:
        """The address that its mails come from where nothing else is said, in lower case."""
        ...

    def sender(self, address: str = "") -> str:
        """What a `Post` of that sender carries as From."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a way out is set up and the user's own address is known."""
        ...

    def freeze(self, post: Post) -> dict[str, Any]:
        """The finished mail with its Message-ID, as plain JSON. Raises NotConfigured, Rejected."""
        ...

    async def deliver(self, letter: dict[str, Any]) -> str:
        """Hand it over, once; its Message-ID. Raises SkillFailed (not sent), Uncertain."""
        ...

    async def look(self, letter: dict[str, Any]) -> str | None:
        """Look whether it left: its Message-ID, None if it certainly did not. Raises Uncertain."""
        ...

    async def calendar_mails(self, limit: int, known: Collection[str] = ()) -> Sequence[CalendarMail]:
        """The newest mails with calendar messages, newest first, those of `known` ids left out.

        Raises NotConfigured, AccountError.
        """
        ...


class Invitations(Protocol):
    """Calendar messages in mails, told to people."""

    async def about(self, mail: CalendarMail) -> Sequence[str]:
        """What the message says and what it means for the calendar, a line each; none where it says nothing."""
        ...


class Brief(Value):
    """One skill's part of a day's briefing."""

    order: int
    """Smaller comes first."""
    text: str
    """A sentence or two, to be spoken as they stand; empty where there is nothing."""
    items: tuple[dict[str, Any], ...] = ()
    """What it speaks of, each with its id (`event_id`, `message_id`, …) and its `kind`."""
    sources: tuple[str, ...] = ()
    aside: str = ""
    """The same in short, for an answer that is about something else; empty where it isn't worth it."""


class Fellows(Protocol):
    """What the other skills offer."""

    async def mail(self) -> Mailer | None:
        """Who sends mail."""
        ...

    async def invitations(self) -> Invitations | None:
        """Who knows calendar messages."""
        ...

    async def briefs(self, day: date) -> Sequence[Brief]:
        """What there is to say about a day, by order; a skill that can't say anything is left out."""
        ...


class Alone:
    """Nobody is there: what a skill outside the daemon gets."""

    async def mail(self) -> Mailer | None:
        """See Fellows."""
        return None

    async def invitations(self) -> Invitations | None:
        """See Fellows."""
        return None

    async def briefs(self, day: date) -> Sequence[Brief]:
        """See Fellows."""
        return ()


ALONE = Alone()
Function = Callable[..., Awaitable[Any]]
Offers = Callable[[Offer], Sequence[tuple[str, Function]]]
"""The skills that offer something, by name, with their functions."""


@dataclass(frozen=True)
class Present:
    """The bundled skills that are loaded."""

    offers: Offers
    context: Callable[[str], Context]
    """A context of a skill, in the language of who asks."""

    async def mail(self) -> Mailer | None:
        """See Fellows."""
        return cast(Mailer | None, await self._one("mail"))

    async def invitations(self) -> Invitations | None:
        """See Fellows."""
        return cast(Invitations | None, await self._one("invitations"))

    async def briefs(self, day: date) -> Sequence[Brief]:
        """See Fellows."""
        found: list[Brief] = []
        for skill, function in self.offers("brief"):
            try:
                brief: Brief | None = await guarded(f"{skill} (brief)", function(self.context(skill), day))
            except (SkillFailed, AskAgain) as error:  # no mailbox, no calendar: the others speak all the same
                logger.info("nothing of %s in the briefing: %s", skill, error)
                continue
            found += [brief] if brief is not None else []
        return sorted(found, key=lambda one: one.order)

    async def _one(self, offer: Offer) -> Any:
        for skill, function in self.offers(offer):
            return await function(self.context(skill))
        return None
