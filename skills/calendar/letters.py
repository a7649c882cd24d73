"""Who is mailed what about a change of the calendar (iMIP, RFC 6047), in the language they likely read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from assistant.skillkit import Context, Language, Mailer, Post

from . import itip
from .events import Event, Item
from .expand import occurrences, placed
from .itip import Answer, Message
from .library import line
from .people import NO_ADDRESS, Invited
from .wording import rule_words, title, when

Kind = Literal["new", "changed", "cancelled"]
_HAN = re.compile(r"[\u3400-\u9fff]")
_CHINESE = re.compile(r"@(?:[\w.-]+\.)?(?:qq|163|126|sina|aliyun|foxmail|139|189|yeah)\.\w+$|\.(?:cn|tw)$")


@dataclass(frozen=True)
class Letter:
    """A mail about an event, before it is frozen."""

    kind: Kind
    people: tuple[tuple[str, str], ...]
    """Name and address."""
    calendar: str
    item: Item
    at: datetime | None = None
    """The occurrence it is about; None for all of the event."""


@dataclass(frozen=True)
class Mailed:
    """Letters as they will leave, and what a person is shown of them."""

    letters: tuple[dict[str, Any], ...] = ()
    recipients: tuple[str, ...] = ()
    text: str = ""
    sender: str = ""


async def mailer(ctx: Context) -> Mailer | None:
    """Who sends mail, if a way out is set up."""
    found = await ctx.fellows.mail()
    return found if found is not None and found.ready else None


async def own_addresses(ctx: Context) -> frozenset[str]:
    """All addresses that are the user's."""
    found = await ctx.fellows.mail()
    more = found.addresses if found is not None else frozenset()
    return more | ctx.user.addresses


def is_mine(event: Event, addresses: Iterable[str]) -> bool:
    """Whether the user is who invites: only then others are told of a change."""
    return not event.organizer or event.organizer in set(addresses)


def reachable(event: Event, addresses: Iterable[str]) -> list[tuple[str, str]]:
    """Name and address of everybody else in the event who can be mailed."""
    own = set(addresses)
    found = [one for one in event.people if "@" in one.address and one.address != NO_ADDRESS]
    return [(line(one.name, 100), one.address) for one in found if one.address not in own]


def invitation(data: bytes, item: Item, people: Sequence[tuple[str, str]], now: datetime) -> Letter:
    """To people who are invited now."""
    return Letter("new", tuple(people), itip.request(data, item, now), item)


def change(data: bytes, item: Item, people: Sequence[tuple[str, str]], now: datetime, at: datetime | None) -> Letter:
    """To people who were invited before."""
    return Letter("changed", tuple(people), itip.request(data, item, now, at=at), item, at)


def cancellation(
    data: bytes,
    item: Item,
    people: Sequence[tuple[str, str]],
    now: datetime,
    *,
    at: datetime | None = None,
    all_of_them: bool = True,
) -> Letter:
    """To people without whom, or for whom nothing, takes place any more. `data` is the file as it was."""
    only = None if all_of_them else {address for _, address in people}
    return Letter("cancelled", tuple(people), itip.cancel(data, item, now, at=at, people=only), item, at)


def frozen(ctx: Context, mail: Mailer, letters: Sequence[Letter]) -> Mailed:
    """The mails as they will leave, one for each language. Raises NotConfigured, Rejected."""
    made: list[dict[str, Any]] = []
    texts: list[str] = []
    names: list[str] = []
    for letter in letters:
        for language, people in _by_language(ctx, letter.people):
            subject, text = _written(ctx, language, letter)
            method = "CANCEL" if letter.kind == "cancelled" else "REQUEST"
            organizer = letter.item.main.organizer
            post = Post(
                to=tuple(people),
                subject=subject,
                text=text,
                calendar=letter.calendar,
                method=method,
                sender=organizer,
            )
            made.append(mail.freeze(post))
            texts.append(f"{subject}\n\n{text}")
            names += [f"{name} <{address}>" if name else address for name, address in people]
    sender = mail.sender(letters[0].item.main.organizer) if letters else ""
    return Mailed(tuple(made), tuple(dict.fromkeys(names)), "\n\n———\n\n".join(texts), sender)


def answer_letter(
    ctx: Context, mail: Mailer, message: Message, me: Invited, answer: Answer, comment: str, reference: str
) -> Mailed:
    """The user's answer to who invites."""
    event = message.event
    organizer = event.organizer
    language = likely_language(ctx, "", organizer)
    local = ctx.speaking(language)
    told = _when(local, message.item, None)
    key = f"calendar.mail_{answer.lower()}"
    parts = {"title": title(local, event.title), "when": told, "name": me.name or me.address}
    text = local.text(f"{key}_text", **parts)
    if comment:
        text = f"{text}\n\n{comment}"
    calendar = itip.reply(message, me.address, me.name, answer, ctx.now, comment)
    subject = local.text(key, **parts)
    to = (("", organizer),)
    post = Post(
        to=to,
        subject=subject,
        text=text,
        calendar=calendar,
        method="REPLY",
        in_reply_to=reference,
        sender=me.address,
    )
    return Mailed((mail.freeze(post),), (organizer,), f"{subject}\n\n{text}", mail.sender(me.address))


def likely_language(ctx: Context, name: str, address: str) -> Language:
    """What somebody likely reads: Chinese with a Chinese name or address, else English with a Latin name, else ours."""
    known = next((one for one in ctx.user.contacts if (one.email or "").lower() == address), None)
    name = name or (known.name if known else "")
    if _HAN.search(name) or _CHINESE.search(address):
        return "zh"
    return "en" if name else ctx.language


def _by_language(ctx: Context, people: Sequence[tuple[str, str]]) -> list[tuple[Language, list[tuple[str, str]]]]:
    found: dict[Language, list[tuple[str, str]]] = {}
    for name, address in people:
        found.setdefault(likely_language(ctx, name, address), []).append((name, address))
    return list(found.items())


def _written(ctx: Context, language: Language, letter: Letter) -> tuple[str, str]:
    """Subject and text for people who use no calendar program."""
    local = ctx.speaking(language)
    event = _shown(letter.item, letter.at)
    about = title(local, event.title)
    told = _when(local, letter.item, letter.at)
    subject = local.text(f"calendar.mail_{letter.kind}", title=about, when=told)
    name = ctx.user.name or ctx.user.email
    lines = [local.text(f"calendar.mail_{letter.kind}_text", name=name), "", about]
    lines.append(local.text("calendar.mail_when", when=told, zone=str(ctx.zone)))
    if place := line(event.location):
        lines.append(local.text("calendar.mail_where", place=place))
    guests = [line(one.name) or line(one.address) for one in event.people if one.address != event.organizer]
    if guests and letter.kind != "cancelled":
        lines.append(local.text("calendar.mail_who", people=guests))
    if letter.kind != "cancelled":
        lines += ["", local.text("calendar.mail_answer")]
    return subject, "\n".join(lines)


def _shown(item: Item, at: datetime | None) -> Event:
    return next((one for one in item.changed if at is not None and one.replaces == at), item.main)


def _when(ctx: Context, item: Item, at: datetime | None) -> str:
    event = _shown(item, at)
    start = at if at is not None and event is item.main else event.start
    one = placed(event, start, ctx.zone)
    if at is None and item.main.repeats:
        one = next(iter(occurrences(item, one.start, one.end, ctx.zone)), one)
    told = when(ctx, one.start, one.end, one.event.all_day)
    if at is None and item.main.rule:
        return ctx.text("calendar.repeatedly", rule=rule_words(ctx, item.main.rule), when=told)
    return told
