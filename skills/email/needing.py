"""Which mails want an answer of the user: unread, to them, from a person, and asking something. Rules, no model.

The email skill's part of a day's briefing.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from assistant.skillkit import Brief, Context, provides

from .items import source, subject
from .mailbox import Entry, Mailbox, is_calendar
from .mailer import Letters
from .parse import Mail
from .people import shown
from .quotes import without_signature
from .stores import current
from .text import line

_DAYS = 7
_LOOKED_AT = 120
_LOADED = 40
_NAMED = 3
_NOBODY = re.compile(
    r"^(?:no-?reply|do-?not-?reply|donotreply|noreply\S*|mailer-daemon|postmaster|bounces?\S*|notifications?|newsletter"
    r"|alerts?|automailer|billing|receipts?)(?:[+.@-]|$)|@(?:bounce|news|mailing|notify|notifications)s?\.",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"[?？]|\b(?:could|can|would|will) you\b|\blet me know\b|\bRSVP\b|\bget back to me\b|\bwaiting for your\b"
    r"|\bplease (?:let|send|confirm|reply|answer|tell|call|check|review|sign|choose)|\bneed your\b"
    r"|\byour (?:answer|reply|decision)\b|请(?:问|回复|确认|告知|答复|尽快|您|你|帮)|能否|能不能|可否|可以吗|行吗|好吗"
    r"|麻烦(?:您|你)|等(?:您|你)(?:的)?(?:回复|答复|消息)"
    r"|盼复|望回复|是否",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s*|\n+")


@provides("brief")
async def brief(ctx: Context, day: date) -> Brief | None:
    """What came in and waits for the user. Nothing where no mailbox is set up, or about another day."""
    if day != ctx.now.date():
        return None
    found = await awaiting(ctx)
    if not found:
        return None
    named = [
        ctx.text("email.awaits", sender=shown(ctx, mail.sender), subject=subject(ctx, mail)) for _, mail, _ in found
    ]
    more = len(found) - _NAMED
    told = [*named[:_NAMED], *([ctx.text("email.awaits_more", count=more)] if more > 0 else [])]
    items = tuple(
        {
            "kind": "mail",
            "message_id": entry.id,
            "from": mail.sender.address,
            "subject": mail.subject,
            "asks": question,
        }
        for entry, mail, question in found
    )
    text = ctx.text("email.brief", count=len(found), mails=told)
    sources = tuple(source(entry, mail) for entry, mail, _ in found[:_NAMED])
    return Brief(order=30, text=text, items=items, sources=sources, aside=text)


async def awaiting(ctx: Context) -> list[tuple[Entry, Mail, str]]:
    """The mails that want an answer, newest first, each with the sentence that asks.

    Raises NotConfigured, AccountError.
    """
    mailbox, _ = await current(ctx)
    since = datetime.combine(ctx.now.date() - timedelta(days=_DAYS), datetime.min.time(), ctx.zone)
    ids = await ctx.index.search("", limit=_LOOKED_AT, where={"date>=": int(since.timestamp())})
    entries = [entry for id_ in ids if (entry := mailbox.entry(id_)) is not None]
    wanted = [one for one in entries if one.unread and mailbox.listed(one) and "answered" not in one.slot.flags]
    own = Letters(ctx).addresses
    found = []
    for entry, mail in await mailbox.load(wanted[:_LOADED]):
        question = asks(mail) if _to_me(mail, own) else ""
        if question or (_to_me(mail, own) and await _invites(mailbox, entry, mail)):
            found.append((entry, mail, question))
    return found


def asks(mail: Mail) -> str:
    """The sentence by which a person asks for something; empty where none does, or where it is no person's mail."""
    if mail.bulk or _NOBODY.search(mail.sender.address) or not mail.sender.address:
        return ""
    text = without_signature(mail.split.fresh)[:4000]
    for sentence in (*_SENTENCE.split(text), mail.subject):
        if sentence and _ASKS.search(sentence) and not re.search(r"https?://\S*\?", sentence):
            return line(sentence, 200)
    return ""


def _to_me(mail: Mail, own: frozenset[str]) -> bool:
    """Whether it is addressed to the user, not just sent along; whatever is unknown counts."""
    if mail.sender.address.lower() in own:
        return False
    return not own or any(one.address.lower() in own for one in mail.to)


async def _invites(mailbox: Mailbox, entry: Entry, mail: Mail) -> bool:
    if mail.bulk or not any(is_calendar(attachment) for attachment in mail.attachments):
        return False
    raw = await mailbox.raw(entry)
    return raw is not None and b"REQUEST" in raw
